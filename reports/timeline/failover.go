package timeline

import (
	"fmt"
	"slices"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/fault"
	"baton/scenarios/lab"
)

// Kinds of failovers.
const (
	Takeover = "takeover" // the MASTER is lost
	Handover = "handover" // the MASTER hands its role over
	Seizure  = "seizure"  // the other node becomes MASTER while the MASTER still has the role
)

const (
	master   = "Master"
	claiming = "Claiming"
	yielding = "Yielding"
)

// cause is why a MASTER loses the role.
type cause struct {
	kind, from, what string
	at               clock.Instant
}

// causeOf returns the cause if an event ends the role of the given MASTER.
func causeOf(e trace.Event, masters map[string]bool) (cause, bool) {
	if f := e.Fault; f != nil && f.Phase == "begin" {
		for _, node := range lab.Nodes() {
			if !masters[node] || !slices.Contains(f.Hosts, node) {
				continue
			}
			switch {
			case fault.Takes(f.Verb):
				return cause{Takeover, node, f.Verb + " " + node, e.At}, true
			case fault.Asks(f.Verb):
				return cause{Handover, node, f.Verb + " " + node, e.At}, true
			}
		}
	}
	if r := e.Role; r != nil && r.From == master && r.To == yielding {
		return cause{Handover, e.Node, r.Reason, e.At}, true
	}
	return cause{}, false
}

// failovers lists the changes of the MASTER: each has a cause and then the other node's claim. A fault
// that hits the other node first ends it.
func failovers(a axis, events []trace.Event) []Failover {
	var found []Failover
	masters := map[string]bool{}
	claims := map[string]clock.Instant{}
	var pending *cause
	for i, e := range events {
		if c, ok := causeOf(e, masters); ok && (pending == nil || pending.from != c.from || pending.kind != c.kind) {
			pending = &c
		}
		if f := e.Fault; f != nil && f.Phase == "begin" && pending != nil && fault.Ends(f.Verb) && !slices.Contains(f.Hosts, pending.from) {
			pending = nil // the other node is lost too
		}
		r := e.Role
		if r == nil || r.From == r.To {
			continue
		}
		if r.To == claiming {
			claims[e.Node] = e.At
		}
		if r.To == master {
			if pending == nil {
				pending = seized(e, masters, claims)
			}
			if pending != nil && e.Node != pending.from {
				found = append(found, newFailover(a, events, *pending, e.Node, i))
			}
			pending = nil
		}
		masters[e.Node] = r.To == master
	}
	return found
}

// seized returns the cause if a node becomes MASTER while another is MASTER, else nil. It begins with
// the node's claim, or with the event itself if the trace lacks the claim.
func seized(e trace.Event, masters map[string]bool, claims map[string]clock.Instant) *cause {
	at, ok := claims[e.Node]
	if !ok {
		at = e.At
	}
	for _, node := range lab.Nodes() {
		if node != e.Node && masters[node] {
			return &cause{Seizure, node, e.Node + " takes the role while " + node + " has it", at}
		}
	}
	return nil
}

// newFailover computes the stages. won is the index of the event by which the node became MASTER.
func newFailover(a axis, events []trace.Event, c cause, to string, won int) Failover {
	f := Failover{Kind: c.kind, From: c.from, To: to, Cause: c.what, At: a.at(c.at)}
	s := &stages{events: events, from: c.at, won: events[won].At, to: to}
	s.until = s.lost()
	last, first, probe := s.packets(c)
	f.Probe = probe
	s.begin(c.at)
	switch c.kind {
	case Takeover:
		s.begin(min(last, c.at))
		s.end("detection", s.detected(), "last BFD path of "+to+" down")
	case Handover:
		s.end("yield", s.role(c.from, yielding), c.from+" gives the role away")
	}
	s.end("gate", s.role(to, claiming), to+" claims: its gates are open")
	s.end("install", s.lease(), "the received entries are applied, the epoch is raised, the lease is written")
	s.end("forward", s.won, to+" is MASTER and forwards")
	s.end("announce", s.announced(), "first gratuitous ARP")
	s.end("first packet", first, "first answer to a client")
	f.Total = a.at(s.now) - a.at(s.start)
	for _, p := range s.parts {
		took := a.at(p.to) - a.at(p.from)
		share := 0.0
		if f.Total > 0 {
			share = float64(took) / float64(f.Total)
		}
		f.Steps = append(f.Steps, Stage{Name: p.name, From: a.at(p.from), Took: took, Share: share, What: p.what})
	}
	return f
}

