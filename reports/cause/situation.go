package cause

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
	verbs "baton/scenarios/fault"
	"baton/scenarios/lab"
)

// situation describes the state of the pair during a harm that no misdeed explains.
func situation(events []trace.Event, harm Harm) (Cause, bool) {
	switch harm.Kind {
	case Silence:
		return silent(events, harm)
	case Waiting:
		return waiting(events, harm)
	case Unsynced:
		return unsynced(events, harm)
	case Apart:
		if found, ok := overlap(events, harm); ok {
			return found, true
		}
		return apart(events, harm)
	case Mixed:
		return mixed(events, harm)
	case Unconnected:
		return refused(events, harm)
	}
	return Cause{}, false
}

// silent describes who was MASTER while clients got no answer, and what is unusual about it. The
// first node that became MASTER in that time should have answered them: later ones inherit its table.
func silent(events []trace.Event, harm Harm) (Cause, bool) {
	taker, at := firstMaster(events, harm.From, harm.To-1)
	p, taken := stateAt(events, at)
	m := p.master()
	if taker != "" {
		m = p.node(taker)
	}
	if m == nil {
		return nobody(p, harm)
	}
	if found, ok := withoutBackend(events, harm, m); ok {
		return found, true
	}
	if before, _ := stateAt(events, harm.From); before.master() != nil && before.master().name == m.name && m.left > harm.From && m.left < m.since {
		return m.retook(), true
	}
	if found, ok := unheard(events, harm, m); ok && m.since > harm.From {
		return found, true
	}
	switch {
	case harm.Ended && m.since > harm.From && harm.To.Sub(m.since) <= m.since.Sub(harm.From):
		return Cause{m.since, m.name, fmt.Sprintf("%s became MASTER (%s), and the flows continued", m.name, m.claimWhy)}, true
	case m.since > harm.From && taken == 0 && m.synced:
		return Cause{m.since, m.name, fmt.Sprintf("%s became MASTER with an empty table although it reported that it was in sync, and the sessions did not continue", m.name)}, true
	case m.since > harm.From && m.synced:
		return Cause{m.since, m.name, fmt.Sprintf("%s became MASTER and reported that it was in sync, but not all sessions continued", m.name)}, true
	case m.since > harm.From && m.phase == "":
		return Cause{m.since, m.name, fmt.Sprintf("%s became MASTER, and not all sessions continued", m.name)}, true
	case m.since > harm.From:
		return Cause{m.since, m.name, fmt.Sprintf("%s became MASTER out of sync, and not all sessions continued", m.name)}, true
	}
	return stayed(p, events, harm)
}

// firstMaster returns the first node that became MASTER after from and until the instant until, and
// when. Without one it returns "" and until.
func firstMaster(events []trace.Event, from, until clock.Instant) (node string, at clock.Instant) {
	for _, e := range events {
		if e.At > from && e.At <= until && e.Role != nil && e.Role.To == "Master" && e.Role.From != e.Role.To {
			return e.Node, e.At
		}
	}
	return "", until
}

// nobody describes why no node is MASTER.
func nobody(p *pair, harm Harm) (Cause, bool) {
	for _, n := range p.nodes {
		if n.alive && n.role != "" {
			return Cause{max(n.since, harm.From), n.name, fmt.Sprintf("nobody was MASTER: %s stayed %s%s", n.name, n.role, n.closed())}, true
		}
	}
	return Cause{}, false
}

// stayed describes a node that remained MASTER after a fault that may have prevented it from
// serving.
func stayed(p *pair, events []trace.Event, harm Harm) (Cause, bool) {
	m := p.master()
	fault, _ := lastFault(events, harm.From.Add(grace))
	if m == nil || fault == nil {
		return Cause{}, false
	}
	switch {
	case m.back > 0 && m.back >= harm.From:
		return Cause{m.back, m.name, fmt.Sprintf("%s began to hand over after %s and took the role back (%s)", m.name, fault.What(), m.backWhy)}, true
	case m.left > 0 && m.left >= harm.From:
		return m.retook(), true
	}
	gate := "Reachable"
	if fault.Verb == verbs.Down {
		gate = "LinksUp"
	}
	return Cause{harm.From, m.name, fmt.Sprintf("%s stayed MASTER after %s%s", m.name, fault.What(), m.gate(gate))}, true
}

