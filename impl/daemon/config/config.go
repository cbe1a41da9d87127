// Package config reads, checks and writes the configuration file of a node. It opens no
// socket and starts nothing; it only touches the file and the certificate files named in
// it. The daemon reads the file, and tools that set up nodes (an operator's, the namespace
// world) write it with the same types, so that both agree on the keys.
//
// Parsing is strict. The first mistake of any kind becomes one line with the file, the line
// and the correction:
//
//	lb1.yaml:14: ha.preempt: "allways" is not a policy; use never or after-sync
package config

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	yaml "go.yaml.in/yaml/v4"

	"baton/impl/dataplane"
	"baton/impl/node"
)

// Config is the configuration of one node. The tag "need" describes a missing key in the
// error message.
type Config struct {
	Node string `yaml:"node" need:"this node's id, such as lb1"`
	Peer string `yaml:"peer" need:"the other node's id, such as lb2"`

	Links   Links   `yaml:"links" need:"the service links: client and backend"`
	BFD     BFD     `yaml:"bfd" need:"the heartbeat: tx, rx, mult and paths"`
	HA      HA      `yaml:"ha"`
	Track   Track   `yaml:"track"`
	Arbiter Arbiter `yaml:"arbiter,omitempty"`
	Sync    Sync    `yaml:"sync" need:"the connection sync: local, peer, ca, cert and key"`
	// SNATPorts are the source ports of fullnat flows; each node opens its flows with one half.
	SNATPorts PortRange `yaml:"snat_ports"`
	// MaxFlows is the capacity of the connection table; 0 leaves it to the dataplane.
	MaxFlows int `yaml:"max_flows,omitempty"`
	// Pin is a folder in a bpffs, such as /sys/fs/bpf/baton, which only this node uses: the
	// connection table and the programs stay there when the process ends, and the next one
	// adopts them. Without it they end with the process.
	Pin string `yaml:"pin,omitempty"`
	// Hook is where established flows are forwarded: tcx, xdp in the driver of both links, or
	// auto, which is xdp on NICs that support it and tcx elsewhere; tcx if left out.
	Hook Hook `yaml:"dataplane,omitempty"`
	// Ping is the reply to a ping of a VIP; answer if left out.
	Ping Ping `yaml:"ping,omitempty"`
	// Evict is which entries are removed early from a table that is three quarters full; embryonic if left out.
	Evict    Evict    `yaml:"evict,omitempty"`
	Timeouts Timeouts `yaml:"timeouts,omitempty"`
	// Limits are the limits of every service.
	Limits Limits `yaml:"limits"`
	// Check is how the backends of every service are probed.
	Check    Check     `yaml:"check,omitempty"`
	Services []Service `yaml:"services" need:"the balanced services"`

	// Control is the path of the control socket.
	Control string `yaml:"control" need:"the path of the control socket, such as /run/baton/lb1.sock"`
	// Metrics is the address and port where Prometheus may scrape; none if empty.
	Metrics string `yaml:"metrics,omitempty"`
}

// Links are the interfaces that carry the services' packets.
type Links struct {
	Client  string `yaml:"client" need:"the interface that faces the clients"`
	Backend string `yaml:"backend" need:"the interface that faces the backends"`
}

// BFD is the heartbeat: the same timing on every path (RFC 5880).
type BFD struct {
	TX   Duration `yaml:"tx" rule:"RFC 5880 4.1"`     // bfd.DesiredMinTxInterval
	RX   Duration `yaml:"rx" rule:"RFC 5880 4.1"`     // bfd.RequiredMinRxInterval
	Mult uint8    `yaml:"mult" rule:"RFC 5880 6.8.1"` // bfd.DetectMult
	// Secret is the file of the secret that both nodes share; without one the heartbeat
	// is not authenticated.
	Secret string `yaml:"secret,omitempty"`
	Paths  []Path `yaml:"paths" need:"at least one path: name, link, local and peer"`
}

// Path is one BFD session: single-hop, bound to an interface (RFC 5881).
type Path struct {
	Name  string     `yaml:"name" need:"a name for the path, such as sync"`
	Link  string     `yaml:"link" need:"the interface of the path"`
	Local netip.Addr `yaml:"local" need:"this node's address on the link"`
	Peer  netip.Addr `yaml:"peer" need:"the peer's address on the link"`
}

// HA is how the node claims and gives up the MASTER role.
type HA struct {
	// Hold is the recovery delay before a claim after boot, fault or demotion.
	Hold     Duration `yaml:"hold"`
	Preempt  Preempt  `yaml:"preempt"`  // whether the preferred node asks for the role back
	Gates    Gates    `yaml:"gates"`    // whether a claim waits for its gates
	Announce Announce `yaml:"announce"` // when a new MASTER sends gratuitous ARPs
	// AnnounceEvery is the time between two gratuitous ARPs of the burst after a claim,
	// beyond the first eight VIPs.
	AnnounceEvery Duration `yaml:"announce_every"`
	// AnnounceRate is the most gratuitous ARPs per second after the burst. Keep it below
	// the ARP limit of switch ports.
	AnnounceRate int `yaml:"announce_rate"`
	// Priority is what decides between equal claims and marks the preferred node;
	// VRRP's range, 1 to 254.
	Priority uint8 `yaml:"priority"`
}

