package config

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"baton/impl/daemon/pki"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

const good = `node: lb1
peer: lb2
links: {client: client0, backend: backend0}
bfd:
  tx: 50ms
  rx: 50ms
  mult: 3
  paths:
    - {name: clients, link: client0, local: 198.18.0.1, peer: 198.18.0.2}
    - {name: sync, link: sync0, local: 198.18.2.1, peer: 198.18.2.2}
ha:
  hold: 500ms
  preempt: never
  gates: on
  announce: after-install
  priority: 150
sync:
  local: 198.18.2.1:3790
  peer: 198.18.2.2:3790
  ca: ca.crt
  cert: lb1.crt
  key: lb1.key
snat_ports: 20000-59999
services:
  - name: web
    proto: tcp
    vip: 198.18.0.100
    port: 80
    mode: fullnat
    balance: rr
    snat: 198.18.1.100
    backends: [198.18.1.11:80, 198.18.1.12:80]
  - name: dns
    proto: udp
    vip: 198.18.0.100
    port: 53
    mode: dnat
    snat: 198.18.1.100
    backends:
      - 198.18.1.11:53
control: lb1.sock
metrics: 127.0.0.1:9100
`

// folder returns a folder with certificates for lb1 and lb2.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := pki.Init(dir, "lb1", "lb2"); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestLoad(t *testing.T) {
	dir := folder(t)
	file := filepath.Join(dir, "lb1.yaml")
	if err := os.WriteFile(file, []byte(good), 0o644); err != nil {
		t.Fatal(err)
	}
	cfg, err := Load(file, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := cfg.Sync.Cert, filepath.Join(dir, "lb1.crt"); got != want {
		t.Errorf("sync.cert = %q, want %q: relative paths count from the file's folder", got, want)
	}
	if cfg.Control != filepath.Join(dir, "lb1.sock") {
		t.Errorf("control = %q, want it in the file's folder", cfg.Control)
	}
	if got := cfg.BFD.Detect(); got != 150*time.Millisecond {
		t.Errorf("Detect = %v, want 150ms", got)
	}
	web := flow.Service{VIP: flow.IPv4(198, 18, 0, 100), Port: 80, Proto: flow.TCP}
	dns := flow.Service{VIP: flow.IPv4(198, 18, 0, 100), Port: 53, Proto: flow.UDP}
	want := dataplane.Config{
		ClientLink: "client0", BackendLink: "backend0",
		Services: []dataplane.Service{
			{Service: web, Name: "web", Mode: dataplane.FullNAT, Balance: dataplane.RoundRobin, SNAT: flow.IPv4(198, 18, 1, 100),
				Backends: []dataplane.Backend{{Addr: flow.IPv4(198, 18, 1, 11), Port: 80}, {Addr: flow.IPv4(198, 18, 1, 12), Port: 80}}},
			{Service: dns, Name: "dns", Mode: dataplane.DNAT, Balance: dataplane.RoundRobin, SNAT: flow.IPv4(198, 18, 1, 100),
				Backends: []dataplane.Backend{{Addr: flow.IPv4(198, 18, 1, 11), Port: 53}}},
		},
		VIPs: []dataplane.VIP{
			{Addr: netip.MustParseAddr("198.18.0.100"), Link: "client0"},
			{Addr: netip.MustParseAddr("198.18.1.100"), Link: "backend0"},
		},
		SNATPorts: dataplane.PortRange{First: 20000, Last: 39999},
		SNATPeer:  dataplane.PortRange{First: 40000, Last: 59999},
		Timeouts:  dataplane.DefaultTimeouts(),
	}
	if diff := cmp.Diff(want, cfg.Dataplane(), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("Dataplane (-want +got):\n%s", diff)
	}
}

func TestTheTwoNodesOpenFlowsFromDisjointPorts(t *testing.T) {
	one, two := Default(), Default()
	one.Node, one.Peer, two.Node, two.Peer = "lb1", "lb2", "lb2", "lb1"
	a, b := one.SNATHalf(), two.SNATHalf()
	if a.First != 20000 || b.Last != 59999 || a.Last+1 != b.First {
		t.Errorf("halves %v and %v, want two that join into 20000-59999", a, b)
	}
	if of, by := one.Dataplane(), two.Dataplane(); of.SNATPeer != by.SNATPorts || by.SNATPeer != of.SNATPorts {
		t.Errorf("the nodes take %v and %v for the other's half, which are %v and %v", of.SNATPeer, by.SNATPeer, by.SNATPorts, of.SNATPorts)
	}
}

func TestMarshalWritesWhatLoadReads(t *testing.T) {
	dir := folder(t)
	_, cfg, err := parse(filepath.Join(dir, "lb1.yaml"), []byte(good), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range []struct {
		name   string
		change func(*Config)
	}{
		{"as it is", func(*Config) {}},
		{"without what is optional", func(c *Config) { c.Metrics = "" }},
		{"with what is rare", func(c *Config) { c.MaxFlows = 5000; c.Timeouts.Assured = Duration(time.Minute) }},
		{"with unsafe settings", func(c *Config) {
			c.HA.Preempt, c.HA.Gates, c.HA.Announce = PreemptImmediate, GatesOff, AnnounceBeforeInstall
		}},
	} {
		t.Run(change.name, func(t *testing.T) {
			want := *cfg
			change.change(&want)
			text, err := want.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			_, got, err := parse(filepath.Join(dir, "lb1.yaml"), text, Options{AllowUnsafe: true})
			if err != nil {
				t.Fatalf("%v in what Marshal wrote:\n%s", err, text)
			}
			if diff := cmp.Diff(&want, got, cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})); diff != "" {
				t.Errorf("after writing and reading (-want +got):\n%s\n%s", diff, text)
			}
		})
	}
}

