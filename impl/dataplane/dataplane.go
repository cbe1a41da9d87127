// Package dataplane defines what a node needs from the thing that moves its
// packets. Package bpf implements it with TCX programs; dataplane/model is the
// Go model that specifies what those programs do, packet by packet.
//
// The contract, in the terms of one flow: a packet to a VIP is forwarded only
// while the lease holds; otherwise it is dropped and counted, and never reaches
// the host's stack. The first packet of a flow (TCP SYN, or any UDP datagram)
// creates an entry; a mid-flow TCP segment without an entry is dropped and
// counted (MissDrop). Both directions of an entry appear and disappear together.
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

// AllPending is the limit of a Poll that takes every event that is pending.
const AllPending = math.MaxInt

// Mode says how a service's packets are translated.
type Mode uint8

const (
	// FullNAT rewrites the destination to the backend and the source to the
	// service's backend-side VIP with a port of the node's half of the range.
	FullNAT Mode = iota + 1
	// DNAT rewrites only the destination; backends route their replies through
	// the backend-side VIP.
	DNAT
)

func (m Mode) String() string {
	switch m {
	case FullNAT:
		return "fullnat"
	case DNAT:
		return "dnat"
	}
	return fmt.Sprintf("mode%d", uint8(m))
}

// Balance says how a new flow chooses its backend.
type Balance uint8

const (
	RoundRobin Balance = iota + 1
	Maglev             // consistent hashing; the same choice on both nodes
)

func (b Balance) String() string {
	switch b {
	case RoundRobin:
		return "rr"
	case Maglev:
		return "maglev"
	}
	return fmt.Sprintf("balance%d", uint8(b))
}

// Service is one balanced service.
type Service struct {
	flow.Service
	Name     string
	Mode     Mode
	Balance  Balance
	SNAT     flow.Addr // the backend-side VIP: source of fullnat flows, gateway of dnat backends
	Backends []Backend
	// Weights are the backends' shares of new flows, in the order of Backends; nil means
	// equal shares.
	Weights []int
	// Affinity is how long after its last new flow a client's next one goes to the same
	// backend, if that gets new flows; 0 is for no time.
	Affinity time.Duration
	// Refuse has a new flow answered while there are no backends, with a RST or a port
	// unreachable; otherwise it is only dropped.
	Refuse bool
}

// Weight returns the weight of a backend by its index.
func (s Service) Weight(i int) int {
	if s.Weights == nil {
		return 1
	}
	return s.Weights[i]
}

// SameSlots reports whether the new flows of two services go to the same backends in the same
// shares and the same order.
func (s Service) SameSlots(o Service) bool {
	return s.Balance == o.Balance && slices.Equal(s.Backends, o.Backends) && slices.Equal(s.Weights, o.Weights)
}

// MaxWeight is the largest weight of a backend.
const MaxWeight = 1000

// Backend is one real server. Order in the list is part of the configuration,
// not of a flow's identity.
type Backend struct {
	Addr flow.Addr
	Port uint16
}

// PortRange is an inclusive range of SNAT ports. The two nodes of a pair use
// disjoint halves, so that a new MASTER cannot collide with a flow that it has
// not heard of.
type PortRange struct{ First, Last uint16 }

// Lower and Upper return the two halves of a range.
func (r PortRange) Lower() PortRange { return PortRange{r.First, r.First + (r.Last-r.First)/2} }
func (r PortRange) Upper() PortRange { return PortRange{r.First + (r.Last-r.First)/2 + 1, r.Last} }

// VIP is an address that this node answers ARP or, of IPv6, neighbour solicitations for
// on one link while it holds the lease.
type VIP struct {
	Addr netip.Addr
	Link string
}

// Timeouts is how long an entry outlives its last packet, by state.
type Timeouts struct {
	SynSent, Established, FinWait, Closed, Unreplied, Assured time.Duration
}

// DefaultTimeouts are those of RFC 5382 REQ-5 for a connection that is open, or that one
// side has closed (RFC 6146 3.5.2.2), and those of netfilter elsewhere: docs/conntrack.md
// says why an opening or closed one does not stay for the four minutes of the RFC.
func DefaultTimeouts() Timeouts {
	return Timeouts{
		SynSent: 60 * time.Second, Established: 7440 * time.Second, FinWait: 7440 * time.Second,
		Closed: 10 * time.Second, Unreplied: 30 * time.Second, Assured: 120 * time.Second,
	}
}