// stages collects the stages of a failover in their order.
type stages struct {
	events     []trace.Event
	from       clock.Instant // of the cause
	won        clock.Instant // when the node became MASTER
	until      clock.Instant // end of the events that belong to the failover
	to         string        // the new MASTER
	start, now clock.Instant
	parts      []part
}

type part struct {
	name, what string
	from, to   clock.Instant
}

func (s *stages) begin(at clock.Instant) { s.start, s.now = at, at }

// end appends the stage that ends at an instant; 0 means unknown. A stage that ended before the
// previous one has no duration.
func (s *stages) end(name string, at clock.Instant, what string) {
	if at == 0 {
		return
	}
	at = max(at, s.now)
	s.parts = append(s.parts, part{name, what, s.now, at})
	s.now = at
}

// find returns the instant of the first matching event between two times, 0 if there is none.
func (s *stages) find(from, to clock.Instant, meant func(trace.Event) bool) clock.Instant {
	for _, e := range s.events {
		if e.At >= from && e.At <= to && meant(e) {
			return e.At
		}
	}
	return 0
}

func (s *stages) role(node, role string) clock.Instant {
	return s.find(s.from, s.won, func(e trace.Event) bool {
		return e.Node == node && e.Role != nil && e.Role.From != e.Role.To && e.Role.To == role
	})
}

// lease is when the new MASTER first wrote its lease.
func (s *stages) lease() clock.Instant {
	return s.find(s.from, s.won, func(e trace.Event) bool { return e.Node == s.to && e.Lease != nil && e.Lease.Until > e.At })
}

func (s *stages) announced() clock.Instant {
	return s.find(s.won, s.until, func(e trace.Event) bool { return e.Node == s.to && e.Announce != nil })
}

// detected is when the last path of the survivor went down before its claim.
func (s *stages) detected() clock.Instant {
	var at clock.Instant
	for _, e := range s.events {
		if e.At >= s.from && e.At <= s.won && e.Node == s.to && e.BFD != nil && e.BFD.From == "Up" {
			at = e.At
		}
	}
	return at
}

// packetsAfter is how long after a node became MASTER a packet still belongs to the failover.
const packetsAfter = clock.Instant(10e9)

// lost is when the new MASTER lost the role again or was hit by a fault, at most packetsAfter after it
// became MASTER.
func (s *stages) lost() clock.Instant {
	mine := map[string]bool{s.to: true}
	for _, e := range s.events {
		if e.At <= s.won {
			continue
		}
		if _, ends := causeOf(e, mine); ends || e.Node == s.to && e.Role != nil && e.Role.From == master && e.Role.To != master {
			return min(e.At, s.won+packetsAfter)
		}
	}
	return s.won + packetsAfter
}

// packets returns the last answer to a client before the change and the first one after it: of a UDP
// probe with a gap, or, without one, of the frames at the client edge. TCP sessions do not count,
// because they wait for their retransmission timers.
func (s *stages) packets(c cause) (last, first clock.Instant, probe string) {
	for _, e := range s.events {
		if g := e.Gap; g != nil && g.Proto == "udp" && g.From <= s.won && g.To >= c.at && g.To <= s.until {
			if first == 0 || g.To < first {
				last, first, probe = g.From, g.To, fmt.Sprintf("%s/%s (udp)", g.Name, g.Flow)
			}
		}
	}
	if first != 0 {
		return last, first, probe
	}
	i := slices.IndexFunc(s.events, func(e trace.Event) bool {
		return e.Forwarder != nil && e.At >= c.at && e.At <= s.until && e.Node == s.to && e.Forwarder.From == c.from && e.Forwarder.Edge == lab.Clients
	})
	if i < 0 {
		return c.at, 0, "no traffic shows it"
	}
	return s.events[i].Forwarder.Last, s.events[i].At, "frames at the client edge"
}
