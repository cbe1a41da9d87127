package config

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"baton/impl/catalog"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// One configuration may have services of both families, and heartbeat and sync over IPv6.
func TestBothFamilies(t *testing.T) {
	text := good
	for _, edit := range [][2]string{
		{"local: 198.18.2.1, peer: 198.18.2.2}", `local: "2001:2:0:2::1", peer: "2001:2:0:2::2"}`},
		{"local: 198.18.2.1:3790", `local: "[2001:2:0:2::1]:3790"`},
		{"peer: 198.18.2.2:3790", `peer: "[2001:2:0:2::2]:3790"`},
		{"vip: 198.18.0.100\n    port: 53", "vip: 2001:2::64\n    port: 53"},
		{"mode: dnat\n    snat: 198.18.1.100", "mode: dnat\n    snat: 2001:2:0:1::64"},
		{"      - 198.18.1.11:53", `      - "[2001:2:0:1::b]:53"`},
	} {
		if !strings.Contains(text, edit[0]) {
			t.Fatalf("no %q in the configuration", edit[0])
		}
		text = strings.Replace(text, edit[0], edit[1], 1)
	}
	file := filepath.Join(folder(t), "lb1.yaml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := Load(file, Options{})
	if err != nil {
		t.Fatal(err)
	}
	dp := c.Dataplane()
	if err := dp.Validate(); err != nil || !dp.HasIPv6() || len(dp.VIPs) != 4 {
		t.Errorf("%v, VIPs %v", err, dp.VIPs)
	}
	if got := dp.Services[1].Service.String(); got != "udp [2001:2::64]:53" {
		t.Errorf("the second service is %s", got)
	}
	if c.Sync.Peer.String() != "[2001:2:0:2::2]:3790" || c.BFD.Paths[1].Peer.String() != "2001:2:0:2::2" {
		t.Errorf("peer at %v and %v", c.Sync.Peer, c.BFD.Paths[1].Peer)
	}
}

// TestEveryBalanceReachesTheDataplane: names are the same in both.
func TestEveryBalanceReachesTheDataplane(t *testing.T) {
	for _, name := range Balance("").allowed() {
		if got := (Service{Balance: Balance(name)}).Dataplane().Balance.String(); got != name {
			t.Errorf("balance %s is %s in the dataplane", name, got)
		}
	}
}

// A pool's addresses are SNAT addresses of the service and VIPs on the backends' link. Marshal keeps
// the notation of the file.
func TestSNATPool(t *testing.T) {
	text := strings.Replace(good, "    backends: [198.18.1.11:80, 198.18.1.12:80]", "    snat_pool: [198.18.1.101-198.18.1.103, 198.18.1.110]\n    backends: [198.18.1.11:80, 198.18.1.12:80]", 1)
	_, c, err := parse(filepath.Join(folder(t), "lb1.yaml"), []byte(text), Options{})
	if err != nil {
		t.Fatal(err)
	}
	dp := c.Dataplane()
	want := []flow.Addr{flow.IPv4(198, 18, 1, 100), flow.IPv4(198, 18, 1, 101), flow.IPv4(198, 18, 1, 102), flow.IPv4(198, 18, 1, 103), flow.IPv4(198, 18, 1, 110)}
	if got := dp.Services[0].SNATs(); !slices.Equal(got, want) {
		t.Errorf("SNAT addresses %v, want %v", got, want)
	}
	for _, a := range want {
		if !slices.Contains(dp.VIPs, dataplane.VIP{Addr: a.Netip(), Link: dp.BackendLink}) {
			t.Errorf("%v is not a VIP on the backends' link: %v", a, dp.VIPs)
		}
	}
	if err := dp.Validate(); err != nil {
		t.Error(err)
	}
	written, err := c.Marshal()
	if err != nil || !strings.Contains(string(written), "198.18.1.101-198.18.1.103") {
		t.Errorf("written as %s, %v", written, err)
	}
	_, one, err := parse(filepath.Join(folder(t), "lb1.yaml"), []byte(good), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := catalog.Words(c.Catalog().Compare(one.Catalog())); got != "web: snat" {
		t.Errorf("against a node without the pool: %q", got)
	}
}

// A service inherits the limits that it leaves out from the file.
func TestLimits(t *testing.T) {
	text := strings.Replace(good, "control: lb1.sock", "control: lb1.sock\nlimits: {flows: 1000, source_flows: 100, source_embryonic: 10, syn_challenge: 20}", 1)
	text = strings.Replace(text, "    backends: [198.18.1.11:80, 198.18.1.12:80]", "    limits: {source_flows: 50, source_embryonic: 0}\n    backends: [198.18.1.11:80, 198.18.1.12:80]", 1)
	_, c, err := parse(filepath.Join(folder(t), "lb1.yaml"), []byte(text), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []dataplane.Limits{{Flows: 1000, SourceFlows: 50, SYNChallenge: 20}, {Flows: 1000, SourceFlows: 100, SourceEmbryonic: 10, SYNChallenge: 20}} {
		if got := c.Dataplane().Services[i].Limits; got != want {
			t.Errorf("service %d has the limits %v, want %v", i, got, want)
		}
	}
}

// TestBackendsByHowPacketsReachThem: those of other modes are not among them, and none is there twice.
func TestBackendsByHowPacketsReachThem(t *testing.T) {
	c := loaded(t)
	if direct, tunnelled := c.DirectBackends(), c.TunnelBackends(); len(direct)+len(tunnelled) > 0 {
		t.Errorf("%v and %v of services that translate addresses", direct, tunnelled)
	}
	c.Services[0].Mode, c.Services[1].Mode = DSRL2, DSRIPIP
	one := c.Services[0].Backends[0].Addr()
	c.Services[0].Backends = append(c.Services[0].Backends, netip.AddrPortFrom(one, 81))
	if direct := c.DirectBackends(); len(direct) != 2 || direct[0] != one {
		t.Errorf("direct: %v", direct)
	}
	if tunnelled := c.TunnelBackends(); len(tunnelled) != 1 || tunnelled[0] != c.Services[1].Backends[0].Addr() {
		t.Errorf("in tunnels: %v", tunnelled)
	}
}
