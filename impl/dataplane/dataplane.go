// Package dataplane defines what a node needs from the component that forwards its packets.
// Package bpf implements it with TCX programs; dataplane/model is the Go model that
// specifies those programs, packet by packet.
//
// The contract for one flow: a packet to a VIP is forwarded only while the lease is valid;
// otherwise it is dropped and counted, and never reaches the host's stack. The first packet
// of a flow (a TCP SYN or any UDP datagram) creates an entry; a mid-flow TCP segment
// without an entry is dropped and counted (MissDrop). Both directions of an entry appear
// and disappear together.
package dataplane

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"time"

	"baton/impl/clock"
	"baton/impl/flow"
)

// AllPending is the limit of a Poll that takes every pending event.
const AllPending = math.MaxInt

// Mode is how a service's packets are translated.
type Mode uint8

const (
	// FullNAT rewrites the destination to the backend and the source to the
	// service's backend-side VIP with a port of the node's half of the range.
	FullNAT Mode = iota + 1
	// DNAT rewrites only the destination; backends route their replies through
	// the backend-side VIP.
	DNAT
	// DSRL2 rewrites only the Ethernet addresses. Backends have the VIP themselves and answer
	// clients directly, so that the node sees one direction of a flow.
	DSRL2
	// DSRIPIP is DSRL2 for backends behind routers: packets are encapsulated in IP to the backend,
	// which decapsulates them.
	DSRIPIP
)

var modeNames = [...]string{FullNAT: "fullnat", DNAT: "dnat", DSRL2: "dsr-l2", DSRIPIP: "dsr-ipip"}

func (m Mode) valid() bool { return m >= FullNAT && int(m) < len(modeNames) }

func (m Mode) String() string {
	if !m.valid() {
		return fmt.Sprintf("mode%d", uint8(m))
	}
	return modeNames[m]
}

// ModeOf returns the mode of a name, FullNAT if there is none.
func ModeOf(name string) Mode { return max(Mode(slices.Index(modeNames[1:], name)+1), FullNAT) }

// Direct reports whether backends answer clients without the node.
func (m Mode) Direct() bool { return m == DSRL2 || m == DSRIPIP }

// Encapsulates reports whether packets to the backends are encapsulated.
func (m Mode) Encapsulates() bool { return m == DSRIPIP }

// Balance is how a new flow selects its backend.
type Balance uint8

const (
	RoundRobin Balance = iota + 1
	Maglev             // consistent hashing; the same choice on both nodes
	LeastConn          // the backend with the fewest flows for its weight
)

var balanceNames = [...]string{RoundRobin: "rr", Maglev: "maglev", LeastConn: "least-conn"}

func (b Balance) valid() bool { return b >= RoundRobin && int(b) < len(balanceNames) }

func (b Balance) String() string {
	if !b.valid() {
		return fmt.Sprintf("balance%d", uint8(b))
	}
	return balanceNames[b]
}

// BalanceOf returns the balance of a name, RoundRobin if there is none.
func BalanceOf(name string) Balance {
	return max(Balance(slices.Index(balanceNames[1:], name)+1), RoundRobin)
}

// Service is one balanced service.
type Service struct {
	flow.Service
	Name    string
	Mode    Mode
	Balance Balance
	SNAT    flow.Addr // the backend-side VIP: source of fullnat flows, gateway of dnat backends
	// SNATPool are more source addresses for fullnat flows, up to MaxSNAT with SNAT. Each has
	// the ports of SNATPorts.
	SNATPool []flow.Addr
	Backends []Backend
	// Weights are the backends' shares of new flows, in the order of Backends; nil means
	// equal shares.
	Weights []int
	// Affinity is how long after its last new flow a client's next one goes to the same
	// backend, if that gets new flows; 0 disables it.
	Affinity time.Duration
	// Limits bounds the flows of the service and of each of its sources.
	Limits Limits
	// Refuse answers new flows with a RST or a port unreachable while there are no
	// backends; otherwise they are only dropped.
	Refuse bool
}

// Weight returns the weight of a backend by its index.
func (s Service) Weight(i int) int {
	if s.Weights == nil {
		return 1
	}
	return s.Weights[i]
}

// MaxSNAT is the maximum number of a service's SNAT addresses.
const MaxSNAT = 16

// SNATs returns the service's SNAT addresses; none if it has none.
func (s Service) SNATs() []flow.Addr {
	if s.SNAT == (flow.Addr{}) {
		return nil
	}
	return append([]flow.Addr{s.SNAT}, s.SNATPool...)
}