// SeenEvery is how often an entry notes that its packets go on. An entry may count as
// idle for as long before it is.
const SeenEvery = time.Second

// Of returns the timeout of a state.
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

// Config is all that the dataplane must know before it may forward.
type Config struct {
	ClientLink, BackendLink string // interface names, in the caller's namespace
	Services                []Service
	VIPs                    []VIP
	SNATPorts               PortRange // this node's half
	// SNATSeed orders the ports that a flow tries. A node draws a new one at each
	// start: a backend may still hold connections from ports that the node has
	// forgotten, and they should not be the first that it hands out.
	SNATSeed uint64
	Timeouts Timeouts
	MaxFlows int // capacity of each family's table; 0 means DefaultMaxFlows
	// KeepEmbryonic leaves entries that nobody has answered their timeout under pressure too.
	KeepEmbryonic bool
	DropEcho      bool // a ping of a VIP is dropped, not answered
	ICMPRate      int  // approximate limit of ICMP errors per second and family; 0 means DefaultICMPRate
	// Pin is the folder in which the table outlives the process; "" has it end with it.
	Pin string
}

// Adoption is the outcome for a table that an earlier process left.
type Adoption struct {
	// Taken: the earlier process's table is in use. Its lease has ended.
	Taken    bool
	Pedigree flow.Pedigree // as stored with the table, if Taken
	// Refused says why the table did not fit and was removed; "" otherwise.
	Refused string
}

// HasIPv6 reports whether the configuration has an IPv6 address.
func (c Config) HasIPv6() bool {
	return slices.ContainsFunc(c.VIPs, func(v VIP) bool { return v.Addr.Is6() }) ||
		slices.ContainsFunc(c.Services, func(s Service) bool { return !s.VIP.Is4() })
}

// The fragments of a datagram are translated like its first one for FragmentLife after it
// (RFC 791 3.2), of MaxFragmented datagrams at a time.
const (
	FragmentLife  = 15 * time.Second
	MaxFragmented = 4096
)

// DefaultICMPRate is as Linux has it for all of a host's errors (icmp_msgs_per_sec).
const DefaultICMPRate = 1000

// MissPolicy is what happens to a mid-flow TCP segment that finds no entry.
type MissPolicy uint8

const (
	// MissDrop drops and counts it: the state may still arrive, and TCP retransmits.
	MissDrop MissPolicy = iota
	// MissAdopt takes it up where whoever opened the flow must have chosen the same
	// backend and the same ports, so that nobody has to be told: in DNAT mode with
	// Maglev. Elsewhere it drops.
	MissAdopt
	// MissGuess takes it up in every mode, with whatever backend is chosen now. It is
	// the bug in which a restored MASTER resets its clients.
	MissGuess
)

// Drop is a reason for which a packet was dropped.
type Drop uint8

const (
	DropNoLease         Drop = iota // to a VIP while the lease does not hold
	DropMiss                        // mid-flow segment without an entry
	DropNoService                   // to a VIP, but to no service of it
	DropNoBackend                   // the service has no backends
	DropNoPort                      // no free SNAT port
	DropTableFull                   // the connection table is full
	DropMalformed                   // truncated or inconsistent headers
	DropFragment                    // a fragment whose first has not come by, or one for which there is no room
	DropOtherProto                  // to a VIP, neither TCP nor UDP nor ICMP nor ARP
	DropICMP                        // ICMP that is of no flow, or of no kind that is passed on
	DropICMPForged                  // an ICMP error about a segment that cannot be under way (RFC 5927)
	DropTTL                         // has gone too far
	DropTooBig                      // for the link by which it would leave
	DropSource                      // from an address that no host has, or that this node or the VIP has
	DropChecksum                    // the IP header's checksum is wrong
	DropSourceRoute                 // its sender has chosen its route (LSRR, SSRR)
	DropUnconfirmed                 // a RST to a flow that was adopted and that no backend has confirmed
	DropFragmentOverlap             // a fragment of bytes that have come already
	DropKinds                       // the number of reasons
)

