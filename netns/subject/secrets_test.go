package subject

import (
	"bytes"
	"net/netip"
	"testing"

	"baton/impl/daemon/pki"
)

// TestTheNodesOfALabAuthenticateTheirHeartbeat: both have one secret and accept each
// other's packets.
func TestTheNodesOfALabAuthenticateTheirHeartbeat(t *testing.T) {
	s, err := newSecrets([]string{"lb1", "lb2"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	from := netip.MustParseAddr("198.18.0.1")
	var keys [2][]byte
	for i, node := range []string{"lb1", "lb2"} {
		identity, err := pki.Load(s.files[node], node)
		if err != nil {
			t.Fatal(err)
		}
		keys[i] = identity.HeartbeatKey("lb1", from)
	}
	if keys[0] == nil || !bytes.Equal(keys[0], keys[1]) {
		t.Errorf("the nodes come to the keys %x and %x", keys[0], keys[1])
	}
}