// SameSNAT reports whether two services have the same SNAT addresses in the same order.
func (s Service) SameSNAT(o Service) bool {
	return s.SNAT == o.SNAT && slices.Equal(s.SNATPool, o.SNATPool)
}

// SameSlots reports whether new flows of two services go to the same backends in the same
// shares and order.
func (s Service) SameSlots(o Service) bool {
	return s.Balance == o.Balance && slices.Equal(s.Backends, o.Backends) && slices.Equal(s.Weights, o.Weights)
}

// MaxWeight is the largest weight of a backend.
const MaxWeight = 1000

// Backend is one real server. Order in the list is part of the configuration,
// not of a flow's identity.
type Backend struct {
	Addr flow.Addr
	Port uint16 // 0 keeps the destination port of a service with a range of ports
}

// At returns the backend's port for a flow to a port of the service.
func (b Backend) At(port uint16) uint16 {
	if b.Port == 0 {
		return port
	}
	return b.Port
}

// KeepsPorts reports whether flows keep their destination port on the way to the backends.
func (s Service) KeepsPorts() bool { return len(s.Backends) > 0 && s.Backends[0].Port == 0 }

// Sender returns the address and ports from which a backend of a dnat service sends its replies.
func (s Service) Sender(b Backend) flow.Service {
	from := flow.Service{VIP: b.Addr, Port: b.Port, Proto: s.Proto}
	if b.Port == 0 {
		from.Port, from.Last = s.Port, s.Last
	}
	return from
}

// BackendOf returns the backend of a flow of the service.
func (s Service) BackendOf(reply *flow.Tuple) Backend {
	if s.KeepsPorts() {
		return Backend{Addr: reply.Src}
	}
	return Backend{Addr: reply.Src, Port: reply.SrcPort}
}

// PortRange is an inclusive range of SNAT ports. The two nodes of a pair use disjoint
// halves, so that a new MASTER cannot collide with a flow whose entry it does not have.
type PortRange struct{ First, Last uint16 }

// Lower and Upper return the two halves of a range.
func (r PortRange) Lower() PortRange { return PortRange{r.First, r.First + (r.Last-r.First)/2} }
func (r PortRange) Upper() PortRange { return PortRange{r.First + (r.Last-r.First)/2 + 1, r.Last} }

// Len returns the number of ports; 0 for the empty range.
func (r PortRange) Len() int {
	if r == (PortRange{}) {
		return 0
	}
	return int(r.Last-r.First) + 1
}

// VIP is an address for which this node answers ARP or neighbour solicitations on one link
// while it holds the lease.
type VIP struct {
	Addr netip.Addr
	Link string
}

// Timeouts are how long an entry outlives its last packet, by state.
type Timeouts struct {
	SynSent, Established, FinWait, Closed, Unreplied, Assured time.Duration
	// DirectFinWait is FinWait of direct flows. It also ends those that are over: the node
	// never sees the backend's FIN.
	DirectFinWait time.Duration
}

// DefaultTimeouts are those of RFC 5382 REQ-5 for established and half-closed connections
// (RFC 6146 3.5.2.2), IPVS's for half-closed direct ones, and netfilter's for the others.
// docs/conntrack.md says why an opening or closed connection does not stay for the four minutes
// of the RFC.
func DefaultTimeouts() Timeouts {
	return Timeouts{
		SynSent: 60 * time.Second, Established: 7440 * time.Second, FinWait: 7440 * time.Second,
		Closed: 10 * time.Second, Unreplied: 30 * time.Second, Assured: 120 * time.Second,
		DirectFinWait: 120 * time.Second,
	}
}

// SeenEvery is how often an entry's last-seen time is updated. An entry may look idle for
// that much too long.
const SeenEvery = time.Second

// OfDirect returns the timeout of a direct flow.
func (t Timeouts) OfDirect(s flow.State) time.Duration {
	if s == flow.FinWait {
		return t.DirectFinWait
	}
	return t.Of(s)
}

// Of returns the timeout of a flow of which both directions are seen.
func (t Timeouts) Of(s flow.State) time.Duration {
	switch s {
	case flow.SynSent:
		return t.SynSent
	case flow.Established:
		return t.Established
	case flow.FinWait:
		return t.FinWait
	case flow.Closed:
		return t.Closed
	case flow.Assured:
		return t.Assured
	}
	return t.Unreplied
}