// TestInvalidConfigurationsAreRefused replaces one part of the good file and pins the whole message.
func TestInvalidConfigurationsAreRefused(t *testing.T) {
	dir := folder(t)
	if err := os.WriteFile(filepath.Join(dir, "garbage.crt"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		rule     string
		old, new string
		line     int
		text     string // "DIR" stands for the file's folder
	}{
		// The shape of the file.
		{"not YAML", "tx: 50ms", "tx: [50ms", 6, `not YAML: did not find expected ',' or ']'`},
		{"tab", "  tx: 50ms", "\ttx: 50ms", 5, `not YAML: found character that cannot start any token`},
		{"second document", "control: lb1.sock", "---\ncontrol: lb1.sock", 42, `a second document; a configuration file holds one`},
		{"unknown key", "priority: 150", "prio: 150", 16, `ha.prio is not a key; use hold, preempt, gates, announce, announce_every, announce_rate or priority`},
		{"misspelt key", "priority: 150", "prioritty: 150", 16, `ha.prioritty is not a key; did you mean ha.priority?`},
		{"misspelt nested key", "  preempt: never", "  preemt: never", 13, `ha.preemt is not a key; did you mean ha.preempt?`},
		{"misspelt key of a list's item", "    balance: rr", "    balanse: rr", 30, `services[0].balanse is not a key; did you mean services[0].balance?`},
		{"key twice", "peer: lb2", "peer: lb2\npeer: lb3", 3, `peer is given twice; line 2 has it already`},
		{"missing key", "peer: lb2\n", "", 1, `peer is missing; add the other node's id, such as lb2`},
		{"missing nested key", good[strings.Index(good, "  paths:"):strings.Index(good, "ha:")], "", 5, `bfd.paths is missing; add at least one path: name, link, local and peer`},
		{"missing key of a list's item", "    mode: fullnat\n", "", 25, `services[0].mode is missing; add fullnat, dnat, dsr-l2 or dsr-ipip`},
		{"missing certificate key", "  cert: lb1.crt\n", "", 18, `sync.cert is missing; add the file of this node's certificate`},
		{"scalar for keys", "links: {client: client0, backend: backend0}", "links: client0", 3, `links: needs keys and values (client, backend), this is "client0"`},
		{"nothing for keys", "links: {client: client0, backend: backend0}", "links:", 3, `links: needs keys and values (client, backend), this is empty`},
		{"scalar for a list", "backends: [198.18.1.11:80, 198.18.1.12:80]", "backends: 198.18.1.11:80", 32, `services[0].backends: needs a list, this is "198.18.1.11:80"`},
		{"list for a scalar", "priority: 150", "priority: [150]", 16, `ha.priority: needs a single value, this is a list`},
		{"nothing for a scalar", "priority: 150", "priority:", 16, `ha.priority: needs a single value, this is empty`},

		// Scalars.
		{"unknown policy", "preempt: never", "preempt: allways", 13, `ha.preempt: "allways" is not a policy; use never or after-sync`},
		{"unknown setting", "gates: on", "gates: maybe", 14, `ha.gates: "maybe" is not a setting; use on`},
		{"unknown protocol", "proto: udp", "proto: dccp", 34, `services[1].proto: "dccp" is not a protocol; use tcp, udp or sctp`},
		{"an association that moves", "proto: tcp", "proto: sctp\n    check: {on_down: move}", 27, `services[0].check.on_down: "move" is not possible for sctp: no other backend knows the connection; use keep`},
		{"a check by tcp of sctp's port", "proto: tcp", "proto: sctp\n    check: {type: http}", 27, `services[0].check.port: is missing; the backends' own port is one of sctp, so a check of type http needs another one to probe`},
		{"unknown mode", "mode: dnat", "mode: tunnel", 37, `services[1].mode: "tunnel" is not a mode; use fullnat, dnat, dsr-l2 or dsr-ipip`},
		{"unknown balance", "balance: rr", "balance: random", 30, `services[0].balance: "random" is not a way to choose a backend; use rr, maglev or least-conn`},
		{"no unit", "tx: 50ms", "tx: 50", 5, `bfd.tx: "50" has no unit; write it as 50ms or 50s (RFC 5880 4.1)`},
		{"bad unit", "tx: 50ms", "tx: 50msec", 5, `bfd.tx: "50msec" has no unit that is known; use ns, us, ms, s, m or h, as in 50ms (RFC 5880 4.1)`},
		{"not a duration", "hold: 500ms", "hold: soon", 12, `ha.hold: "soon" is not a duration; write it as 50ms`},
		{"not a number", "mult: 3", "mult: three", 7, `bfd.mult: "three" is not a whole number up to 255 (RFC 5880 6.8.1)`},
		{"number too large", "mult: 3", "mult: 256", 7, `bfd.mult: "256" is not a whole number up to 255 (RFC 5880 6.8.1)`},
		{"not an address", "local: 198.18.0.1,", "local: lb1,", 9, `bfd.paths[0].local: "lb1" is not an IP address; write it as 198.18.0.1 or 2001:2::1`},
		{"VIP of another family", "vip: 198.18.0.100\n    port: 53", "vip: 2001:2::64\n    port: 53", 38, `services[1].snat: 198.18.1.100 is not of the family of the VIP 2001:2::64; a service is of IPv4 or of IPv6, and a node may have both kinds; only the backends of dsr-ipip may be of the other family`},
		{"backend of another family", "      - 198.18.1.11:53", "      - \"[2001:2:0:1::b]:53\"", 40, `services[1].backends[0]: 2001:2:0:1::b is not of the family of the VIP 198.18.0.100; a service is of IPv4 or of IPv6, and a node may have both kinds; only the backends of dsr-ipip may be of the other family`},
		{"VIP of one link", "vip: 198.18.0.100\n    port: 53", "vip: fe80::64\n    port: 53", 35, `services[1].vip: fe80::64 is valid on one link only; use a routed address`},
		{"IPv4-mapped address", "vip: 198.18.0.100\n    port: 53", "vip: ::ffff:198.18.0.100\n    port: 53", 35, `services[1].vip: "::ffff:198.18.0.100" is an IPv4-mapped address; write it as 198.18.0.100`},
		{"peer of another family", "peer: 198.18.0.2}", "peer: \"2001:2::2\"}", 9, `bfd.paths[0].peer: 2001:2::2 and 198.18.0.1 are of different families; both ends of a path need the same (RFC 5881 2)`},
		{"sync with another family", "peer: 198.18.2.2:3790", "peer: \"[2001:2:0:2::2]:3790\"", 19, `sync.peer: 2001:2:0:2::2 is not of the family of 198.18.2.1`},
		{"address without port", "local: 198.18.2.1:3790", "local: 198.18.2.1", 18, `sync.local: "198.18.2.1" is not an IP address and port; write it as 198.18.2.1:3790 or [2001:2::1]:3790`},
		{"not a range", "snat_ports: 20000-59999", "snat_ports: 20000", 23, `snat_ports: "20000" is not a range of ports; write it as 20000-59999`},

		// The node.
		{"id is not a label", "node: lb1", "node: LB_1", 1, `node: "LB_1" is not a node id; use lower-case letters, digits and dashes, as in lb1`},
		{"node is its peer", "peer: lb2", "peer: lb1", 2, `peer: "lb1" is this node itself; name the other one`},
		{"announcements too fast", "priority: 150", "announce_every: 10us", 16, `ha.announce_every: 10µs is out of range; use 100µs to 100ms`},
		{"no announcements", "priority: 150", "announce_rate: 0", 16, `ha.announce_rate: 0 is out of range; use 1 to 1000 frames a second`},
		{"priority out of range", "priority: 150", "priority: 0", 16, `ha.priority: 0 is out of range; use 1 to 254`},
		{"priority of an owner", "priority: 150", "priority: 255", 16, `ha.priority: 255 is out of range; use 1 to 254`},
		{"one link for both sides", "backend: backend0", "backend: client0", 3, `links.backend: "client0" is the client link too; the two links must be two interfaces`},
		{"interface name too long", "client: client0", "client: client0123456789", 3, `links.client: "client0123456789" is not an interface name; use 1 to 15 characters without space, slash or colon`},
		{"metrics without address", "metrics: 127.0.0.1:9100", "metrics: 9100", 42, `metrics: "9100" is not an address and port; write it as 127.0.0.1:9100`},
		{"no control socket", "control: lb1.sock", `control: ""`, 41, `control: is empty; give the path of the control socket, such as /run/baton/lb1.sock`},

		// BFD.
		{"interval of 0", "tx: 50ms", "tx: 0s", 5, `bfd.tx: 0s is out of range; use 1ms to 1h11m34.967295s (RFC 5880 4.1)`},
		{"interval beyond 32 bits", "rx: 50ms", "rx: 72m", 6, `bfd.rx: 1h12m0s is out of range; use 1ms to 1h11m34.967295s (RFC 5880 4.1)`},
		{"negative interval", "tx: 50ms", "tx: -50ms", 5, `bfd.tx: -50ms is out of range; use 1ms to 1h11m34.967295s (RFC 5880 4.1)`},
		{"interval finer than a microsecond", "tx: 50ms", "tx: 50000100ns", 5, `bfd.tx: 50.0001ms is finer than BFD counts; use whole microseconds, such as 50ms (RFC 5880 4.1)`},
		{"multiplier of 0", "mult: 3", "mult: 0", 7, `bfd.mult: 0 is out of range; use 1 to 255 (RFC 5880 6.8.1)`},
		{"path to itself", "peer: 198.18.2.2}", "peer: 198.18.2.1}", 10, `bfd.paths[1].peer: 198.18.2.1 is the local address; give the peer's`},
		{"two paths of one name", "name: sync,", "name: clients,", 10, `bfd.paths[1].name: "clients" names the path on line 9 too; paths need names of their own`},
		{"one session twice", "link: sync0, local: 198.18.2.1, peer: 198.18.2.2", "link: client0, local: 198.18.0.1, peer: 198.18.0.2", 10,
			`bfd.paths[1]: collides with the path on line 9: both are with 198.18.0.2 on client0 (RFC 5881 3)`},
		{"multicast peer", "peer: 198.18.0.2}", "peer: 224.0.0.18}", 9, `bfd.paths[0].peer: 224.0.0.18 is not an address of a host; use a unicast address`},

		// HA.
		{"hold shorter than detection", "hold: 500ms", "hold: 100ms", 12,
			`ha.hold: 100ms is shorter than the detection time 150ms (bfd.mult × the slower of tx and rx); use at least 150ms`},
		{"detection made longer than the hold", "mult: 3", "mult: 20", 12,
			`ha.hold: 500ms is shorter than the detection time 1s (bfd.mult × the slower of tx and rx); use at least 1s`},
		{"gates off", "gates: on", "gates: off", 14, `ha.gates: "off" is unsafe: it brings a known bug back, for tests; use on, or start with --allow-unsafe`},
		{"preempt immediate", "preempt: never", "preempt: immediate", 13, `ha.preempt: "immediate" is unsafe: it brings a known bug back, for tests; use never or after-sync, or start with --allow-unsafe`},
		{"announce before install", "announce: after-install", "announce: before-install", 15, `ha.announce: "before-install" is unsafe: it brings a known bug back, for tests; use after-install, or start with --allow-unsafe`},

		// What is tracked.
		{"probes without a pause", "control: lb1.sock", "control: lb1.sock\ntrack: {every: 1ms}", 42, `track.every: 1ms is out of range; use 10ms to 1m0s`},
		{"no probe loses a target", "control: lb1.sock", "control: lb1.sock\ntrack: {misses: 0}", 42, `track.misses: 0 is out of range; use 1 to 255`},
		{"target twice", "control: lb1.sock", "control: lb1.sock\ntrack:\n  targets:\n    - 198.18.1.11\n    - 198.18.1.11", 45, `track.targets[1]: 198.18.1.11 is the target on line 44 already`},
		{"target that is no host", "control: lb1.sock", "control: lb1.sock\ntrack: {targets: [224.0.0.18]}", 42, `track.targets[0]: 224.0.0.18 is not an address of a host; use a unicast address`},
		{"target that is a VIP", "control: lb1.sock", "control: lb1.sock\ntrack: {targets: [198.18.0.100]}", 42, `track.targets[0]: 198.18.0.100 is the VIP of service dns (line 35), which the MASTER itself answers for; track hosts`},

		// The arbiter.
		{"arbiter that is no URL", "control: lb1.sock", "control: lb1.sock\narbiter: {etcd: [\"198.18.3.1:2379\"]}", 42, `arbiter.etcd[0]: "198.18.3.1:2379" is not a URL of a member; write it as http://198.18.3.1:2379`},
		{"arbiter that is no host", "control: lb1.sock", "control: lb1.sock\narbiter: {etcd: [\"http://\"]}", 42, `arbiter.etcd[0]: "http://" is not a URL of a member; write it as http://198.18.3.1:2379`},
		{"arbiter of another scheme", "control: lb1.sock", "control: lb1.sock\narbiter: {etcd: [\"ftp://198.18.3.1:2379\"]}", 42, `arbiter.etcd[0]: "ftp://198.18.3.1:2379" is not a URL of a member; write it as http://198.18.3.1:2379`},
		{"validity without an arbiter", "control: lb1.sock", "control: lb1.sock\narbiter: {validity: 1s}", 42, `arbiter.validity: is given without arbiter.etcd; name the cluster's members, such as http://198.18.3.1:2379`},
		{"validity too short", "control: lb1.sock", "control: lb1.sock\narbiter: {etcd: [\"http://198.18.3.1:2379\"], validity: 200ms}", 42, `arbiter.validity: 200ms is shorter than twice the detection time; use at least 300ms`},
		{"https without an authority", "control: lb1.sock", "control: lb1.sock\narbiter: {etcd: [\"https://198.18.3.1:2379\"]}", 42, `arbiter.etcd: has an https member and arbiter.ca is missing; name the file of the authority that signed etcd's certificate`},
		{"an arbiter's authority that is not there", "control: lb1.sock", "control: lb1.sock\narbiter: {etcd: [\"https://198.18.3.1:2379\"], ca: none.crt}", 42, `arbiter.ca: DIR/none.crt does not exist; name the file of the authority's certificate`},
		{"an arbiter's authority that is no certificate", "control: lb1.sock", "control: lb1.sock\narbiter: {etcd: [\"https://198.18.3.1:2379\"], ca: garbage.crt}", 42, `arbiter.ca: DIR/garbage.crt holds no PEM certificate; name the authority's`},
		{"a certificate for the arbiter that is not there", "control: lb1.sock", "control: lb1.sock\narbiter: {etcd: [\"https://198.18.3.1:2379\"], ca: ca.crt, cert: none.crt, key_file: lb1.key}", 42, `arbiter.cert: DIR/none.crt does not exist; name the file of the certificate`},
		{"a key for the arbiter of another certificate", "control: lb1.sock", "control: lb1.sock\narbiter: {etcd: [\"https://198.18.3.1:2379\"], ca: ca.crt, cert: lb1.crt, key_file: lb2.key}", 42, `arbiter.key_file: DIR/lb2.key is not the key of DIR/lb1.crt; name the key that belongs to it`},
		{"certificate without its key", "control: lb1.sock", "control: lb1.sock\narbiter: {etcd: [\"http://198.18.3.1:2379\"], cert: lb1.crt}", 42, `arbiter: has one of cert and key_file; give both, or neither`},
		{"two arbiters", "control: lb1.sock", "control: lb1.sock\narbiter: {etcd: [\"http://198.18.3.1:2379\"], gateway: 198.18.0.1}", 42, `arbiter.gateway: is given beside arbiter.etcd; a pair has one arbiter`},
		{"probe without a gateway", "control: lb1.sock", "control: lb1.sock\narbiter: {every: 1s}", 42, `arbiter.every: is given without arbiter.gateway; name the host, such as 198.18.0.1`},
		{"validity of a gateway", "control: lb1.sock", "control: lb1.sock\narbiter: {gateway: 198.18.0.1, validity: 1s}", 42, `arbiter.validity: belongs to arbiter.etcd; a gateway has probe, port, source, every, rise and fall`},
		{"gateway that is this node", "control: lb1.sock", "control: lb1.sock\narbiter: {gateway: 198.18.2.1}", 42, `arbiter.gateway: 198.18.2.1 is sync.local (line 18); name a third host`},
		{"gateway that is the peer", "control: lb1.sock", "control: lb1.sock\narbiter: {gateway: 198.18.2.2}", 42, `arbiter.gateway: 198.18.2.2 is sync.peer (line 19); name a third host`},
		{"gateway that is a VIP", "control: lb1.sock", "control: lb1.sock\narbiter: {gateway: 198.18.0.100}", 42, `arbiter.gateway: 198.18.0.100 is the VIP of service dns (line 35), which the MASTER itself answers for; name a third host`},
		{"gateway that is no host", "control: lb1.sock", "control: lb1.sock\narbiter: {gateway: 224.0.0.18}", 42, `arbiter.gateway: 224.0.0.18 is not an address of a host; use a unicast address`},
		{"source of another family", "control: lb1.sock", "control: lb1.sock\narbiter: {gateway: 198.18.0.1, source: \"2001:2::1\"}", 42, `arbiter.source: 2001:2::1 is not of the family of the gateway 198.18.0.1`},
		{"source that is a VIP", "control: lb1.sock", "control: lb1.sock\narbiter: {gateway: 198.18.0.3, source: 198.18.0.100}", 42, `arbiter.source: 198.18.0.100 is the VIP of service dns (line 35), which only the MASTER has; use an address of this node`},
		{"tcp without a port", "control: lb1.sock", "control: lb1.sock\narbiter: {gateway: 198.18.0.3, probe: tcp}", 42, `arbiter.probe: tcp needs arbiter.port; give one that the gateway answers on, if only by a refusal`},
		{"no such probe", "control: lb1.sock", "control: lb1.sock\narbiter: {gateway: 198.18.0.3, probe: arp}", 42, `arbiter.probe: "arp" is not a probe; use icmp or tcp`},
		{"no miss loses the gateway", "control: lb1.sock", "control: lb1.sock\narbiter: {gateway: 198.18.0.3, fall: 0}", 42, `arbiter.fall: 0 is out of range; use 1 to 255`},
		{"policy without an arbiter", "control: lb1.sock", "control: lb1.sock\narbiter: {policy: keep-serving}", 42, `arbiter.policy: is given without arbiter.etcd; name the cluster's members, such as http://198.18.3.1:2379`},
		{"ping to a port", "control: lb1.sock", "control: lb1.sock\narbiter: {gateway: 198.18.0.3, port: 179}", 42, `arbiter.port: is given for probe icmp, which has no ports; use probe: tcp, or leave it out`},
		{"gateway probed without a pause", "control: lb1.sock", "control: lb1.sock\narbiter: {gateway: 198.18.0.3, every: 1ms}", 42, `arbiter.every: 1ms is out of range; use 10ms to 1m0s`},
		{"gateway probed every other hour", "control: lb1.sock", "control: lb1.sock\narbiter: {gateway: 198.18.0.3, every: 2h}", 42, `arbiter.every: 2h0m0s is out of range; use 10ms to 1m0s`},
		{"no answer brings the gateway back", "control: lb1.sock", "control: lb1.sock\narbiter: {gateway: 198.18.0.3, rise: 0}", 42, `arbiter.rise: 0 is out of range; use 1 to 255`},
		{"source that is no host", "control: lb1.sock", "control: lb1.sock\narbiter: {gateway: 198.18.0.3, source: 224.0.0.18}", 42, `arbiter.source: 224.0.0.18 is not an address of a host; use a unicast address`},
		{"gateway that is a SNAT address", "control: lb1.sock", "control: lb1.sock\narbiter: {gateway: 198.18.1.100}", 42, `arbiter.gateway: 198.18.1.100 is a SNAT address of service web (line 31), which the MASTER itself answers for; name a third host`},
		{"gateway that is tracked", "control: lb1.sock", "control: lb1.sock\ntrack: {targets: [198.18.0.3]}\narbiter: {gateway: 198.18.0.3}", 43, `arbiter.gateway: 198.18.0.3 is tracked too; leave it out of track.targets`},
		{"key with white space", "control: lb1.sock", "control: lb1.sock\narbiter: {etcd: [\"http://198.18.3.1:2379\"], key: a b}", 42, `arbiter.key: "a b" holds white space; use a path, such as /baton/lb1+lb2/alone`},

		// Checks of backends.
		{"checks without a pause", "control: lb1.sock", "control: lb1.sock\ncheck: {type: port, interval: 1ms}", 42, `check.interval: 1ms is out of range; use 10ms to 1h0m0s`},
		{"a timeout of more than half", "balance: rr", "balance: rr\n    check: {type: port, timeout: 600ms}", 31, `services[0].check.timeout: 600ms is out of range; use at most half of the interval, 500ms`},
		{"no failure takes a backend down", "balance: rr", "balance: rr\n    check: {fall: 0}", 31, `services[0].check.fall: 0 is out of range; use 1 to 255`},
		{"unknown check", "balance: rr", "balance: rr\n    check: {type: pong}", 31, `services[0].check.type: "pong" is not a check; use none, port, tcp, sctp, http, https, grpc, grpcs, icmp or script`},
		{"a script without one", "balance: rr", "balance: rr\n    check: {type: script}", 31, `services[0].check.command: is missing; a check of type script needs program and arguments, as in [/usr/local/bin/check, fast]`},
		{"a path without a slash", "balance: rr", "balance: rr\n    check: {type: http, path: health}", 31, `services[0].check.path: "health" is not a path: it begins with /`},
		{"a path with a space", "balance: rr", "balance: rr\n    check: {type: https, path: /a b}", 31, `services[0].check.path: "/a b" is not a path: write %20 for a space`},
		{"a path with half an escape", "balance: rr", "balance: rr\n    check: {type: http, path: /100%}", 31, `services[0].check.path: "/100%" is not a path: invalid URL escape "%"`},
		{"a path with a fragment", "balance: rr", "balance: rr\n    check: {type: http, path: '/a#b'}", 31, `services[0].check.path: "/a#b" is not a path: a fragment (#) is not sent; write %23 for the character`},
		{"a host that is a URL", "balance: rr", "balance: rr\n    check: {type: http, host: 'http://example.org'}", 31, `services[0].check.host: "http://example.org" is not a host, with or without a port, such as www.example.org or www.example.org:8080`},
		{"a host with a space", "balance: rr", "balance: rr\n    check: {type: grpcs, host: 'www example'}", 31, `services[0].check.host: "www example" is not a host, with or without a port, such as www.example.org or www.example.org:8080`},
		{"a script that is not there", "balance: rr", "balance: rr\n    check: {type: script, command: [/no/such/file, fast]}", 31, `services[0].check.command: "/no/such/file" cannot be run: no such file or directory`},
		{"a script that is no program", "balance: rr", "balance: rr\n    check: {type: script, command: [/dev/null]}", 31, `services[0].check.command: "/dev/null" cannot be run: permission denied`},
		{"a program that PATH does not have", "balance: rr", "balance: rr\n    check: {type: script, command: [no-such-program]}", 31, `services[0].check.command: "no-such-program" cannot be run: executable file not found in $PATH`},
		{"a reset that nobody sends", "balance: rr", "balance: rr\n    check: {on_down: reset}", 31, `services[0].check.on_down: "reset" is not possible: the dataplane resets no connection that is open; use keep, and let clients time out`},
		{"a connection that moves", "balance: rr", "balance: rr\n    check: {on_down: move}", 31, `services[0].check.on_down: "move" is not possible for tcp: no other backend knows the connection; use keep`},
		{"an unknown refusal", "balance: rr", "balance: rr\n    check: {all_down: reset}", 31, `services[0].check.all_down: "reset" is not a policy; use silent or refuse`},
		{"no status", "balance: rr", "balance: rr\n    check: {status: 2xx}", 31, `services[0].check.status: "2xx" is not a range of HTTP statuses; write it as 200-399`},
		{"a weight too few", "balance: rr", "balance: rr\n    weights: [1]", 31, `services[0].weights: 1 weights for 2 backends; give one for each backend, in their order`},
		{"a weight of 0", "balance: rr", "balance: rr\n    weights: [1, 0]", 31, `services[0].weights[1]: 0 is out of range; use 1 to 100, and drain what is to get no new flows`},
		{"an affinity of no time", "balance: rr", "balance: rr\n    affinity: 0s", 31, `services[0].affinity: 0s is out of range; use 1s to 168h0m0s, or leave it out`},
		{"an affinity without its unit", "balance: rr", "balance: rr\n    affinity: 600", 31, `services[0].affinity: "600" has no unit; write it as 600ms or 600s`},

		// Sync and its certificates.
		{"sync with itself", "peer: 198.18.2.2:3790", "peer: 198.18.2.1:3791", 19, `sync.peer: 198.18.2.1 is the local address; give the peer's`},
		{"certificate does not exist", "cert: lb1.crt", "cert: lb9.crt", 21, `sync.cert: DIR/lb9.crt does not exist; name the file of the certificate`},
		{"authority is not a certificate", "ca: ca.crt", "ca: garbage.crt", 20, `sync.ca: DIR/garbage.crt holds no PEM certificate; name the authority's`},
		{"certificate of the peer", "cert: lb1.crt\n  key: lb1.key", "cert: lb2.crt\n  key: lb2.key", 21, `sync.cert: DIR/lb2.crt: names lb2, not lb1`},
		{"secret does not exist", "  mult: 3\n", "  mult: 3\n  secret: none\n", 8, `bfd.secret: DIR/none does not exist; name the file of the secret that both nodes share`},
		{"key of the peer", "key: lb1.key", "key: lb2.key", 22, `sync.key: DIR/lb2.key is not the key of DIR/lb1.crt; name the key that belongs to it`},
		{"version of the protocol that nobody speaks", "key: lb1.key", "key: lb1.key\n  version: 0", 23, `sync.version: 0 is not a version that this node speaks; use 1 to 8, or leave it out`},

		// The dataplane.
		{"range of one port", "snat_ports: 20000-59999", "snat_ports: 20000-20000", 23,
			`snat_ports: 20000-20000 is not a range that two nodes can share; use two or more ports from 1024 on, such as 20000-59999`},
		{"range backwards", "snat_ports: 20000-59999", "snat_ports: 59999-20000", 23,
			`snat_ports: 59999-20000 is not a range that two nodes can share; use two or more ports from 1024 on, such as 20000-59999`},
		{"negative capacity", "control: lb1.sock", "control: lb1.sock\nmax_flows: -1", 42, `max_flows: -1 is out of range; use 0 (the dataplane's own choice) to 268435456`},
		{"timeout of 0", "control: lb1.sock", "control: lb1.sock\ntimeouts: {assured: 0s}", 42, `timeouts.assured: 0s is out of range; use more than 0s`},

		// Services and their addresses.
		{"no services", good[strings.Index(good, "services:"):strings.Index(good, "control:")], "services: []\n", 24, `services: is empty; add at least one service`},
		{"service name twice", "name: dns", "name: web", 33, `services[1].name: "web" names the service on line 25 too; services need names of their own`},
		{"VIP, port and protocol twice", "proto: udp\n    vip: 198.18.0.100\n    port: 53", "proto: tcp\n    vip: 198.18.0.100\n    port: 80", 35,
			`services[1].vip: tcp 198.18.0.100:80 is the service on line 27 already; use another VIP or port`},
		{"port 0", "port: 53", "port: 0", 36, `services[1].port: 0 is out of range; use 1 to 65535`},
		{"port too large", "port: 53", "port: 70000", 36, `services[1].port: 70000 is out of range; use 1 to 65535`},
		{"port of a name", "port: 53", "port: domain", 36, `services[1].port: "domain" is neither a port nor a range of ports; write it as 80, 8000-8999 or any`},
		{"half a range", "port: 53", "port: 53-", 36, `services[1].port: "53-" is neither a port nor a range of ports; write it as 80, 8000-8999 or any`},
		{"range of ports backwards", "port: 53", "port: 8999-8000", 36, `services[1].port: 8999-8000 is backwards; write it as 8000-8999`},
		{"range from port 0", "port: 53", "port: 0-53", 36, `services[1].port: 0 is out of range; use 1 to 65535`},
		{"range beyond the last port", "port: 53", "port: 53-65536", 36, `services[1].port: 65536 is out of range; use 1 to 65535`},
		{"ranges that cross", "control: lb1.sock", "  - {name: low, proto: tcp, vip: 198.18.0.101, port: 8000-8999, mode: dnat, snat: 198.18.1.100, backends: [198.18.1.11:0]}\n" +
			"  - {name: high, proto: tcp, vip: 198.18.0.101, port: 8500-9500, mode: dnat, snat: 198.18.1.100, backends: [198.18.1.11:0]}\ncontrol: lb1.sock", 42,
			`services[3].port: tcp 198.18.0.101:8500-9500 overlaps tcp 198.18.0.101:8000-8999, service low on line 41; a range may lie within another one, but not cross it`},
		{"range twice", "control: lb1.sock", "  - {name: low, proto: tcp, vip: 198.18.0.101, port: any, mode: dnat, snat: 198.18.1.100, backends: [198.18.1.11:0]}\n" +
			"  - {name: high, proto: tcp, vip: 198.18.0.101, port: 1-65535, mode: dnat, snat: 198.18.1.100, backends: [198.18.1.11:0]}\ncontrol: lb1.sock", 42,
			`services[3].vip: tcp 198.18.0.101:any is the service on line 41 already; use another VIP or port`},
		{"range that others hide", "control: lb1.sock", "  - {name: both, proto: udp, vip: 198.18.0.100, port: 53-54, mode: dnat, snat: 198.18.1.100, backends: [198.18.1.11:0]}\n" +
			"  - {name: other, proto: udp, vip: 198.18.0.100, port: 54, mode: dnat, snat: 198.18.1.100, backends: [198.18.1.11:54]}\ncontrol: lb1.sock", 41,
			`services[2].port: no packet belongs to udp 198.18.0.100:53-54: other services have each of its ports, and the narrower one wins`},
		{"dnat of a range to one port", "port: 53", "port: 53-59", 40,
			`services[1].backends[0]: 198.18.1.11:53 has a port, and dnat over a range of ports keeps that of each packet; write it as 198.18.1.11:0`},
		{"backends that differ in keeping the port", "port: 80\n    mode: fullnat\n    balance: rr\n    snat: 198.18.1.100\n    backends: [198.18.1.11:80", "port: 80-89\n    mode: fullnat\n    balance: rr\n    snat: 198.18.1.100\n    backends: [198.18.1.11:0", 32,
			`services[0].backends[1]: 198.18.1.12:80 and 198.18.1.11:0 differ in whether the port of each packet is kept (port 0); all backends of a service must agree`},
		{"check without a port", "port: 53\n    mode: dnat\n    snat: 198.18.1.100\n    backends:\n      - 198.18.1.11:53", "port: any\n    mode: dnat\n    snat: 198.18.1.100\n    check: {type: tcp}\n    backends: [198.18.1.11:0]", 39,
			`services[1].check.port: is missing; the backends keep the port of each packet and have none of their own, so a check of type tcp needs one to probe`},
		{"check of the file without a port", "port: 53\n    mode: dnat\n    snat: 198.18.1.100\n    backends:\n      - 198.18.1.11:53\ncontrol: lb1.sock", "port: 53-59\n    mode: dnat\n    snat: 198.18.1.100\n    backends: [198.18.1.11:0]\ncontrol: lb1.sock\ncheck: {type: port}", 33,
			`services[1].check.port: is missing; the backends keep the port of each packet and have none of their own, so a check of type port needs one to probe`},
		{"no backends", "backends: [198.18.1.11:80, 198.18.1.12:80]", "backends: []", 32, `services[0].backends: is empty; add at least one backend, such as 198.18.1.11:80`},
		{"backend twice", "198.18.1.11:80, 198.18.1.12:80", "198.18.1.11:80, 198.18.1.11:80", 32, `services[0].backends[1]: 198.18.1.11:80 is the backend on line 32 already; name each backend once`},
		{"backend without port", "      - 198.18.1.11:53", "      - 198.18.1.11", 40, `services[1].backends[0]: "198.18.1.11" is not an IP address and port; write it as 198.18.1.11:80 or [2001:2:0:1::11]:80`},
		{"backend of port 0", "      - 198.18.1.11:53", "      - 198.18.1.11:0", 40, `services[1].backends[0]: 198.18.1.11:0 has no port; only a service of a range of ports can keep the port of each packet`},
		{"sync port 0", "local: 198.18.2.1:3790", "local: 198.18.2.1:0", 18, `sync.local: 198.18.2.1:0 has no port; write it as 198.18.2.1:3790 or [2001:2::1]:3790`},
		{"VIP is this node", "vip: 198.18.0.100\n    port: 53", "vip: 198.18.0.1\n    port: 53", 35, `services[1].vip: 198.18.0.1 is this node's address on path clients (line 9); a VIP must not be a host's address`},
		{"VIP is the peer", "vip: 198.18.0.100\n    port: 53", "vip: 198.18.0.2\n    port: 53", 35, `services[1].vip: 198.18.0.2 is the peer's address on path clients (line 9); a VIP must not be a host's address`},
		{"VIP is a backend", "vip: 198.18.0.100\n    port: 53", "vip: 198.18.1.12\n    port: 53", 35, `services[1].vip: 198.18.1.12 is a backend of service web (line 32); a VIP must not be a host's address`},
		{"no SNAT VIP", "    mode: dnat\n    snat: 198.18.1.100\n", "    mode: dnat\n", 33, `services[1].snat: is missing; add the backend-side VIP: source of fullnat flows, gateway of dnat backends`},
		{"SNAT VIP of direct backends", "    mode: dnat\n", "    mode: dsr-l2\n", 38, `services[1].snat: a service of mode dsr-l2 has no SNAT address: its backends answer clients directly; leave it out`},
		{"SNAT VIP of backends with a tunnel", "    mode: dnat\n", "    mode: dsr-ipip\n", 38, `services[1].snat: a service of mode dsr-ipip has no SNAT address: its backends answer clients directly; leave it out`},
		{"tunnel backend with another port", "    mode: dnat\n    snat: 198.18.1.100\n    backends:\n      - 198.18.1.11:53", "    mode: dsr-ipip\n    backends:\n      - 198.18.1.11:54", 39,
			`services[1].backends[0]: 198.18.1.11:54 has another port than the service, and dsr-ipip keeps that of each packet; write it as 198.18.1.11:53`},
		{"direct backend of another family", "    mode: dnat\n    snat: 198.18.1.100\n    backends:\n      - 198.18.1.11:53", "    mode: dsr-l2\n    backends:\n      - \"[2001:2:0:1::b]:53\"", 39,
			`services[1].backends[0]: 2001:2:0:1::b is not of the family of the VIP 198.18.0.100; a service is of IPv4 or of IPv6, and a node may have both kinds; only the backends of dsr-ipip may be of the other family`},
		{"tunnel backends of two families", "    mode: dnat\n    snat: 198.18.1.100\n    backends:\n      - 198.18.1.11:53", "    mode: dsr-ipip\n    backends:\n      - \"[2001:2:0:1::b]:53\"\n      - 198.18.1.11:53", 40,
			`services[1].backends[1]: 198.18.1.11 is not of the family of the service's first backend, 2001:2:0:1::b; the backends of a service are all of IPv4 or all of IPv6`},
		{"direct backend with another port", "    mode: dnat\n    snat: 198.18.1.100\n    backends:\n      - 198.18.1.11:53", "    mode: dsr-l2\n    backends:\n      - 198.18.1.11:54", 39,
			`services[1].backends[0]: 198.18.1.11:54 has another port than the service, and dsr-l2 keeps that of each packet; write it as 198.18.1.11:53`},
		{"direct backend of a range with a port", "port: 53\n    mode: dnat\n    snat: 198.18.1.100\n    backends:\n      - 198.18.1.11:53", "port: 53-59\n    mode: dsr-l2\n    backends:\n      - 198.18.1.11:53", 39,
			`services[1].backends[0]: 198.18.1.11:53 has a port, and dsr-l2 keeps that of each packet; write it as 198.18.1.11:0`},
		{"SNAT VIP is a backend", "snat: 198.18.1.100\n    backends:\n", "snat: 198.18.1.11\n    backends:\n", 38, `services[1].snat: 198.18.1.11 is a backend of service web (line 32); the backend-side VIP must not be a host's address`},
		{"SNAT VIP is a VIP", "snat: 198.18.1.100\n    backends:\n", "snat: 198.18.0.100\n    backends:\n", 38, `services[1].snat: 198.18.0.100 is the VIP of service dns (line 35); use another address, on the backend link`},
		{"pool of two families", "snat: 198.18.1.100\n    backends: [", "snat: 198.18.1.100\n    snat_pool: [2001:2::1]\n    backends: [", 32,
			`services[0].snat_pool[0]: 2001:2::1 is not of the family of the VIP 198.18.0.100; a service is of IPv4 or of IPv6, and a node may have both kinds; only the backends of dsr-ipip may be of the other family`},
		{"pool backwards", "snat: 198.18.1.100\n    backends: [", "snat: 198.18.1.100\n    snat_pool: [198.18.1.103-198.18.1.101]\n    backends: [", 32,
			`services[0].snat_pool[0]: 198.18.1.103-198.18.1.101 ends before it begins; write the lower address first`},
		{"pool with an address twice", "snat: 198.18.1.100\n    backends: [", "snat: 198.18.1.100\n    snat_pool:\n    - 198.18.1.101-198.18.1.104\n    - 198.18.1.104\n    backends: [", 34,
			`services[0].snat_pool[1]: 198.18.1.104 is a SNAT address on line 33 already; name each once`},
		{"pool with the first address", "snat: 198.18.1.100\n    backends: [", "snat: 198.18.1.100\n    snat_pool: [198.18.1.99-198.18.1.101]\n    backends: [", 32,
			`services[0].snat_pool[0]: 198.18.1.100 is a SNAT address on line 31 already; name each once`},
		{"pool too large", "snat: 198.18.1.100\n    backends: [", "snat: 198.18.1.100\n    snat_pool: [198.18.1.101-198.18.1.200]\n    backends: [", 32,
			`services[0].snat_pool[0]: with 198.18.1.101-198.18.1.200 the service has more than 16 SNAT addresses; use fewer`},
		{"pool with a backend", "snat: 198.18.1.100\n    backends: [", "snat: 198.18.1.100\n    snat_pool: [198.18.1.9-198.18.1.12]\n    backends: [", 32,
			`services[0].snat_pool: 198.18.1.11 is a backend of service web (line 33); the backend-side VIP must not be a host's address`},
		{"pool of words", "snat: 198.18.1.100\n    backends: [", "snat: 198.18.1.100\n    snat_pool: [198.18.1.101-x]\n    backends: [", 32,
			`services[0].snat_pool[0]: "x" is not an IP address; write it as 198.18.0.1 or 2001:2::1`},
		{"pool in dnat mode", "snat: 198.18.1.100\n    backends:\n", "snat: 198.18.1.100\n    snat_pool: [198.18.1.101]\n    backends:\n", 39,
			`services[1].snat_pool: a service of mode dnat sends with its clients' addresses; leave the pool out`},
		{"limit below zero", "    snat: 198.18.1.100\n    backends: [", "    snat: 198.18.1.100\n    limits: {flows: -1}\n    backends: [", 32,
			`services[0].limits.flows: -1 is out of range; use 1 to 268435456, or 0 for no limit`},
		{"limit that is never reached", "    snat: 198.18.1.100\n    backends: [", "    snat: 198.18.1.100\n    limits:\n      source_flows: 10\n      source_embryonic: 11\n    backends: [", 34,
			`services[0].limits.source_embryonic: 11 is never reached: source_flows is 10; use less, or leave it out`},
		{"limit of the file", "control: lb1.sock", "control: lb1.sock\nlimits: {embryonic: 5, flows: 4}", 42,
			`limits.embryonic: 5 is never reached: flows is 4; use less, or leave it out`},
		{"challenge after the limit", "control: lb1.sock", "control: lb1.sock\nlimits: {embryonic: 5, syn_challenge: 6}", 42,
			`limits.syn_challenge: 6 is never reached: embryonic is 5; use less, or leave it out`},
		{"challenge below zero", "    snat: 198.18.1.100\n    backends: [", "    snat: 198.18.1.100\n    limits: {syn_challenge: -1}\n    backends: [", 32,
			`services[0].limits.syn_challenge: -1 is out of range; use 1 to 268435456, or 0 for no limit`},
		{"VIP in this network", "vip: 198.18.0.100\n    port: 53", "vip: 0.0.0.1\n    port: 53", 35, `services[1].vip: 0.0.0.1 is not an address of a host; use a unicast address`},
		{"VIP in the reserved block", "vip: 198.18.0.100\n    port: 53", "vip: 240.0.0.1\n    port: 53", 35, `services[1].vip: 240.0.0.1 is not an address of a host; use a unicast address`},
		{"VIP of an IPv4-compatible address", "vip: 198.18.0.100\n    port: 53", "vip: \"::198.18.0.100\"\n    port: 53", 35, `services[1].vip: ::c612:64 is not an address of a host; use a unicast address`},
		{"VIP is everybody", "vip: 198.18.0.100\n    port: 53", "vip: 0.0.0.0\n    port: 53", 35, `services[1].vip: 0.0.0.0 is not an address of a host; use a unicast address`},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			if strings.Count(good, tt.old) != 1 {
				t.Fatalf("%q stands %d times in the good file, want once", tt.old, strings.Count(good, tt.old))
			}
			text := strings.Replace(good, tt.old, tt.new, 1)
			_, _, err := parse(filepath.Join(dir, "lb1.yaml"), []byte(text), Options{})
			want := fmt.Sprintf("lb1.yaml:%d: %s", tt.line, strings.ReplaceAll(tt.text, "DIR", dir))
			if err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
			var bad *Error
			if err != nil && (!errors.As(err, &bad) || bad.ExitCode() != 2) {
				t.Errorf("%T is not an *Error with exit code 2", err)
			}
		})
	}
}

