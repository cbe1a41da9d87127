package cause

import (
	"cmp"
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
	case Ended:
		return ended(events, harm)
	case Moved:
		return moved(events, harm)
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
	if found, ok := neither(events, harm, p); ok {
		return found, true
	}
	if m == nil {
		return nobody(p, harm)
	}
	if found, ok := withoutBackend(events, harm, m); ok {
		return found, true
	}
	before, _ := stateAt(events, harm.From)
	if old := before.master(); old != nil && old.name == m.name && m.left > harm.From && m.left < m.since {
		return m.retook(events), true
	}
	if before.struckBefore(events, harm, m.claimed) {
		return stayed(before, events, harm)
	}
	if found, ok := unheard(events, harm, m); ok && m.since > harm.From {
		return found, true
	}
	rest := "and not all sessions continued"
	if harm.Ended {
		rest = "and the flows continued late"
	}
	switch {
	case harm.Ended && m.since > harm.From && harm.To.Sub(m.since) <= m.since.Sub(harm.From)+minRTO:
		return Cause{m.since, m.name, fmt.Sprintf("%s became MASTER (%s)%s, and the flows continued", m.name, m.claimWhy, following(events, m.claimed, nil, 0))}, true
	case m.since > harm.From && taken == 0 && m.synced && bothEnded(events, m.claimed) != nil:
		return Cause{m.since, m.name, fmt.Sprintf("%s became MASTER with an empty table, because %s took the tables of both nodes, %s", m.name, listed(bothEnded(events, m.claimed)), rest)}, true
	case m.since > harm.From && taken == 0 && m.synced:
		return Cause{m.since, m.name, fmt.Sprintf("%s became MASTER with an empty table although it reported that it was in sync, %s", m.name, rest)}, true
	case m.since > harm.From && m.synced:
		return Cause{m.since, m.name, fmt.Sprintf("%s became MASTER and reported that it was in sync, %s", m.name, strings.Replace(rest, "and", "but", 1))}, true
	case m.since > harm.From && m.phase == "":
		return Cause{m.since, m.name, fmt.Sprintf("%s became MASTER, %s", m.name, rest)}, true
	case m.since > harm.From:
		return Cause{m.since, m.name, fmt.Sprintf("%s became MASTER out of sync%s, %s", m.name, unlinked(events, m.claimed), rest)}, true
	}
	if found, ok := stayed(p, events, harm); ok {
		return found, true
	}
	lately := following(events, m.claimed, nil, 0)
	return Cause{m.since, m.name, fmt.Sprintf("%s became MASTER (%s)%s, %s", m.name, m.claimWhy, lately, rest)}, lately != "" && harm.From.Sub(m.since) < longAgo
}

// minRTO is the shortest retransmission timeout of TCP (Linux: TCP_RTO_MIN). A flow continues with the first
// retransmission after a takeover, and the timeouts double.
const minRTO = 200 * time.Millisecond

// struckBefore reports whether a fault kept the MASTER from serving when a harm began, and the takeover at a later instant
// had another fault.
func (p *pair) struckBefore(events []trace.Event, harm Harm, takeover clock.Instant) bool {
	m := p.master()
	if m == nil || takeover <= harm.From {
		return false
	}
	first, began := concerning(events, harm.From.Add(grace), m)
	last, later := lastFault(events, takeover)
	return first != nil && !asks(first) && harm.From.Sub(began) < longAgo && last.ID != first.ID && later > harm.From.Add(grace) && !undoes(last, first)
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
	if m == nil {
		return Cause{}, false
	}
	if found, ok := m.resumed(events, harm); ok {
		return found, true
	}
	fault, _ := concerning(events, harm.From.Add(grace), m)
	if fault == nil {
		return Cause{}, false
	}
	gate := ""
	switch verb, _ := verbs.Of(fault.Verb); {
	case verb.On == verbs.Ports:
		gate = m.gate("LinksUp")
	case verb.On == verbs.Wires || elsewhere(fault):
		gate = m.gate("Reachable")
	}
	return Cause{harm.From, m.name, fmt.Sprintf("%s stayed MASTER after %s%s", m.name, fault.What(), gate)}, true
}

// resumed describes a MASTER that took the role again since a harm, or the request for a handover before it, began:
// during its handover, or after it had given up the role.
func (n *node) resumed(events []trace.Event, harm Harm) (Cause, bool) {
	since := harm.From
	if fault, began := concerning(events, harm.From.Add(grace), n); asks(fault) {
		since = min(since, began)
	}
	switch {
	case n.back > 0 && n.back >= since:
		p, _ := stateAt(events, n.back-1)
		return Cause{n.back, n.name, fmt.Sprintf("%s began to hand over%s and took the role back (%s)", n.name, following(events, n.back, p.peerOf(n.name), since), n.backWhy)}, true
	case n.left > 0 && n.left >= since:
		return n.retook(events), true
	}
	return Cause{}, false
}