// Config is what the dataplane must know before it may forward.
type Config struct {
	ClientLink, BackendLink string // interface names, in the caller's namespace
	Services                []Service
	VIPs                    []VIP
	SNATPorts               PortRange // this node's half
	// SNATPeer is the other node's half, if it has the same SNATSeed: this node then resumes its
	// flows. Empty if it has another one.
	SNATPeer PortRange
	// SNATSeed orders the ports that a flow tries. Clients must not know it, since the port is
	// a part of what protects a connection from blind attacks (RFC 6056).
	SNATSeed uint64
	// SNATTurn is where services other than maglev's begin to take SNAT ports in sequence, separately
	// for each backend. A node draws a new one at each start, since backends may still have
	// connections of an earlier process. With 0 their flows try the ports in the order of their
	// hash, as maglev's do.
	SNATTurn uint64
	// DatagramSeed is the first id of fragmented datagrams that leave with a SNAT address. A node
	// draws a new one at each start, since fragments of an earlier process may be in flight.
	DatagramSeed uint64
	// ChallengeKey is the secret of this node's challenges. A node draws a new one at each start.
	ChallengeKey [2]uint64
	Timeouts     Timeouts
	MaxFlows     int // capacity of each family's table; 0 means DefaultMaxFlows
	// KeepEmbryonic leaves unanswered entries their full timeout, also under pressure.
	KeepEmbryonic bool
	DropEcho      bool // a ping of a VIP is dropped, not answered
	ICMPRate      int  // approximate limit of ICMP errors per second and family; 0 means DefaultICMPRate
	Hook          Hook
	// Defer holds back the replies that tell clients that their flows are established: a
	// SYN-ACK, and the datagrams of an unreplied UDP flow. Poll passes them on as events,
	// behind those of their flow, and Release or Discard ends them.
	Defer bool
	// Pin is the folder in which the table outlives the process; "" makes it end with the
	// process.
	Pin string
}

// Adoption is what happened to the table of an earlier process.
type Adoption struct {
	// Taken means that the earlier process's table is in use. Its lease has ended.
	Taken    bool
	Pedigree flow.Pedigree // as stored with the table, if Taken
	// Damaged counts the inconsistent entries. They were removed: they cannot be restored from
	// the table, but the peer may have them.
	Damaged int
	// Refused says why the table was removed instead; "" if it was not.
	Refused string
}

// HasIPv6 reports whether the configuration has an IPv6 address.
func (c Config) HasIPv6() bool {
	return slices.ContainsFunc(c.VIPs, func(v VIP) bool { return v.Addr.Is6() }) ||
		slices.ContainsFunc(c.Services, func(s Service) bool { _, ok := s.FirstIPv6(); return ok })
}

// FirstIPv6 returns the first IPv6 address of the service.
func (s Service) FirstIPv6() (flow.Addr, bool) {
	if !s.VIP.Is4() {
		return s.VIP, true
	}
	if i := slices.IndexFunc(s.Backends, func(b Backend) bool { return !b.Addr.Is4() }); i >= 0 {
		return s.Backends[i].Addr, true
	}
	return flow.Addr{}, false
}

// Lengths of the outer headers of encapsulated packets.
const (
	outerIPv4 = 20
	outerIPv6 = 40
)

// Outer returns the length of the outer header of packets to a backend.
func Outer(backend flow.Addr) int {
	if backend.Is4() {
		return outerIPv4
	}
	return outerIPv6
}

// Overhead returns the length of the outer header of the packets of new flows; 0 without one.
func (s Service) Overhead() int {
	switch {
	case !s.Mode.Encapsulates():
		return 0
	case len(s.Backends) == 0:
		return Outer(s.VIP)
	}
	return Outer(s.Backends[0].Addr)
}

// The fragments of a datagram are translated like its first one for FragmentLife (RFC 791
// 3.2), for at most MaxFragmented datagrams.
const (
	FragmentLife  = 15 * time.Second
	MaxFragmented = 4096
)

// DefaultICMPRate is Linux's limit for all of a host's errors (icmp_msgs_per_sec).
const DefaultICMPRate = 1000

// MissPolicy is what happens to a mid-flow TCP segment that finds no entry.
type MissPolicy uint8

const (
	// MissDrop drops and counts it: the state may still arrive, and TCP retransmits.
	MissDrop MissPolicy = iota
	// MissAdopt adopts it if backend and ports follow from the tuple alone, so that both
	// nodes choose the same ones: with Maglev, except in FullNAT mode. Otherwise it drops.
	MissAdopt
	// MissGuess adopts it in every mode, with the currently selected backend. It is the bug
	// in which a restored MASTER resets its clients.
	MissGuess
)

