package preflight

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"baton/impl/daemon/config"
	"baton/impl/dataplane"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// node is the configuration of lb1 or lb2.
func node(number string) *config.Config {
	other := map[string]string{"1": "2", "2": "1"}[number]
	c := config.Default()
	c.Node, c.Peer = "lb"+number, "lb"+other
	c.Links = config.Links{Client: "client0", Backend: "backend0"}
	c.BFD.Paths = []config.Path{
		{Name: "clients", Link: "client0", Local: addr("198.18.0." + number), Peer: addr("198.18.0." + other)},
		{Name: "sync", Link: "sync0", Local: addr("198.18.2." + number), Peer: addr("198.18.2." + other)},
	}
	c.Sync.Local = netip.AddrPortFrom(addr("198.18.2."+number), 3790)
	c.Sync.Peer = netip.AddrPortFrom(addr("198.18.2."+other), 3790)
	c.Services = []config.Service{{Name: "web", VIP: addr("198.18.0.100"), SNAT: config.Address{Addr: addr("198.18.1.100")}}}
	return &c
}

// host returns the facts of a host on which node 1 can run.
func host() Facts {
	f := Facts{Busy: map[string]string{}, Links: []Link{
		{"client0", true, 1500, []netip.Addr{addr("198.18.0.1")}},
		{"backend0", true, 1500, []netip.Addr{addr("198.18.1.1")}},
		{"sync0", true, 1500, []netip.Addr{addr("198.18.2.1")}},
	}}
	for _, n := range Needed {
		f.Capabilities |= 1 << n.Bit
	}
	return f
}

// complaints returns the findings that failed.
func complaints(all []Finding) string {
	var s []string
	for _, f := range all {
		if !f.OK {
			s = append(s, f.Check+": "+f.Text)
		}
	}
	return strings.Join(s, "\n")
}