// What an arbiter's file leaves out has a value, so that two files can be compared.
func TestDefaultsOfTheArbiter(t *testing.T) {
	dir := folder(t)
	gateway := Arbiter{Gateway: Address{netip.MustParseAddr("198.18.0.3")}, Probe: ProbeICMP, Every: Duration(100 * time.Millisecond), Rise: 3, Fall: 3, Policy: PolicyFailClosed}
	strict := gateway
	strict.Rise, strict.Fall, strict.Every, strict.Policy = 5, 2, Duration(time.Second), PolicyKeepServing
	for _, test := range []struct {
		text string
		want Arbiter
	}{
		{"{}", Arbiter{}},
		{"{gateway: 198.18.0.3}", gateway},
		{"{gateway: 198.18.0.3, rise: 5, fall: 2, every: 1s, policy: keep-serving}", strict},
		{`{etcd: ["http://198.18.3.1:2379"]}`, Arbiter{Etcd: []string{"http://198.18.3.1:2379"}, Key: "/baton/lb1+lb2/alone", Validity: Duration(3 * time.Second), Policy: PolicyFailClosed}},
	} {
		_, c, err := parse(filepath.Join(dir, "lb1.yaml"), []byte(strings.Replace(good, "control: lb1.sock", "control: lb1.sock\narbiter: "+test.text, 1)), Options{})
		if err != nil {
			t.Errorf("%s: %v", test.text, err)
		} else if diff := cmp.Diff(test.want, c.Arbiter, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", test.text, diff)
		}
	}
}