var dropNames = [DropKinds]string{"no-lease", "miss", "no-service", "no-backend", "no-port", "table-full",
	"malformed", "fragment", "other-proto", "icmp", "icmp-forged", "ttl", "too-big", "source", "checksum",
	"source-route", "unconfirmed", "fragment-overlap"}

func (d Drop) String() string { return dropNames[d] }

// Counters are monotonic since Configure.
type Counters struct {
	Forwarded  [2]uint64 // packets: original direction, reply direction
	Bytes      [2]uint64
	Created    uint64 // entries opened by first packets
	Adopted    uint64 // entries created by mid-flow segments
	ARPReplies uint64 // ARP replies and neighbour advertisements
	Dropped    [DropKinds]uint64
	EventsLost uint64 // flow events that found the ring buffer full
	Evicted    uint64 // entries that Sweep deleted before their timeout, under pressure
	Resets     uint64 // RSTs to clients of a service without backends
	// EchoReplies are those to pings of a VIP. ICMPErrors told a sender that its packet was
	// dropped, for its TTL, its size, or because no backend serves.
	EchoReplies, ICMPErrors uint64
	Fragments               uint64 // of forwarded
	Unproven                uint64 // RSTs, FINs and SYNs that were forwarded and changed no state: see docs/conntrack.md
}

// Refusals counts new flows of a service that were dropped, by reason.
type Refusals struct {
	NoBackend, NoPort, TableFull uint64
}

// Dataplane moves packets. Its methods are called from one goroutine, except that
// another may be in Wait, and a third in Dump or Sweep, which take as long as the
// table is large: beside those two, only Apply, Delete and SetServices are not called.
type Dataplane interface {
	// Lease allows forwarding until the given instant of CLOCK_BOOTTIME; an
	// instant in the past forbids it at once.
	Lease(until clock.Instant) error
	// SetMAC tells that a link has another hardware address: ARP is answered with it
	// from here on.
	SetMAC(link string, mac [6]byte) error
	// SetMiss chooses what a mid-flow segment without an entry meets.
	SetMiss(MissPolicy) error
	// SetServices replaces the services and the VIPs that are answered for. Entries of a service that was unknown
	// when Apply received them take hold now. A service that stays the same keeps its turn
	// of round robin.
	SetServices([]Service, []VIP) error

	// Apply makes the entries hold, replacing those with the same original tuple.
	// It writes in batches; on error none, some or all hold. An entry with the reply
	// tuple of another takes it over, and the other is removed.
	Apply([]flow.Entry) error
	// Delete removes entries, both directions. Absent ones are no error.
	Delete([]flow.Tuple) error
	// Merge is Delete and Apply of what may be older than the table: an entry whose
	// original or reply tuple is in the table is not written, and of those to delete only
	// replicated ones are removed. Whether to is decided as it is done: what a packet
	// changes at that moment stays.
	Merge([]flow.Entry, []flow.Tuple) error
	// Lookup returns the entry of an original tuple.
	Lookup(flow.Tuple) (flow.Entry, bool, error)
	// Dump calls f with each entry until f returns false. The order is unspecified.
	Dump(f func(flow.Entry) bool) error
	// Sweep deletes the entries whose timeout has run at now and returns them. Under pressure
	// embryonic entries live no longer than PressedLife.
	// Entries count as touched no earlier than since: the instant at which this
	// node became MASTER, before which it saw none of their packets.
	Sweep(now, since clock.Instant) ([]flow.Entry, error)

	// Poll hands over flow events, without blocking, in the order in which they
	// happened: at most limit, and none that happens after the call began, so that it
	// ends however fast flows open. It reports whether more can be read.
	Poll(limit int, f func(flow.Event)) (more bool, err error)
	// Wait blocks until an event is pending or the dataplane is closed (io.EOF). It
	// consumes nothing: until Poll has taken what is pending it returns at once.
	Wait() error

	// Adopted returns what became of the table of the process before.
	Adopted() Adoption
	// Keep notes the worth of the table, for a process that adopts it. A table that ends
	// with the process keeps nothing.
	Keep(flow.Pedigree) error

	Counters() (Counters, error)
	// Refused counts the refused new flows of each service, since it was configured.
	Refused() (map[flow.Service]Refusals, error)
	// Close ends the process's hold. A table that outlives it is adopted by the next Open.
	Close() error
}
