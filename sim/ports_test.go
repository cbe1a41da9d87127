package sim

import (
	"testing"

	"baton/impl/flow"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// TestAClientHasMorePortsThanOneAddress: flows beyond the ports of a client's own address use guest
// addresses, each flow its own port, and their answers reach the client.
func TestAClientHasMorePortsThanOneAddress(t *testing.T) {
	o := settled(t)
	s, seen := o.services[0], map[flow.Tuple]bool{}
	for range plan.ClientPorts + 100 {
		_, id := o.datagrams.add()
		tuple := o.bind(2, id|datagramTag, &s)
		if seen[tuple] {
			t.Fatalf("%v twice", tuple)
		}
		seen[tuple] = true
		if o.hostOf(tuple.Src) != 2 {
			t.Fatalf("answers to %v go to host %d", tuple.Src, o.hostOf(tuple.Src))
		}
	}
	own := 0
	for tuple := range seen {
		if tuple.Src == o.hosts[2].addrs[lab.IPv4] {
			own++
		}
	}
	if own == 0 || own == len(seen) {
		t.Errorf("%d of %d from the client's own address", own, len(seen))
	}
}