// refusedHandover finds the answer of the node that refused the handover that the harm begins with.
func refusedHandover(events []trace.Event, harm Harm) (Cause, bool) {
	fault, began := lastFault(events, harm.From.Add(grace))
	if fault == nil || fault.Verb != verbs.Handover {
		return Cause{}, false
	}
	for _, e := range events {
		if e.At > harm.To {
			break
		}
		if f := e.Fault; f != nil && f.ID == fault.ID && f.Phase == "receipt" {
			if asked, why, refused := strings.Cut(f.Receipt, " refused: "); refused {
				return Cause{e.At, asked, fmt.Sprintf("%s refused %s%s: %s", asked, f.What(), following(events, began-1), strings.TrimPrefix(why, "handover refused: "))}, true
			}
		}
	}
	return Cause{}, false
}

// retook describes a MASTER that lost the role for a time in which no other node took it.
func (n *node) retook() Cause {
	return Cause{n.left, n.name, fmt.Sprintf("%s gave up the role (%s) and took it again before its peer did", n.name, n.leftWhy)}
}

// gate says why a gate of the node is open; "" if it is closed.
func (n *node) gate(name string) string {
	if g, ok := n.gates[name]; ok && g.Open {
		return fmt.Sprintf(", its gate %s open (%s)", name, g.Why)
	}
	return ""
}

// waiting describes why a node does not have the expected role.
func waiting(events []trace.Event, harm Harm) (Cause, bool) {
	p, _ := stateAt(events, harm.To)
	i := slices.IndexFunc(p.nodes, func(n *node) bool { return n.name == harm.Node })
	if i < 0 {
		return Cause{}, false
	}
	n := p.nodes[i]
	peer := p.peerOf(n.name)
	switch {
	case n.left > 0 && n.left >= harm.From:
		return Cause{n.left, n.name, fmt.Sprintf("%s gave up the role (%s)%s", n.name, n.leftWhy, following(events, n.left))}, true
	case peer != nil && peer.alive && peer.role == "Master" && n.role == "Backup":
		if found, ok := refusedHandover(events, harm); ok {
			return found, true
		}
		fault, _ := lastFault(events, harm.To)
		switch {
		case fault == nil:
			return Cause{peer.since, peer.name, fmt.Sprintf("%s became MASTER (%s) before %s, which stayed Backup%s", peer.name, peer.claimWhy, n.name, n.closed())}, true
		case verbs.Undoes(fault.Verb): // nothing made the MASTER leave
			return Cause{peer.since, peer.name, fmt.Sprintf("%s became MASTER (%s)%s and kept the role; %s stayed Backup%s",
				peer.name, peer.claimWhy, following(events, peer.since), n.name, n.closed())}, true
		}
		return stayed(p, events, harm)
	}
	return Cause{max(n.since, harm.From), n.name, fmt.Sprintf("%s stayed %s%s%s", n.name, n.role, following(events, harm.To), n.closed())}, n.role != ""
}

// unsynced finds a node without a sync stream although both BFD sessions on the sync link are Up.
func unsynced(events []trace.Event, harm Harm) (Cause, bool) {
	p, _ := stateAt(events, harm.To)
	i := slices.IndexFunc(p.nodes, func(n *node) bool { return n.name == harm.Node })
	if i < 0 {
		return Cause{}, false
	}
	n, peer := p.nodes[i], p.peerOf(harm.Node)
	idle := n.phase == "lost" || n.phase == "idle"
	if peer == nil || !idle || n.paths[lab.Sync] != up || peer.paths[lab.Sync] != up {
		return Cause{}, false
	}
	return Cause{max(p.last, harm.From), n.name, fmt.Sprintf("%s has no sync stream to %s, although their BFD session on the sync link is Up", n.name, peer.name)}, true
}

