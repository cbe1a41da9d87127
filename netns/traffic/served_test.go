package traffic

import (
	"net/netip"
	"slices"
	"testing"

	"baton/scenarios/plan"
)

// TestWhereABackendServes: a direct-return backend serves the VIP, and its own address only if the nodes
// probe it there.
func TestWhereABackendServes(t *testing.T) {
	own4, own6 := netip.MustParseAddr("198.18.1.11"), netip.MustParseAddr("2001:2:0:1::11")
	b := Backend{Addrs: []netip.Addr{own4, own6}}
	for _, test := range []struct {
		vip, mode string
		probed    bool
		want      []string
	}{
		{"198.18.0.100", "fullnat", false, []string{"198.18.1.11:80"}},
		{"198.18.0.100", "dnat", true, []string{"198.18.1.11:80"}},
		{"198.18.0.100", "dsr-l2", false, []string{"198.18.0.100:80"}},
		{"198.18.0.100", "dsr-l2", true, []string{"198.18.0.100:80", "198.18.1.11:80"}},
		{"2001:2::100", "dsr-l2", true, []string{"[2001:2::100]:80", "[2001:2:0:1::11]:80"}},
	} {
		all, err := b.at(plan.Service{Name: "web", Proto: "tcp", VIP: test.vip, Port: 80, Mode: test.mode}, test.probed)
		var got []string
		for _, at := range all {
			got = append(got, at.String())
		}
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s of %s, probed %v: at %v, %v", test.mode, test.vip, test.probed, got, err)
		}
	}
}
