package config

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"baton/impl/dataplane"
	"baton/impl/flow"
)

// Duration is a time.Duration that is written as Go prints it ("50ms").
type Duration time.Duration

func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// IsZero lets a duration that was left out stay out of a written file.
func (d Duration) IsZero() bool { return d == 0 }

// PortRange is an inclusive range of ports, written "20000-59999".
type PortRange dataplane.PortRange

func (r PortRange) String() string { return fmt.Sprintf("%d-%d", r.First, r.Last) }

// MarshalText implements encoding.TextMarshaler.
func (r PortRange) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

func parsePortRange(s string) (PortRange, bool) {
	first, last, ok := strings.Cut(s, "-")
	if !ok {
		return PortRange{}, false
	}
	f, errFirst := strconv.ParseUint(strings.TrimSpace(first), 10, 16)
	l, errLast := strconv.ParseUint(strings.TrimSpace(last), 10, 16)
	if errFirst != nil || errLast != nil {
		return PortRange{}, false
	}
	return PortRange{First: uint16(f), Last: uint16(l)}, true
}

// AddrRange is an inclusive range of addresses, written "198.18.1.101-198.18.1.104", or one
// address.
type AddrRange struct{ First, Last netip.Addr }

func (r AddrRange) String() string {
	if r.First == r.Last {
		return r.First.String()
	}
	return r.First.String() + "-" + r.Last.String()
}

// MarshalText implements encoding.TextMarshaler.
func (r AddrRange) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// addrs returns the addresses of a range, but no more than limit.
func (r AddrRange) addrs(limit int) (all []netip.Addr) {
	for a := r.First; a.IsValid() && a.Compare(r.Last) <= 0 && len(all) < limit; a = a.Next() {
		all = append(all, a)
	}
	return all
}

// choice is a string with a fixed set of values.
type choice interface {
	noun() string      // what the value should have been: "a policy"
	allowed() []string // every value that is understood
	offered() []string // those that an error message proposes
}

// Preempt is what a preferred node does about a MASTER of lower priority.
type Preempt string

// Policies of preemption. Immediate is unsafe: it seizes the role without waiting
// for sync, the bug that this project exists for.
const (
	PreemptNever     Preempt = "never"
	PreemptAfterSync Preempt = "after-sync"
	PreemptImmediate Preempt = "immediate"
)

func (Preempt) noun() string      { return "a policy" }
func (Preempt) allowed() []string { return []string{"never", "after-sync", "immediate"} }
func (Preempt) offered() []string { return []string{"never", "after-sync"} }

// Gates says whether a claim waits for its gates. Off is unsafe.
type Gates string

const (
	GatesOn  Gates = "on"
	GatesOff Gates = "off"
)

func (Gates) noun() string      { return "a setting" }
func (Gates) allowed() []string { return []string{"on", "off"} }
func (Gates) offered() []string { return []string{"on"} }

// Policy is what a MASTER does without proof that its peer hears it while the arbiter does not
// answer.
type Policy string

const (
	PolicyFailClosed  Policy = "fail-closed"  // it stops
	PolicyKeepServing Policy = "keep-serving" // it continues; both nodes may forward, see docs/lease.md
)

func (Policy) noun() string        { return "a policy" }
func (Policy) allowed() []string   { return []string{"fail-closed", "keep-serving"} }
func (p Policy) offered() []string { return p.allowed() }

// Probe is how a gateway is probed.
type Probe string

const (
	ProbeICMP Probe = "icmp"
	ProbeTCP  Probe = "tcp"
)

func (Probe) noun() string        { return "a probe" }
func (Probe) allowed() []string   { return []string{"icmp", "tcp"} }
func (p Probe) offered() []string { return p.allowed() }

// Announce is when the VIPs are announced. BeforeInstall is unsafe: packets
// arrive before forwarding works.
type Announce string

const (
	AnnounceAfterInstall  Announce = "after-install"
	AnnounceBeforeInstall Announce = "before-install"
)

func (Announce) noun() string      { return "a setting" }
func (Announce) allowed() []string { return []string{"after-install", "before-install"} }
func (Announce) offered() []string { return []string{"after-install"} }

// Defer is which packets wait for the peer's acknowledgement of their flow.
type Defer string

const (
	DeferNone        Defer = "none"
	DeferEstablished Defer = "established" // the reply that tells a client that its flow is established
)

func (Defer) noun() string        { return "a setting" }
func (Defer) allowed() []string   { return []string{"none", "established"} }
func (d Defer) offered() []string { return d.allowed() }

// Ping is how a ping of a VIP is handled.
type Ping string

const (
	PingAnswer Ping = "answer" // while this node holds the lease
	PingDrop   Ping = "drop"
)

func (Ping) noun() string        { return "a setting" }
func (Ping) allowed() []string   { return []string{"answer", "drop"} }
func (p Ping) offered() []string { return p.allowed() }

// Hook is the kernel hook to which the programs are attached.
type Hook string

const (
	HookTCX  Hook = "tcx"
	HookXDP  Hook = "xdp"
	HookAuto Hook = "auto"
)

func (Hook) noun() string        { return "a dataplane" }
func (Hook) allowed() []string   { return []string{"tcx", "xdp", "auto"} }
func (h Hook) offered() []string { return h.allowed() }

// Evict is which entries are removed before their timeout while the table is under pressure.
type Evict string

const (
	EvictEmbryonic Evict = "embryonic" // those of unanswered flows
	EvictNone      Evict = "none"
)

func (Evict) noun() string        { return "a policy" }
func (Evict) allowed() []string   { return []string{"embryonic", "none"} }
func (e Evict) offered() []string { return e.allowed() }

// Proto is the protocol of a service.
type Proto string

const (
	TCP  Proto = "tcp"
	UDP  Proto = "udp"
	SCTP Proto = "sctp"
)

// flow returns the protocol's number.
func (p Proto) flow() flow.Proto {
	n, _ := flow.ParseProto(string(p))
	return n
}

func (Proto) noun() string        { return "a protocol" }
func (Proto) allowed() []string   { return []string{"tcp", "udp", "sctp"} }
func (p Proto) offered() []string { return p.allowed() }

// Mode is how a service's packets are translated.
type Mode string

const (
	FullNAT Mode = "fullnat"
	DNAT    Mode = "dnat"
	DSRL2   Mode = "dsr-l2"
	DSRIPIP Mode = "dsr-ipip"
)

// encapsulates reports whether packets to the backends are encapsulated.
func (m Mode) encapsulates() bool { return dataplane.ModeOf(string(m)).Encapsulates() }

// direct reports whether backends answer clients without the node.
func (m Mode) direct() bool { return dataplane.ModeOf(string(m)).Direct() }

func (Mode) noun() string        { return "a mode" }
func (Mode) allowed() []string   { return []string{"fullnat", "dnat", "dsr-l2", "dsr-ipip"} }
func (m Mode) offered() []string { return m.allowed() }

// Balance is how a backend is chosen for a new flow; round robin if left out.
type Balance string

const (
	RoundRobin Balance = "rr"
	Maglev     Balance = "maglev"
	LeastConn  Balance = "least-conn"
)

func (Balance) noun() string        { return "a way to choose a backend" }
func (Balance) allowed() []string   { return []string{"rr", "maglev", "least-conn"} }
func (b Balance) offered() []string { return b.allowed() }
