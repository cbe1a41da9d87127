package cause

import (
	"fmt"
	"slices"
	"strings"

	"baton/impl/trace"
	verbs "baton/scenarios/fault"
)

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

// gate says why a gate of the node is open; "" if it is closed.
func (n *node) gate(name string) string {
	if g, ok := n.gates[name]; ok && g.Open {
		return fmt.Sprintf(", its gate %s open (%s)", name, g.Why)
	}
	return ""
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