func TestPreflightNamesWhatAHostLacks(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*config.Config, *Facts)
		says   string // "" if nothing is wrong
	}{
		{"nothing", func(*config.Config, *Facts) {}, ""},
		{"no right to lock memory", func(_ *config.Config, f *Facts) { f.Capabilities &^= 1 << 14 }, "no CAP_IPC_LOCK"},
		{"a link that is not there", func(_ *config.Config, f *Facts) { f.Links = f.Links[1:] }, "links: client0 does not exist"},
		{"a cable that is not plugged in", func(_ *config.Config, f *Facts) { f.Links[2].Carrier = false }, "links: sync0 has no carrier"},
		{"the address of a path on another link", func(_ *config.Config, f *Facts) {
			f.Links[0].Addresses, f.Links[1].Addresses = f.Links[1].Addresses, f.Links[0].Addresses
		}, "path clients: 198.18.0.1 is not an address of client0"},
		{"no address for the sync stream", func(_ *config.Config, f *Facts) { f.Links[2].Addresses = nil }, "sync.local: 198.18.2.1 is not"},
		{"a VIP that is the host's own", func(_ *config.Config, f *Facts) {
			f.Links[0].Addresses = append(f.Links[0].Addresses, addr("198.18.0.100"))
		}, "198.18.0.100 is assigned to client0"},
		{"backends that take smaller packets", func(_ *config.Config, f *Facts) { f.Links[1].MTU = 1400 }, "MTU: client0 has 1500 and backend0 has 1400"},
		{"a sync link of tiny packets", func(_ *config.Config, f *Facts) { f.Links[2].MTU = 576 }, "MTU: sync0"},
		{"a direct backend behind a gateway", func(c *config.Config, f *Facts) {
			c.Services[0].Mode, c.Services[0].Backends = config.DSRL2, []netip.AddrPort{netip.MustParseAddrPort("198.18.9.11:80")}
			f.Routed = c.DirectBackends()
		}, "direct backends: backend 198.18.9.11 is not reached directly on backend0"},
		{"a backend with a tunnel behind a gateway", func(c *config.Config, f *Facts) {
			c.Services[0].Mode, c.Services[0].Backends = config.DSRIPIP, []netip.AddrPort{netip.MustParseAddrPort("198.18.9.11:80")}
		}, ""},
		{"a backend with a tunnel that no route leads to", func(c *config.Config, f *Facts) {
			c.Services[0].Mode, c.Services[0].Backends = config.DSRIPIP, []netip.AddrPort{netip.MustParseAddrPort("198.18.9.11:80")}
			f.Unrouted = c.TunnelBackends()
		}, "tunnel backends: backend 198.18.9.11 is not reached by backend0"},
		{"tunnels without a source", func(c *config.Config, f *Facts) {
			c.Services[0].Mode, c.Services[0].VIP = config.DSRIPIP, addr("2001:2::100")
			c.Services[0].Backends = []netip.AddrPort{netip.MustParseAddrPort("[2001:2:0:1::11]:80")}
			f.Links[1].Addresses = append(f.Links[1].Addresses, addr("fe80::1"))
		}, "tunnel backends: service web: backend0 has no address of the family of the backend 2001:2:0:1::11"},
		{"tunnels of the other family", func(c *config.Config, f *Facts) {
			c.Services[0].Mode, c.Services[0].VIP = config.DSRIPIP, addr("2001:2::100")
			c.Services[0].Backends = []netip.AddrPort{netip.MustParseAddrPort("198.18.1.11:80")}
			f.Links[0].MTU, f.Links[1].MTU = 1300, 1300
		}, ""},
		{"tunnels of the other family without a source", func(c *config.Config, f *Facts) {
			c.Services[0].Mode = config.DSRIPIP
			c.Services[0].Backends = []netip.AddrPort{netip.MustParseAddrPort("[2001:2:0:1::11]:80")}
		}, "tunnel backends: service web: backend0 has no address of the family of the backend 2001:2:0:1::11"},
		{"a tunnel too narrow for IPv6 in IPv4", func(c *config.Config, f *Facts) {
			c.Services[0].Mode, c.Services[0].VIP = config.DSRIPIP, addr("2001:2::100")
			c.Services[0].Backends = []netip.AddrPort{netip.MustParseAddrPort("198.18.1.11:80")}
			f.Links[0].MTU, f.Links[1].MTU = 1299, 1299
		}, "tunnel backends: service web: backend0 has an MTU of 1299, which leaves 1279 inside an outer header for 198.18.1.11; IPv6 needs 1280 (RFC 8200 5): give it at least 1300"},
		{"a tunnel too narrow for IPv6 in IPv6", func(c *config.Config, f *Facts) {
			c.Services[0].Mode, c.Services[0].VIP = config.DSRIPIP, addr("2001:2::100")
			c.Services[0].Backends = []netip.AddrPort{netip.MustParseAddrPort("[2001:2:0:1::11]:80")}
			f.Links[0].MTU, f.Links[1].MTU = 1319, 1319
			f.Links[1].Addresses = append(f.Links[1].Addresses, addr("2001:2:0:1::1"))
		}, "give it at least 1320"},
		{"a tunnel of any width for IPv4", func(c *config.Config, f *Facts) {
			c.Services[0].Mode = config.DSRIPIP
			c.Services[0].Backends = []netip.AddrPort{netip.MustParseAddrPort("198.18.1.11:80")}
			f.Links[0].MTU, f.Links[1].MTU = 1000, 1000
		}, ""},
		{"no place for pins", func(c *config.Config, f *Facts) {
			c.Pin, f.Unpinnable = "/srv/pins", unpinnable("/proc/pins/of/lb1")
		}, "pin: /proc/pins/of/lb1 is not in a bpffs"},
		{"programs of another folder of pins", func(_ *config.Config, f *Facts) {
			f.LeftPins = []dataplane.LeftPins{{Dir: "/sys/fs/bpf/old", Links: []string{"client0"}}}
		}, "pins that are left: client0 still run programs that were pinned in /sys/fs/bpf/old"},
		{"a place for pins that nobody needs", func(_ *config.Config, f *Facts) { f.Unpinnable = "is not there" }, ""},
		{"links without XDP", func(c *config.Config, f *Facts) {
			c.Hook, f.Unattachable = config.HookXDP, "link client0 cannot send what XDP redirects to it"
		}, "dataplane: link client0 cannot send"},
		{"links that need no XDP", func(c *config.Config, f *Facts) {
			c.Hook, f.Attachment.Why = config.HookAuto, "link client0 is a veth"
		}, ""},
		{"a gateway that answers", func(c *config.Config, f *Facts) {
			c.Arbiter.Gateway, c.Arbiter.Source = routed("198.18.0.9"), routed("198.18.0.1")
		}, ""},
		{"a gateway that does not answer", func(c *config.Config, f *Facts) {
			c.Arbiter.Gateway, f.Unreached = routed("198.18.0.9"), "no echo reply within 1s"
		}, "gateway: arbiter.gateway: 198.18.0.9 does not answer: no echo reply within 1s"},
		{"a gateway that is probed from elsewhere", func(c *config.Config, f *Facts) {
			c.Arbiter.Gateway, c.Arbiter.Source = routed("198.18.0.9"), routed("198.18.0.77")
			f.Unreached = "cannot assign requested address"
		}, "gateway: arbiter.source: 198.18.0.77 is not an address of this host"},
		{"another program at the BFD port", func(_ *config.Config, f *Facts) { f.Busy["BFD"] = "udp :3784 is in use" }, "ports: BFD: udp :3784 is in use"},
	} {
		c, f := node("1"), host()
		tt.change(c, &f)
		if got := complaints(Host(c, f)); (got == "") != (tt.says == "") || !strings.Contains(got, tt.says) {
			t.Errorf("%s: said %q, want %q", tt.name, got, tt.says)
		}
	}
}

func routed(s string) config.Address { return config.Address{Addr: addr(s)} }

// ofEtcd and ofGateway give both nodes an arbiter and then change it.
func ofEtcd(change func(one, other *config.Arbiter)) func(one, other *config.Config) {
	a := config.Arbiter{Etcd: []string{"http://198.18.3.1:2379"}, Key: "/pair", Validity: config.Duration(3 * time.Second), Policy: config.PolicyFailClosed}
	return func(one, other *config.Config) {
		one.Arbiter, other.Arbiter = a, a
		change(&one.Arbiter, &other.Arbiter)
	}
}