// Dataplane forwards packets. Its methods are called from one goroutine, except that
// another may be in Wait, and a third in Dump or Sweep, which take time in proportion to
// the table. During those two, Apply, Delete and SetServices are not called.
type Dataplane interface {
	// Lease allows forwarding until an instant of CLOCK_BOOTTIME; an instant in the past
	// forbids it at once.
	Lease(until clock.Instant) error
	// SetMAC sets a link's hardware address, with which ARP is answered.
	SetMAC(link string, mac [6]byte) error
	// Relay makes the node send packets to a VIP that arrive without a valid lease to the peer,
	// until an instant of CLOCK_BOOTTIME. The peer forwards a relayed packet even without a
	// lease, if it belongs to an entry and does not change its state.
	Relay(until clock.Instant) error
	// SetPeerMAC sets the peer's hardware address on a link, zero if it is unknown.
	SetPeerMAC(link string, mac [6]byte) error
	// SetMiss sets what happens to mid-flow segments without an entry.
	SetMiss(MissPolicy) error
	// SetServices replaces the services and the VIPs. Entries of a service that was unknown
	// when Apply received them become usable now. An unchanged service keeps its
	// round-robin position.
	SetServices([]Service, []VIP) error

	// Apply writes the entries, replacing those with the same original tuple. It writes in
	// batches; on error none, some or all are written. An entry with another's reply tuple
	// takes it over, and the other is removed.
	Apply([]flow.Entry) error
	// Delete removes entries, both directions. Absent ones are not an error.
	Delete([]flow.Tuple) error
	// Merge is Delete and Apply for changes that may be older than the table: it does not
	// write an entry whose original or reply tuple is in the table, and deletes only
	// replicated entries. It decides atomically per entry, so a packet's concurrent change
	// is kept.
	Merge([]flow.Entry, []flow.Tuple) error
	// Lookup returns the entry of an original tuple.
	Lookup(flow.Tuple) (flow.Entry, bool, error)
	// Dump calls f with each entry until f returns false. The order is unspecified.
	Dump(f func(flow.Entry) bool) error
	// Sweep deletes the entries that have timed out at now and returns them. Under pressure
	// embryonic entries live for PressedLife at most. An entry's last packet counts as no
	// earlier than since: the instant at which this node became MASTER, before which it saw
	// no packets. The entries that stay are counted for LeastConn.
	Sweep(now, since clock.Instant) ([]flow.Entry, error)

	// Walk continues a walk through the table: it calls f with the next entries, a few thousand
	// at most, and reports whether the table's end is reached. After the end or an error the
	// next call starts a new walk. An entry that stays in the table during a walk is passed
	// once. Walk is called from the goroutine of Dump and Sweep.
	Walk(f func(flow.Held)) (end bool, err error)
	// Examine returns what the table holds of each of the original tuples, in any order.
	Examine([]flow.Tuple) ([]flow.Held, error)
	// Heal writes those of the entries that the table holds damaged or not at all, and
	// deletes those that it holds damaged. Sound ones stay as they are, and an entry whose
	// reply tuple another flow has is not written.
	Heal([]flow.Entry, []flow.Tuple) error
	// Poll passes on pending flow events in order, without blocking: at most limit, and
	// none that happens after the call began, so that it ends however fast flows open. more
	// reports whether further events are pending.
	Poll(limit int, f func(flow.Event)) (more bool, err error)
	// Doorbell returns a descriptor that is readable until Rung answers it; -1 if replies are
	// not deferred.
	Doorbell() int
	// Rung reports whether, since the last call, a reply was deferred or a flow was opened whose
	// reply will be deferred. Their events are pending unless a Poll has taken them.
	Rung() bool
	// Release sends deferred replies to their clients in the order of the ids, and moves
	// their UDP flows to Assured, so that further replies are not deferred. An error means
	// that some of them did not leave; none is deferred any more.
	Release(ids []uint64) error
	// Discard drops deferred replies.
	Discard(ids []uint64)
	// Wait blocks until an event is pending or the dataplane is closed (io.EOF). It
	// consumes nothing: until Poll has taken the pending events, it returns at once.
	Wait() error

	// Attached returns where the programs are.
	Attached() Attachment
	// Adopted returns what happened to the previous process's table.
	Adopted() Adoption
	// Keep stores the table's pedigree for a process that adopts it. It does nothing if the
	// table ends with the process.
	Keep(flow.Pedigree) error

	Counters() (Counters, error)
	// Refused counts the refused new flows of each service since it was configured.
	Refused() (map[flow.Service]Refusals, error)
	// PortsUsed returns for each fullnat service how many SNAT ports of this node's half the
	// backend with the most flows used at the last Sweep.
	PortsUsed() map[flow.Service]PortUse
	// Close releases the process's resources. The next Open adopts a table that outlives
	// the process.
	Close() error
}