// concerning is the last fault before an instant that is not undone and that can keep a MASTER from serving, or
// asks for a handover, and when it began; nil if there is none. A fault between the nodes, or on the other one, is none.
func concerning(events []trace.Event, before clock.Instant, m *node) (last *trace.Fault, began clock.Instant) {
	for _, e := range events {
		switch f := e.Fault; {
		case e.At > before:
			return last, began
		case f == nil || f.Phase != "begin":
		case last != nil && undoes(f, last):
			last = nil
		case concerns(f, m) && !(asks(last) && elsewhere(f)):
			last, began = f, e.At
		}
	}
	return last, began
}

// asks reports whether a fault requests a handover, and elsewhere whether it acts on no node and no link of one.
func asks(f *trace.Fault) bool { return f != nil && verbs.Asks(f.Verb) }
func elsewhere(f *trace.Fault) bool {
	return len(f.Directions) == 0 && !slices.ContainsFunc(f.Hosts, lab.IsNode)
}

func concerns(f *trace.Fault, m *node) bool {
	verb, _ := verbs.Of(f.Verb)
	if verb.Asks || verb.Undo == "" {
		return verb.Asks
	}
	return slices.ContainsFunc(f.Hosts, func(host string) bool { return host == m.name || !lab.IsNode(host) }) ||
		slices.ContainsFunc(f.Directions, func(d trace.Direction) bool {
			return (d.From == m.name || d.To == m.name) && !(lab.IsNode(d.From) && lab.IsNode(d.To))
		})
}

// ended describes a client or backend that ended connections because its process ended, or that reset them because it had
// come back without them.
func ended(events []trace.Event, harm Harm) (Cause, bool) {
	for i, e := range events {
		if e.At < harm.From || e.At > harm.To.Add(grace) {
			continue
		}
		switch {
		case e.RST != nil:
			if found, ok := hostEnded(events[:i], cmp.Or(e.RST.Origin, e.RST.Sender)); ok {
				return found, true
			}
		case e.Traffic != nil && e.Traffic.Event == trace.TrafficLost:
			host := e.Traffic.Backend
			if f, began := lastFault(events[:i], e.At); host == "" && f != nil && len(f.Hosts) == 1 && e.At.Sub(began) < promptly {
				host = f.Hosts[0]
			}
			if found, ok := hostEnded(events[:i], host); ok {
				return found, true
			}
		}
	}
	return Cause{}, false
}

// promptly is how long the end of a host's process takes to end its connections at most. The trace does not name the
// backend of every flow.
const promptly = 100 * time.Millisecond

// hostEnded describes a client or backend whose process has ended, or was started again since.
func hostEnded(events []trace.Event, host string) (Cause, bool) {
	var last trace.Event
	for _, e := range events {
		if f := e.Fault; f != nil && f.Phase == "begin" && slices.Contains(f.Hosts, host) && (verbs.Ends(f.Verb) || verbs.Undoes(f.Verb)) {
			last = e
		}
	}
	switch {
	case last.Fault == nil || lab.IsNode(host):
		return Cause{}, false
	case verbs.Ends(last.Fault.Verb):
		return Cause{last.At, host, fmt.Sprintf("%s ended its connections", last.Fault.What())}, !verbs.Unpowers(last.Fault.Verb)
	}
	gone := undone(events, last.Fault, last.At)
	if gone == nil || !verbs.Ends(gone.Verb) {
		return Cause{}, false
	}
	return Cause{last.At, host, fmt.Sprintf("%s came back after %s without its connections, and reset their segments", host, gone.What())}, true
}

// bothEnded returns the faults by which both nodes lost their tables before an instant: the process of one ended while the
// other was down, or had no table yet. It is nil if a node kept its table.
func bothEnded(events []trace.Event, before clock.Instant) []*trace.Fault {
	down := map[string]*trace.Fault{} // by node
	var both []*trace.Fault
	for _, e := range events {
		f := e.Fault
		switch {
		case e.At > before:
			return both
		case e.Replica != nil && e.Replica.Entries > 0, e.Sync != nil && e.Sync.Entries > 0:
			delete(down, e.Node) // it was restored and has a table
			continue
		case f == nil || f.Phase != "begin":
			continue
		}
		for _, host := range f.Hosts {
			switch {
			case !lab.IsNode(host):
			case verbs.Ends(f.Verb):
				down[host] = f
			}
		}
		if len(down) == len(lab.Nodes()) {
			both = nil
			for _, node := range lab.Nodes() {
				if both = append(both, down[node]); len(both) == 2 && both[0] == both[1] {
					both = both[:1]
				}
			}
			slices.SortStableFunc(both, func(a, b *trace.Fault) int { return cmp.Compare(a.ID, b.ID) })
		}
	}
	return both
}

