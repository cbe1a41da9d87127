package cause

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"baton/impl/clock"
	"baton/impl/trace"
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

// first returns the earliest effect if each flow has one for which is holds. It is false without
// flows, or if a flow has none.
func first(list []effect, flows []silentFlow, is func(effect, silentFlow) bool) (found effect, ok bool) {
	for _, flow := range flows {
		i := slices.IndexFunc(list, func(e effect) bool { return is(e, flow) })
		if i < 0 {
			return effect{}, false
		}
		if !ok || list[i].at < found.at {
			found, ok = list[i], true
		}
	}
	return found, ok
}

// withoutBackend describes the fault that made the backend of each silent flow unreachable. If it is a
// cut between backend and MASTER, it blames the MASTER, because the peer might have served.
func withoutBackend(events []trace.Event, harm Harm, m *node) (Cause, bool) {
	e, ok := first(effects(events, harm), silentFlows(events, harm), func(e effect, flow silentFlow) bool {
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
	if !ok {
		return Cause{}, false
	}
	const took = "took the backend of every flow without an answer"
	if e.host == "" && m.since <= e.at {
		return Cause{e.at, m.name, fmt.Sprintf("%s stayed MASTER after %s, which %s%s", m.name, e.fault.What(), took, m.gate("Reachable"))}, true
	}
	return Cause{e.at, e.source(), fmt.Sprintf("%s %s", e.fault.What(), took)}, true
}

// source is the host to which an effect is attributed.
func (e effect) source() string { return cmp.Or(e.host, e.direction.From) }

// announcing are the kinds of packets that include announcements.
var announcing = []string{"", lab.ARP, lab.GARP}

// unheard describes the fault that kept the announcements of a new MASTER from the clients of all
// silent flows.
func unheard(events []trace.Event, harm Harm, m *node) (Cause, bool) {
	e, ok := first(effects(events, harm), silentFlows(events, harm), func(e effect, flow silentFlow) bool {
		if e.fault.Verb == verbs.Deaf {
			return e.host == flow.client
		}
		d := e.direction
		return verbs.Severs(e.fault.Verb) && d.Link == lab.Clients && d.From == m.name && d.To == flow.client && slices.Contains(announcing, d.Only)
	})
	if !ok {
		return Cause{}, false
	}
	return Cause{m.since, m.name, fmt.Sprintf("%s became MASTER, but the clients without an answer did not hear its announcements (%s)", m.name, e.fault.What())}, true
}
