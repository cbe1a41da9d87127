package cause

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"baton/impl/trace"
	verbs "baton/scenarios/fault"
	"baton/scenarios/lab"
)

// silentFlow is a flow without an answer.
type silentFlow struct{ client, backend string }

// silentFlows returns the flows that were lost during a harm, or, if there are none, those without an
// answer for most of it. A backend is "" if the trace does not name it.
func silentFlows(events []trace.Event, harm Harm) []silentFlow {
	type name struct{ line, flow string }
	backends := map[name]string{}
	var lost, paused []silentFlow
	for _, e := range events {
		switch {
		case e.Traffic != nil && e.Traffic.Event == trace.TrafficLost && e.At >= harm.From && e.At <= harm.To.Add(grace):
			lost = append(lost, silentFlow{clientOf(e.Traffic.Flow), e.Traffic.Backend})
		case e.Traffic != nil && e.Traffic.Event == trace.TrafficFailed:
			if began, ok := unanswered(e); ok && min(e.At, harm.To).Sub(max(began, harm.From)) > harm.To.Sub(harm.From)/2 {
				paused = append(paused, silentFlow{client: clientOf(e.Traffic.Flow)})
			}
		case e.Traffic != nil && e.Traffic.Backend != "":
			backends[name{e.Traffic.Name, e.Traffic.Flow}] = e.Traffic.Backend
		case e.Gap != nil && min(e.Gap.To, harm.To).Sub(max(e.Gap.From, harm.From)) > harm.To.Sub(harm.From)/2:
			paused = append(paused, silentFlow{clientOf(e.Gap.Flow), backends[name{e.Gap.Name, e.Gap.Flow}]})
		}
	}
	if len(lost) > 0 {
		return lost
	}
	return paused
}

// clientOf returns the client of a flow, such as client1 of client1/17.
func clientOf(flow string) string { host, _, _ := strings.Cut(flow, "/"); return host }

// behind returns the earliest effect on each flow for which is holds, one for each fault, by time. There are none if a
// flow has none.
func behind(list []effect, flows []silentFlow, is func(effect, silentFlow) bool) (found []effect) {
	for _, flow := range flows {
		i := slices.IndexFunc(list, func(e effect) bool { return is(e, flow) })
		if i < 0 {
			return nil
		}
		if !slices.ContainsFunc(found, func(e effect) bool { return e.fault == list[i].fault }) {
			found = append(found, list[i])
		}
	}
	slices.SortStableFunc(found, func(a, b effect) int { return cmp.Compare(a.at, b.at) })
	return found
}

// withoutBackend describes the faults that made the backend of each silent flow unreachable. If one is a
// cut between backend and MASTER, it blames the MASTER, because the peer might have served.
func withoutBackend(events []trace.Event, harm Harm, m *node) (Cause, bool) {
	found := behind(effects(events, harm.window()), silentFlows(events, harm), func(e effect, flow silentFlow) bool {
		verb, _ := verbs.Of(e.fault.Verb)
		d := e.direction
		switch {
		case flow.backend == "":
			return false
		case verb.On == verbs.Machines:
			return e.host == flow.backend && verb.To != verbs.Running
		}
		return verb.Severs && d.Only == "" && (d.From == flow.backend && d.To == m.name || d.From == m.name && d.To == flow.backend)
	})
	if len(found) == 0 {
		return Cause{}, false
	}
	took := "took the backend of every flow without an answer"
	if len(found) > 1 {
		took = "took the backends of all flows without an answer"
	}
	if i := slices.IndexFunc(found, func(e effect) bool { return e.host == "" && m.since <= e.at }); i >= 0 {
		return Cause{found[i].at, m.name, fmt.Sprintf("%s stayed MASTER after %s, which %s%s", m.name, whats(found), took, m.gate("Reachable"))}, true
	}
	return Cause{found[0].at, found[0].source(), fmt.Sprintf("%s %s", whats(found), took)}, true
}

// announcing are the kinds of packets that include announcements, besides all.
var announcing = []string{lab.ARP, lab.GARP}