// moved describes a node without the flows of its peer that became MASTER last and gave them to other backends.
func moved(events []trace.Event, harm Harm) (Cause, bool) {
	p, _ := stateAt(events, harm.From)
	m := p.master()
	if m == nil || m.synced || m.phase == "" || m.since > harm.From {
		return Cause{}, false
	}
	peer := p.peerOf(m.name)
	if peer == nil || !slices.ContainsFunc(events, func(e trace.Event) bool {
		return e.Node == peer.name && e.Role != nil && e.Role.To == "Master" && e.At < m.since
	}) {
		return Cause{}, false
	}
	return Cause{m.since, m.name, fmt.Sprintf("%s became MASTER out of sync%s, and gave flows of %s to other backends", m.name, unlinked(events, m.claimed), peer.name)}, true
}

// refusedHandover finds the answer of the node that refused the handover that the harm begins with.
func refusedHandover(events []trace.Event, harm Harm, m *node) (Cause, bool) {
	fault, began := concerning(events, harm.From.Add(grace), m)
	if fault == nil || fault.Verb != verbs.Handover {
		return Cause{}, false
	}
	for _, e := range events {
		if e.At > harm.To {
			break
		}
		if f := e.Fault; f != nil && f.ID == fault.ID && f.Phase == "receipt" {
			if asked, why, refused := strings.Cut(f.Receipt, " refused: "); refused {
				return Cause{e.At, asked, fmt.Sprintf("%s refused %s%s: %s", asked, f.What(), following(events, began-1, nil, 0), strings.TrimPrefix(why, "handover refused: "))}, true
			}
		}
	}
	return Cause{}, false
}

// retook describes a MASTER that lost the role for a time in which no other node took it, and what kept its peer
// from taking it.
func (n *node) retook(events []trace.Event) Cause {
	p, _ := stateAt(events, n.claimed-1)
	kept := ""
	if peer := p.peerOf(n.name); peer != nil {
		if why := during(events, peer, n.left, n.claimed, nil) + peer.closed(); why != "" && peer.role != "" {
			kept = ", which stayed " + peer.role + why
		}
	}
	return Cause{n.left, n.name, fmt.Sprintf("%s gave up the role (%s) and took it again before its peer did%s", n.name, n.leftWhy, kept)}
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
		return Cause{n.left, n.name, fmt.Sprintf("%s gave up the role (%s)%s", n.name, n.leftWhy, following(events, n.left, n, n.left))}, true
	case peer != nil && peer.alive && peer.role == "Master" && n.role == "Backup":
		if found, ok := refusedHandover(events, harm, peer); ok {
			return found, true
		}
		if found, ok := peer.resumed(events, harm); ok {
			return found, true
		}
		fault, _ := concerning(events, harm.To, peer)
		before, _ := lastFault(events, harm.To)
		switch {
		case before == nil:
			return Cause{peer.since, peer.name, fmt.Sprintf("%s became MASTER (%s) before %s, which stayed Backup%s", peer.name, peer.claimWhy, n.name, n.closed())}, true
		case fault == nil: // nothing made the MASTER leave
			return Cause{peer.since, peer.name, fmt.Sprintf("%s became MASTER (%s)%s and kept the role; %s stayed Backup%s",
				peer.name, peer.claimWhy, following(events, peer.since, nil, 0), n.name, n.closed())}, true
		}
		found, ok := stayed(p, events, harm)
		if why := n.closed(); ok && why != "" && !strings.Contains(found.What, " its gate ") {
			found.What += "; " + n.name + " stayed Backup" + why
		}
		return found, ok
	}
	return Cause{max(n.since, harm.From), n.name, fmt.Sprintf("%s stayed %s%s%s", n.name, n.role, following(events, harm.To, n, harm.From), n.closed())}, n.role != ""
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

// longAgo is how long before an instant a fault began that is not its cause any more.
const longAgo = 5 * time.Second

// following names the last fault before an instant, unless it is long ago, and the one that it undid; "" if
// there is none. It also names those that kept a node from acting since another instant.
func following(events []trace.Event, at clock.Instant, n *node, since clock.Instant) string {
	fault, began := lastFault(events, at)
	if fault == nil || at.Sub(began) > longAgo {
		return during(events, n, since, at, nil)
	}
	told := []*trace.Fault{fault}
	if gone := undone(events, fault, began); gone != nil {
		told = []*trace.Fault{gone, fault}
	}
	return " after " + listed(told) + during(events, n, since, at, told)
}

// during names the faults other than those told that kept a node from acting at some time between two instants.
func during(events []trace.Event, n *node, from, to clock.Instant, told []*trace.Fault) string {
	if n == nil {
		return ""
	}
	found := slices.DeleteFunc(effects(events, Harm{From: from, To: to}), func(e effect) bool {
		return e.host != n.name || !verbs.Stops(e.fault.Verb) || slices.Contains(told, e.fault)
	})
	if len(found) == 0 {
		return ""
	}
	return " during " + whats(found)
}

// undone is the last fault that a fault undid, nil if it undid none.
func undone(events []trace.Event, f *trace.Fault, began clock.Instant) (last *trace.Fault) {
	for _, e := range events {
		if e.At > began {
			break
		}
		if e.Fault != nil && e.Fault.Phase == "begin" && undoes(f, e.Fault) {
			last = e.Fault
		}
	}
	return last
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