func ofGateway(change func(one, other *config.Arbiter)) func(one, other *config.Config) {
	a := config.Arbiter{Gateway: routed("198.18.0.9"), Probe: config.ProbeICMP, Every: config.Duration(100 * time.Millisecond), Rise: 3, Fall: 3}
	return func(one, other *config.Config) {
		one.Arbiter, other.Arbiter = a, a
		change(&one.Arbiter, &other.Arbiter)
	}
}

func TestPreflightNamesDifferencesOfAPair(t *testing.T) {
	secret := func(text string) string {
		file := filepath.Join(t.TempDir(), "pair.secret")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	for _, tt := range []struct {
		name   string
		change func(one, other *config.Config)
		says   string
	}{
		{"nothing", func(_, _ *config.Config) {}, ""},
		{"the same file on both", func(one, other *config.Config) { *other = *one }, "lb1 expects lb2, and lb1 expects lb2"},
		{"a path to nowhere", func(_, other *config.Config) { other.BFD.Paths[0].Local = addr("198.18.0.3") }, "path clients: the peer has none from 198.18.0.2 to 198.18.0.1"},
		{"a path less", func(_, other *config.Config) { other.BFD.Paths = other.BFD.Paths[:1] }, "the number of paths"},
		{"another sync port", func(_, other *config.Config) {
			other.Sync.Local = netip.AddrPortFrom(other.Sync.Local.Addr(), 1)
		}, "sync: 198.18.2.1:3790 to 198.18.2.2:3790 here"},
		{"another timer", func(_, other *config.Config) { other.BFD.TX = config.Duration(time.Second) }, "bfd.tx is 50ms here and 1s at the peer"},
		{"an arbiter on one", ofEtcd(func(_, other *config.Arbiter) { *other = config.Arbiter{} }), "the peer's arbiter: the arbiter is etcd here and none at the peer"},
		{"an arbiter of two kinds", ofEtcd(func(_, other *config.Arbiter) { *other = config.Arbiter{Gateway: routed("198.18.0.9")} }), "the arbiter is etcd here and gateway at the peer"},
		{"one arbiter", ofEtcd(func(_, _ *config.Arbiter) {}), ""},
		{"another policy", ofEtcd(func(_, other *config.Arbiter) { other.Policy = config.PolicyKeepServing }), "arbiter.policy is fail-closed here and keep-serving at the peer"},
		{"another key", ofEtcd(func(_, other *config.Arbiter) { other.Key = "/other" }), "arbiter.key is /pair here and /other at the peer"},
		{"another validity", ofEtcd(func(_, other *config.Arbiter) { other.Validity *= 2 }), "arbiter.validity is 3s here and 6s at the peer"},
		{"two clusters", ofEtcd(func(_, other *config.Arbiter) { other.Etcd = []string{"http://198.18.4.1:2379"} }), "arbiter.etcd: no member of"},
		{"two members of one cluster", ofEtcd(func(_, other *config.Arbiter) { other.Etcd = append([]string{"http://198.18.4.1:2379"}, other.Etcd...) }), ""},
		{"one gateway, from two sources", ofGateway(func(one, other *config.Arbiter) {
			one.Source, other.Source = routed("198.18.0.1"), routed("198.18.0.2")
		}), ""},
		{"another gateway", ofGateway(func(_, other *config.Arbiter) { other.Gateway = routed("198.18.0.8") }), "arbiter.gateway is 198.18.0.9 here and 198.18.0.8 at the peer"},
		{"a gateway probed more seldom", ofGateway(func(_, other *config.Arbiter) { other.Every *= 2 }), "arbiter.every is 100ms here and 200ms at the peer"},
		{"a gateway that rises later", ofGateway(func(_, other *config.Arbiter) { other.Rise++ }), "arbiter.rise is 3 here and 4 at the peer"},
		{"a gateway that falls later", ofGateway(func(_, other *config.Arbiter) { other.Fall++ }), "arbiter.fall is 3 here and 4 at the peer"},
		{"another service", func(_, other *config.Config) { other.Services[0].Port.First = 81 }, "the peer's services: services is"},
		{"another table", func(one, _ *config.Config) { one.MaxFlows = 7 }, "max_flows is 7 here and 0"},
		{"two equals that preempt", func(one, _ *config.Config) { one.HA.Preempt = config.PreemptAfterSync }, "one must be preferred"},
		{"a secret on one", func(one, _ *config.Config) { one.BFD.Secret = secret("a") }, "bfd.secret is set on only one node"},
		{"two secrets", func(one, other *config.Config) { one.BFD.Secret, other.BFD.Secret = secret("a"), secret("b") }, "differ"},
	} {
		one, other := node("1"), node("2")
		tt.change(one, other)
		if got := complaints(Pair(one, other)); (got == "") != (tt.says == "") || !strings.Contains(got, tt.says) {
			t.Errorf("%s: said %q, want %q", tt.name, got, tt.says)
		}
	}
}