// neither describes the faults that kept both nodes from the clients or backends of all silent flows for most of a harm:
// each node was down, or cut off from them.
func neither(events []trace.Event, harm Harm, p *pair) (Cause, bool) {
	if len(p.nodes) != 2 {
		return Cause{}, false
	}
	list, flows := effects(events, harm.window()), silentFlows(events, harm)
	var found []effect
	told := map[string]bool{} // repeated faults once
	for _, flow := range distinct(flows) {
		var together []stretch
		for _, one := range list {
			for _, other := range list {
				both := one.overlap(other, harm.window())
				if !one.takesFlow(p.nodes[0].name, flow) || !other.takesFlow(p.nodes[1].name, flow) || both.from >= both.to {
					continue
				}
				together = append(together, both)
				for _, e := range []effect{one, other} {
					if !told[e.fault.What()] {
						found, told[e.fault.What()] = append(found, e), true
					}
				}
			}
		}
		if covered(together) <= harm.To.Sub(harm.From)/3 {
			return Cause{}, false
		}
	}
	if len(found) == 0 {
		return Cause{}, false
	}
	slices.SortStableFunc(found, func(a, b effect) int { return cmp.Compare(a.at, b.at) })
	last := found[len(found)-1]
	return Cause{last.at, last.source(), fmt.Sprintf("neither node could serve the clients without an answer (%s)", whats(found))}, true
}

// distinct returns each pair of a client and a backend once.
func distinct(flows []silentFlow) (list []silentFlow) {
	for _, flow := range flows {
		if !slices.Contains(list, flow) {
			list = append(list, flow)
		}
	}
	return list
}

// unheard describes the fault that kept a new MASTER, or its announcements alone, from the clients of all
// silent flows.
func unheard(events []trace.Event, harm Harm, m *node) (Cause, bool) {
	list, flows := effects(events, harm.window()), silentFlows(events, harm)
	if found := behind(list, flows, func(e effect, flow silentFlow) bool {
		return e.host == "" && e.until > m.since && e.takes(m.name, flow.client)
	}); len(found) > 0 {
		return Cause{max(m.since, found[0].at), m.name, fmt.Sprintf("%s became MASTER, but was cut off from the clients without an answer (%s)", m.name, whats(found))}, true
	}
	found := behind(list, flows, func(e effect, flow silentFlow) bool {
		d := e.direction
		switch {
		case e.at > m.since || e.until < m.since:
			return false
		case e.fault.Verb == verbs.Deaf:
			return e.host == flow.client
		}
		return d.Link == lab.Clients && d.From == m.name && d.To == flow.client && slices.Contains(announcing, d.Only)
	})
	if len(found) == 0 {
		return Cause{}, false
	}
	return Cause{m.since, m.name, fmt.Sprintf("%s became MASTER, but the clients without an answer did not hear its announcements (%s)", m.name, whats(found))}, true
}

// usurped describes a host outside of the pair that announced a VIP, whose clients were silent for most of the time from
// then on: the MASTER did not announce it again before, or not at all.
func usurped(events []trace.Event, harm Harm, m *node) (Cause, bool) {
	var taken *trace.Event
	then := "did not announce it again"
	for i, e := range events {
		switch {
		case e.GARP == nil || e.GARP.Edge != lab.Clients || e.At >= harm.To:
		case taken == nil && !lab.IsNode(e.Node) && e.At >= harm.From.Add(-longAgo) && e.At.Sub(harm.From) < harm.To.Sub(e.At):
			taken = &events[i]
		case taken == nil || e.Node != m.name || e.GARP.VIP != taken.GARP.VIP:
		case e.At <= harm.From:
			taken = nil
		default:
			then = "announced it again too late"
		}
	}
	if taken == nil {
		return Cause{}, false
	}
	return Cause{taken.At, m.name, fmt.Sprintf("%s announced %s as its own, and the MASTER %s %s", cmp.Or(taken.Node, "an unknown host"), taken.GARP.VIP, m.name, then)}, true
}
