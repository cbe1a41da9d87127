package cause

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
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
		return unconnected(events, harm)
	case Ended:
		return ended(events, harm)
	case Moved:
		return moved(events, harm)
	}
	return Cause{}, false
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

// unsynced finds a node without a sync stream although both BFD sessions on the sync link are Up.
func unsynced(events []trace.Event, harm Harm) (Cause, bool) {
	p, _ := stateAt(events, harm.To)
	i := slices.IndexFunc(p.nodes, func(n *node) bool { return n.name == harm.Node })
	if i < 0 {
		return Cause{}, false
	}
	n, peer := p.nodes[i], p.peerOf(harm.Node)
	idle := n.phase == "lost" || n.phase == "idle"
	if apart := unlinked(events, harm.To); peer != nil && idle && apart != "" {
		return Cause{max(p.last, harm.From), n.name, fmt.Sprintf("%s had no sync stream to %s%s", n.name, peer.name, apart)}, true
	}
	if peer == nil || !idle || n.paths[lab.Sync] != up || peer.paths[lab.Sync] != up {
		return Cause{}, false
	}
	return Cause{max(p.last, harm.From), n.name, fmt.Sprintf("%s has no sync stream to %s, although their BFD session on the sync link is Up%s", n.name, peer.name, afflicted(events, harm.To))}, true
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
