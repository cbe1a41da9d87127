package cause

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/check"
	verbs "baton/scenarios/fault"
	"baton/scenarios/lab"
)

// effect is what a fault does to one host, or in one direction of a link.
type effect struct {
	fault     *trace.Fault
	at        clock.Instant
	host      string
	direction trace.Direction
}

// effects returns the effects of faults that were active at some time during a harm.
func effects(events []trace.Event, harm Harm) (list []effect) {
	for _, e := range events {
		if e.At > harm.To {
			break
		}
		switch f := e.Fault; {
		case f == nil:
		case f.Phase == "begin" && verbs.UndoOf(f.Verb) != "":
			for _, host := range f.Hosts {
				list = append(list, effect{fault: f, at: e.At, host: host})
			}
			for _, d := range f.Directions {
				list = append(list, effect{fault: f, at: e.At, direction: d})
			}
		case f.Phase == "receipt" && e.At < harm.From:
			list = slices.DeleteFunc(list, func(is effect) bool {
				return verbs.UndoOf(is.fault.Verb) == f.Verb &&
					(slices.Contains(f.Hosts, is.host) || slices.Contains(f.Directions, is.direction))
			})
		}
	}
	return list
}

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
	found := behind(effects(events, harm), silentFlows(events, harm), func(e effect, flow silentFlow) bool {
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

// whats names the faults of effects: "crash backend1, crash backend2 and crash backend3".
func whats(list []effect) string {
	names := make([]string, len(list))
	for i, e := range list {
		names[i] = e.fault.What()
	}
	return check.Listed(names)
}

// source is the host to which an effect is attributed.
func (e effect) source() string { return cmp.Or(e.host, e.direction.From) }

// announcing are the kinds of packets that include announcements.
var announcing = []string{"", lab.ARP, lab.GARP}

// unheard describes the fault that kept the announcements of a new MASTER from the clients of all
// silent flows.
func unheard(events []trace.Event, harm Harm, m *node) (Cause, bool) {
	found := behind(effects(events, harm), silentFlows(events, harm), func(e effect, flow silentFlow) bool {
		if e.fault.Verb == verbs.Deaf {
			return e.host == flow.client
		}
		d := e.direction
		return verbs.Severs(e.fault.Verb) && d.Link == lab.Clients && d.From == m.name && d.To == flow.client && slices.Contains(announcing, d.Only)
	})
	if len(found) == 0 {
		return Cause{}, false
	}
	return Cause{m.since, m.name, fmt.Sprintf("%s became MASTER, but the clients without an answer did not hear its announcements (%s)", m.name, whats(found))}, true
}