func TestUnsafeSettingsNeedTheFlag(t *testing.T) {
	dir := folder(t)
	text := strings.NewReplacer("preempt: never", "preempt: immediate", "gates: on", "gates: off",
		"announce: after-install", "announce: before-install").Replace(good)
	if _, _, err := parse(filepath.Join(dir, "lb1.yaml"), []byte(text), Options{AllowUnsafe: true}); err != nil {
		t.Error(err)
	}
}

func TestFileThatIsNotThere(t *testing.T) {
	_, err := Load("/nowhere/lb1.yaml", Options{})
	const want = "/nowhere/lb1.yaml: cannot read the configuration: no such file or directory"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestEmptyFile(t *testing.T) {
	for _, text := range []string{"", "# nothing but a comment\n"} {
		_, _, err := parse("lb1.yaml", []byte(text), Options{})
		if err == nil || !strings.HasPrefix(err.Error(), "lb1.yaml:1: the file is empty") {
			t.Errorf("%q: got %v", text, err)
		}
	}
}

// FuzzParse: any file yields a configuration or a one-line error.
func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("node: &a [*a]\n"))
	f.Add([]byte("services: &s [{backends: *s}]\n"))
	f.Add([]byte("? {a: b}\n: c\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		_, _, err := parse("lb1.yaml", text, Options{})
		var bad *Error
		if err != nil && (!errors.As(err, &bad) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%T %q is not one line about the file", err, err)
		}
	})
}