// Track names the hosts that the node must reach to be of use as MASTER. Each is
// sent an ICMP echo request every so often, and the gate Reachable is open while all
// answer.
type Track struct {
	Targets []netip.Addr `yaml:"targets,omitempty"` // the hosts; none leaves the gate Reachable open
	Every   Duration     `yaml:"every"`             // time between two requests to each, and how long an answer may take
	// Misses is how many missed answers in a row make a target unreachable; as many answers bring it back.
	Misses uint8 `yaml:"misses"`
}

// Arbiter is the third party that decides which node may act alone when they do not hear
// each other: a record in etcd, or, much weaker, a host that a node must reach. Both nodes
// configure the same one, or none.
type Arbiter struct {
	// Gateway is the host that a node must reach to claim, and to serve alone; instead of etcd. Two
	// nodes that both reach it and do not hear each other both serve.
	Gateway Address `yaml:"gateway,omitempty"`
	// Probe is how it is probed: by an ICMP echo request, or by opening a TCP connection, which it
	// may refuse; icmp if left out.
	Probe Probe  `yaml:"probe,omitempty"`
	Port  uint16 `yaml:"port,omitempty"` // the port to connect to, for tcp
	// Source is the address of this node to probe from; chosen by the route if left out.
	Source Address `yaml:"source,omitempty"`
	// Every is the time between two probes, and how long an answer may take; 100ms if left out.
	Every Duration `yaml:"every,omitempty"`
	// Rise is how many answers in a row bring the gateway back; 3 if left out.
	Rise uint8 `yaml:"rise,omitempty"`
	// Fall is how many missed answers in a row lose it; 3 if left out.
	Fall uint8    `yaml:"fall,omitempty"`
	Etcd []string `yaml:"etcd,omitempty"` // URLs of the cluster's members; without them and without a gateway there is no arbiter
	// Key is the record's key, which no other pair may use; /baton/lb1+lb2/alone for these two ids if left out.
	Key string `yaml:"key,omitempty"`
	// Validity is how long the right to act alone holds, and so the outage if a node dies
	// while it acts alone; 3s if left out.
	Validity Duration `yaml:"validity,omitempty"`
	// Policy is what a MASTER does that loses its peer while the arbiter does not answer: it
	// stops (fail-closed), or it continues (keep-serving), although the peer may have been granted the role; fail-closed if left out.
	Policy Policy `yaml:"policy,omitempty"`
	CA     string `yaml:"ca,omitempty"`   // the file of the authority that signed etcd's certificate; for https
	Cert   string `yaml:"cert,omitempty"` // the file of the certificate by which etcd knows this node, if it asks for one
	// KeyFile is the file of that certificate's private key.
	KeyFile string `yaml:"key_file,omitempty"`
}

// Sync is the connection sync stream: TCP with mutual TLS 1.3.
type Sync struct {
	Local netip.AddrPort `yaml:"local" need:"this node's address and port, such as 198.18.2.1:3790"`
	Peer  netip.AddrPort `yaml:"peer" need:"the peer's address and port, such as 198.18.2.2:3790"`
	CA    string         `yaml:"ca" need:"the file of the authority that signed both nodes' certificates"`
	Cert  string         `yaml:"cert" need:"the file of this node's certificate"`
	Key   string         `yaml:"key" need:"the file of this node's private key"`
	// Version is the newest version of the protocol that is offered to the peer, 0 for
	// the newest that this node knows. The two agree on the newest that both offer.
	Version uint8 `yaml:"version,omitempty"`
	// Defer is which packets are held back until the peer has acknowledged their flow, so that no crash
	// loses the flow; none if left out.
	Defer Defer `yaml:"defer,omitempty"`
	// DeferLimit is how long such a packet is held back at most.
	DeferLimit Duration `yaml:"defer_limit,omitempty"`
}

