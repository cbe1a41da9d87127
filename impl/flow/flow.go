// Package flow defines the types of the connection table that the dataplane, its
// model, the sync protocol and the node share: conntrack tuples, states, entries
// and the events that report their changes. It does no IO. Entries and events hold no
// pointers, so the garbage collector need not scan a table of a million entries.
package flow

import (
	"fmt"
	"strings"
	"time"
)

// Proto is an IP protocol number.
type Proto uint8

// The protocols that are balanced.
const (
	TCP  Proto = 6
	UDP  Proto = 17
	SCTP Proto = 132
)

// Balanced reports whether the protocol is balanced.
func (p Proto) Balanced() bool { return p == TCP || p == UDP || p == SCTP }

func (p Proto) String() string {
	switch p {
	case TCP:
		return "tcp"
	case UDP:
		return "udp"
	case SCTP:
		return "sctp"
	}
	return fmt.Sprintf("proto%d", uint8(p))
}

// ParseProto is the inverse of Proto.String for the protocols that are balanced.
func ParseProto(name string) (Proto, bool) {
	for _, p := range []Proto{TCP, UDP, SCTP} {
		if p.String() == name {
			return p, true
		}
	}
	return 0, false
}

// Service identifies a balanced service. A flow refers to its service by the
// destination of its original tuple, not by an index into a table: the two nodes
// may have their services in different order.
type Service struct {
	VIP   Addr
	Port  uint16
	Last  uint16 // last port of a range that begins at Port; 0 for a single port
	Proto Proto
}

// LastPort is the highest port number.
const LastPort = 65535

// IsRange reports whether the service has a range of ports.
func (s Service) IsRange() bool { return s.Last != 0 }

// Has reports whether a port is one of the service's.
func (s Service) Has(port uint16) bool { return s.Port <= port && port <= max(s.Port, s.Last) }

// Overlaps reports whether two services share ports and neither contains the other's.
func (s Service) Overlaps(o Service) bool {
	if s.VIP != o.VIP || s.Proto != o.Proto || s.Port == o.Port {
		return false // with an equal first port one contains the other
	}
	if o.Port < s.Port {
		s, o = o, s
	}
	last := max(s.Port, s.Last)
	return o.Port <= last && last < max(o.Port, o.Last)
}

// String returns the service as in "tcp 192.0.2.10:80", "tcp 192.0.2.10:8000-8999" and "tcp
// 192.0.2.10:any".
func (s Service) String() string {
	at := s.VIP.WithPort(s.Port).String()
	switch {
	case s.Port == 1 && s.Last == LastPort:
		at = strings.TrimSuffix(at, "1") + "any"
	case s.IsRange():
		at = fmt.Sprintf("%s-%d", at, s.Last)
	}
	return fmt.Sprintf("%s %s", s.Proto, at)
}

// State is a flow's connection-tracking state, modelled on netfilter's.
type State uint8

// TCP and SCTP flows go SynSent → Established → FinWait → Closed. A RST that its receiver would accept
// closes a flow in any state (docs/conntrack.md). UDP flows are Unreplied until the backend answers, or
// until the client of a direct flow sends again; then Assured.
const (
	SynSent State = iota + 1
	Established
	FinWait // a FIN was seen in one direction
	Closed  // both directions closed, or reset: the entry lingers for its short timeout
	Unreplied
	Assured
)

var stateNames = [...]string{SynSent: "syn-sent", Established: "established", FinWait: "fin-wait",
	Closed: "closed", Unreplied: "unreplied", Assured: "assured"}

func (s State) String() string {
	if int(s) < len(stateNames) && stateNames[s] != "" {
		return stateNames[s]
	}
	return fmt.Sprintf("state%d", uint8(s))
}

// Valid reports whether s is one of the states above.
func (s State) Valid() bool { return s >= SynSent && s <= Assured }

// Origin says how an entry got into a node's table. It helps to find the cause of a RST.
type Origin uint8

const (
	Opened  Origin = iota + 1 // by the flow's first packet (TCP SYN, SCTP INIT, first UDP datagram)
	Synced                    // received from the peer
	Adopted                   // by a mid-flow segment that found no entry
)

func (o Origin) String() string {
	switch o {
	case Opened:
		return "opened"
	case Synced:
		return "synced"
	case Adopted:
		return "adopted"
	}
	return fmt.Sprintf("origin%d", uint8(o))
}

// Entry is one flow of the connection table, both directions of it.
type Entry struct {
	Original Tuple // client → VIP
	Reply    Tuple // backend → SNAT address (fullnat), or backend → client (dnat); see DirectReply
	State    State
	Origin   Origin
	// Remaining is the time until the entry expires if no packet arrives, counted from
	// when the entry was read. It is relative because the nodes' clocks differ.
	Remaining time.Duration
}

// Backend returns the backend's address and port.
func (e Entry) Backend() (Addr, uint16) { return e.Reply.Src, e.Reply.SrcPort }

// Event reports that the dataplane created an entry, changed its State or deleted it.
// Packets that change no state cause none.
type Event struct {
	Entry   Entry
	Deleted bool
	// Deferred is a reply that the dataplane holds back. Such an event reports no change: Entry
	// is the reply's flow.
	Deferred Deferred
}

// Deferred is a reply that waits in the dataplane to be sent or dropped. The zero Deferred means
// none.
type Deferred struct {
	ID    uint64 // not 0; increases within a process
	Bytes int    // length of the packet
}
