package lab

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var small = Topo{Clients: 1, Backends: 2}

// TestRulesOfASelector: what a cut or an impairment concerns, link by link.
func TestRulesOfASelector(t *testing.T) {
	for _, c := range []struct {
		from, to, via string
		want          []string
	}{
		{"lb1", "lb2", "", []string{"lb1>lb2 on clients", "lb1>lb2 on backends", "lb1>lb2 on sync"}},
		{"lb1", "lb2", Sync, []string{"lb1>lb2 on sync"}},
		{"clients", "lb2", "", []string{"client1>lb2 on clients"}},
		{"lb1", "backends", "", []string{"lb1>backend1 on backends", "lb1>backend2 on backends"}},
		{"backends", "backends", "", []string{"backend2>backend1 on backends", "backend1>backend2 on backends"}},
		{"client1", "backend1", "", nil},
		{"clients", "lb2", Sync, nil},
		{"lb1", "lb1", "", nil},
		{"lb3", "lb1", "", nil},
	} {
		var got []string
		for _, r := range small.Rules(c.from, c.to, c.via) {
			got = append(got, r.String())
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s->%s via %q (-want +got)\n%s", c.from, c.to, c.via, diff)
		}
	}
}

// TestNoTwoMachinesShareAName, nor an address, in the largest lab, and none has a VIP's.
func TestNoTwoMachinesShareAName(t *testing.T) {
	names, addresses := map[string]bool{}, map[netip.Addr]bool{IPv4.BackendVIP(): true, IPv6.BackendVIP(): true}
	for _, h := range (Topo{Clients: MaxHosts, Backends: MaxHosts}).Hosts() {
		if names[h.Name] {
			t.Errorf("two machines %s", h.Name)
		}
		names[h.Name] = true
		for _, link := range h.Links() {
			for f := range Family(Families) {
				addr := h.Addr(link, f)
				if addresses[addr] || !f.Subnet(link).Contains(addr) {
					t.Errorf("%s has %s on %s: taken, or outside of %s", h.Name, addr, link, f.Subnet(link))
				}
				addresses[addr] = true
			}
		}
		if kind, n, ok := ParseName(h.Name); !ok || kind != h.Kind || n != h.Number {
			t.Errorf("ParseName(%s) = %v, %d, %v", h.Name, kind, n, ok)
		}
	}
}

func TestNamesThatNoMachineHas(t *testing.T) {
	for _, name := range []string{"", "lb", "lb0", "lb3", "client", "client01", "client-1", "clients", "backend0", "sync", "lb1 "} {
		if _, _, ok := ParseName(name); ok {
			t.Errorf("%q is taken for a machine", name)
		}
	}
}

func TestInvalidVIPsAreExplained(t *testing.T) {
	for addr, want := range map[string]string{
		"198.18.0.100": "",
		"198.18.0.12":  "", // no client2 in this lab
		"198.18.0.2":   "is the address of lb2",
		"198.18.0.11":  "is the address of client1",
		"198.18.0.255": "is not the address of a host",
		"198.18.1.100": "is outside the clients' network 198.18.0.0/24",
		"198.18.0.150": "is among the addresses that idle flows come from",

		"2001:2::100":         "",
		"2001:2::2":           "is the address of lb2",
		"2001:2::11":          "is the address of client1",
		"2001:2::":            "is not the address of a host",
		"2001:2::199":         "is among the addresses that idle flows come from",
		"2001:2:0:1::100":     "is outside the clients' network 2001:2::/64",
		"fe80::1":             "is outside the clients' network 2001:2::/64",
		"::ffff:198.18.0.100": "is IPv4 written as IPv6: write 198.18.0.100",
	} {
		if got := small.Misplaced(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s %q, want %q", addr, got, want)
		}
	}
}

func TestPeer(t *testing.T) {
	for _, node := range Nodes() {
		if peer := Peer(node); peer == node || !slices.Contains(Nodes(), peer) || Peer(peer) != node {
			t.Errorf("the peer of %s is %s", node, peer)
		}
	}
}