// Service is one balanced service.
type Service struct {
	Name    string     `yaml:"name" need:"a name for the service, such as web"`
	Proto   Proto      `yaml:"proto" need:"tcp, udp or sctp"`
	VIP     netip.Addr `yaml:"vip" need:"the address that clients connect to"`
	Port    Ports      `yaml:"port" need:"the port that clients connect to, a range such as 8000-8999, or any"`
	Mode    Mode       `yaml:"mode" need:"fullnat, dnat, dsr-l2 or dsr-ipip"`
	Balance Balance    `yaml:"balance"` // how a new flow chooses its backend; rr if left out
	// SNAT is the backend-side VIP: source of fullnat flows, gateway of dnat backends. Only a
	// service of mode dsr-l2 or dsr-ipip has none.
	SNAT Address `yaml:"snat,omitempty"`
	// SNATPool are more source addresses for fullnat flows, each alone or a range such as
	// 198.18.1.101-198.18.1.104; with snat at most 16. Each has all of snat_ports.
	SNATPool []AddrRange      `yaml:"snat_pool,omitempty"`
	Backends []netip.AddrPort `yaml:"backends" need:"at least one backend, such as 198.18.1.11:80; of a range of ports, 198.18.1.11:0 keeps each flow's port"`
	// Weights are the backends' shares of new flows, in the order of backends; all are
	// equal if left out.
	Weights []int `yaml:"weights,omitempty"`
	// Affinity is how long after a client's last new flow its next one goes to the same
	// backend, if that serves; 0 if left out.
	Affinity Duration `yaml:"affinity,omitempty"`
	// Limits overrides the limits of the file for this service.
	Limits Limits `yaml:"limits"`
	// Check overrides the check of the file for this service.
	Check Check `yaml:"check"`
}

// Limits bounds the flows of a service; 0 is no limit.
type Limits struct {
	// Flows is how many flows the service may have in the table.
	Flows int `yaml:"flows"`
	// Embryonic is how many unanswered flows the service may have.
	Embryonic int `yaml:"embryonic"`
	// SourceFlows is how many flows each source address may have to the service.
	SourceFlows int `yaml:"source_flows"`
	// SourceEmbryonic is how many unanswered flows each source address may have to the service.
	SourceEmbryonic int `yaml:"source_embryonic"`
	// SYNChallenge is how many unanswered flows the service may have before a source that opens another TCP flow must
	// prove that it receives packets at its address.
	SYNChallenge int `yaml:"syn_challenge"`
}

// Timeouts is how long an entry outlives its last packet; those left out are the
// dataplane's defaults.
type Timeouts struct {
	SynSent     Duration `yaml:"syn_sent,omitempty"`    // lifetime of a TCP flow that is opening
	Established Duration `yaml:"established,omitempty"` // lifetime of an established TCP flow
	FinWait     Duration `yaml:"fin_wait,omitempty"`    // lifetime of a TCP flow that one end has closed
	// DirectFinWait is the lifetime of a TCP flow of a dsr-l2 or dsr-ipip service whose client has closed: the
	// node does not see the backend's FIN.
	DirectFinWait Duration `yaml:"direct_fin_wait,omitempty"`
	Closed        Duration `yaml:"closed,omitempty"`    // lifetime of a TCP flow that has ended
	Unreplied     Duration `yaml:"unreplied,omitempty"` // lifetime of a UDP flow without an answer
	Assured       Duration `yaml:"assured,omitempty"`   // lifetime of a UDP flow that was answered
}

// Default returns the values of keys that a file leaves out.
func Default() Config {
	return Config{
		BFD: BFD{TX: Duration(50 * time.Millisecond), RX: Duration(50 * time.Millisecond), Mult: 3},
		HA: HA{Hold: Duration(500 * time.Millisecond), Preempt: PreemptNever, Gates: GatesOn, Announce: AnnounceAfterInstall, Priority: 100,
			AnnounceEvery: Duration(node.DefaultAnnounceEvery), AnnounceRate: node.DefaultAnnounceRate},
		Track:     Track{Every: Duration(defaultEvery), Misses: defaultMisses},
		Sync:      Sync{Defer: DeferNone, DeferLimit: Duration(5 * time.Millisecond)},
		SNATPorts: PortRange{First: 20000, Last: 59999},
		Check:     defaultCheck(),
	}
}

// Detect returns the detection time if the peer has the same values: DetectMult times the
// slower of its sending and our receiving (RFC 5880 6.8.4).
func (b BFD) Detect() time.Duration {
	return time.Duration(b.Mult) * time.Duration(max(b.TX, b.RX))
}

// SNATHalf returns this node's half of the SNAT ports: the lexically smaller id has the
// lower one.
func (c *Config) SNATHalf() PortRange { return c.snatHalf(c.Node, c.Peer) }

func (c *Config) snatHalf(of, other string) PortRange {
	whole := dataplane.PortRange(c.SNATPorts)
	if of < other {
		return PortRange(whole.Lower())
	}
	return PortRange(whole.Upper())
}

// UsedLinks returns each link that the configuration names, once.
func (c *Config) UsedLinks() []string {
	names := []string{c.Links.Client, c.Links.Backend}
	for _, p := range c.BFD.Paths {
		names = append(names, p.Link)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Marshal returns the configuration as a file that Load accepts.
func (c *Config) Marshal() ([]byte, error) {
	b, err := yaml.Dump(c)
	if err != nil {
		return nil, fmt.Errorf("config: marshal node %s: %w", c.Node, err)
	}
	return b, nil
}
