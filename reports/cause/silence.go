package cause

import (
	"fmt"
	"strings"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
)

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
	if found, ok := usurped(events, harm, m); ok && m.since <= harm.From {
		return found, true
	}
	rest := "and not all sessions continued"
	switch {
	case harm.Ended:
		rest = "and the flows continued late"
	case harm.Kind == Unconnected:
		rest = "and not all new connections were answered"
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