// TestTheScriptOfACheckCountsFromTheFile, also if the file is given by a relative path; a program without a slash is
// looked up in PATH.
func TestTheScriptOfACheckCountsFromTheFile(t *testing.T) {
	dir := folder(t)
	if err := os.WriteFile(filepath.Join(dir, "probe"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(good, "balance: rr", "balance: rr\n    check: {type: script, command: [./probe, fast]}", 1)
	text = strings.Replace(text, "services:", "check: {type: script, command: [../"+filepath.Base(dir)+"/probe]}\nservices:", 1)
	if err := os.WriteFile(filepath.Join(dir, "lb1.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	for _, file := range []string{"lb1.yaml", filepath.Join(dir, "lb1.yaml")} {
		cfg, err := Load(file, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range cfg.Services {
			if s.Check.Command[0] != filepath.Join(dir, "probe") {
				t.Errorf("%s: %s has the script %v", file, s.Name, s.Check.Command)
			}
		}
	}
	c := loaded(t)
	if _, _, err := c.Edit(Edit{Verb: SetService, Service: "web", Text: "{check: {type: script, command: [./probe]}}"}); err == nil || !strings.Contains(err.Error(), "use an absolute path") {
		t.Errorf("an edit with a relative path: %v", err)
	}
	if _, _, err := c.Edit(Edit{Verb: SetService, Service: "web", Text: "{check: {type: script, command: ['true']}}"}); err != nil {
		t.Error(err)
	}
}

// TestFilesOfAnotherHostAreNotLookedFor: a peer's configuration, and one that a scenario gives a node, may name
// certificates and scripts that this host lacks.
func TestFilesOfAnotherHostAreNotLookedFor(t *testing.T) {
	text := strings.Replace(good, "balance: rr", "balance: rr\n    check: {type: script, command: [/no/such/file]}", 1)
	if _, _, err := parse(filepath.Join(t.TempDir(), "lb1.yaml"), []byte(text), Options{Remote: true}); err != nil {
		t.Error(err)
	}
	if err := Verify([]byte(text)); err != nil {
		t.Error(err)
	}
}