// mixed describes who mixed up two flows: the generator, which sent a message with another flow's
// name, or the load balancer, which delivered the answers of both to one of them.
func mixed(events []trace.Event, harm Harm) (Cause, bool) {
	i := slices.IndexFunc(events, func(e trace.Event) bool {
		return e.Traffic != nil && e.Traffic.Event == trace.TrafficCorrupt && e.At >= harm.From.Add(-grace)
	})
	if i < 0 {
		return Cause{}, false
	}
	e := events[i]
	p, _ := stateAt(events, e.At)
	m := p.master()
	switch {
	case strings.HasPrefix(e.Traffic.Why, trace.EchoMixed):
		return Cause{e.At, e.Node, fmt.Sprintf("the traffic generator of %s mixed up its flows: it sent a message of one in the name of another", e.Node)}, true
	case strings.HasPrefix(e.Traffic.Why, trace.EchoForeign) && m != nil:
		return Cause{e.At, m.name, fmt.Sprintf("%s sent the answer to one flow to another: both share one SNAT port", m.name)}, true
	}
	return Cause{}, false
}

// up is the state of a BFD session.
const up = "Up"

// rejoined is how long a session may take to come Up after a heal, at BFD's slow interval.
const rejoined = time.Second

// apart finds a node that does not hear its peer, or that ignores that its peer does not hear it, although
// nothing is cut.
func apart(events []trace.Event, harm Harm) (Cause, bool) {
	p, _ := stateAt(events, harm.To)
	if len(p.nodes) != 2 || len(p.cuts) > 0 || harm.To < p.last.Add(rejoined) || slices.ContainsFunc(p.nodes, func(n *node) bool { return !n.alive }) {
		return Cause{}, false
	}
	for i, n := range p.nodes {
		peer := p.nodes[1-i]
		var deaf, ignored []string
		for _, path := range slices.Sorted(maps.Keys(n.paths)) {
			switch {
			case n.paths[path] == "Down" && peer.paths[path] == "Init":
				deaf = append(deaf, path)
			case n.paths[path] == "Down" && peer.paths[path] == up:
				ignored = append(ignored, path)
			}
		}
		if len(deaf) > 0 {
			return Cause{p.last, n.name, fmt.Sprintf("%s does not hear %s on %s, although nothing is cut", n.name, peer.name, strings.Join(deaf, " and "))}, true
		}
		if len(ignored) > 0 {
			return Cause{p.last, peer.name, fmt.Sprintf("the BFD sessions of %s on %s stayed Up although those of %s are Down, and nothing is cut", peer.name, strings.Join(ignored, " and "), n.name)}, true
		}
	}
	return Cause{}, false
}

// closed lists the closed gates of a node and why they are closed.
func (n *node) closed() string {
	var list []string
	for _, name := range []string{"LinksUp", "DataplaneReady", "Reachable", "Arbitrated", "NoMaster", "HoldDown", "InSync"} {
		if g, ok := n.gates[name]; ok && !g.Open {
			list = append(list, fmt.Sprintf("%s closed (%s)", name, g.Why))
		}
	}
	if len(list) == 0 {
		return ""
	}
	return " with " + strings.Join(list, " and ")
}

// stateAt returns the state at an instant. taken is the number of entries of the last claimant when
// it claimed, -1 if unknown.
func stateAt(events []trace.Event, until clock.Instant) (p *pair, taken int) {
	p, taken = newPair(), -1
	for _, e := range events {
		if e.At > until {
			break
		}
		p.apply(e)
		if e.Role != nil && e.Role.To == "Claiming" {
			taken = p.node(e.Node).held
		}
	}
	return p, taken
}

// following names the last fault before an instant, unless it is long ago; "" if there is none.
func following(events []trace.Event, at clock.Instant) string {
	const longAgo = 5 * time.Second
	fault, began := lastFault(events, at)
	if fault == nil || at.Sub(began) > longAgo {
		return ""
	}
	return " after " + fault.What()
}

// lastFault returns the last fault that began before an instant, and when it began.
func lastFault(events []trace.Event, before clock.Instant) (last *trace.Fault, began clock.Instant) {
	for _, e := range events {
		if e.At > before {
			break
		}
		if e.Fault != nil && e.Fault.Phase == "begin" {
			last, began = e.Fault, e.At
		}
	}
	return last, began
}
