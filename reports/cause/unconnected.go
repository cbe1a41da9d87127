package cause

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
	verbs "baton/scenarios/fault"
	"baton/scenarios/lab"
)

// unconnected describes why new connections failed: a node refused them, their backend was down, nobody answered, or they
// were reset.
func unconnected(events []trace.Event, harm Harm) (Cause, bool) {
	if found, ok := refused(events, harm); ok {
		return found, true
	}
	i := slices.IndexFunc(events, func(e trace.Event) bool {
		return e.Traffic != nil && e.Traffic.Event == trace.TrafficFailed && e.At >= harm.From && e.At <= harm.To
	})
	if i < 0 {
		return Cause{}, false
	}
	began, silence := unanswered(events[i])
	if found, ok := givenToTheDead(events, began); ok {
		return found, true
	}
	if found, ok := leftAgain(events, stretch{began, events[i].At}); silence && ok {
		return found, true
	}
	if silence {
		return silent(events, Harm{From: began, To: events[i].At, Kind: Unconnected})
	}
	return ended(events, harm)
}

// unanswered returns when a connection began that failed, and whether nobody answered its SYNs. One that was reset
// began as it failed.
func unanswered(failed trace.Event) (began clock.Instant, silence bool) {
	waited, silence := strings.CutPrefix(failed.Traffic.Why, trace.NoConnection)
	took, _ := time.ParseDuration(waited)
	return failed.At.Add(-took), silence
}

// givenToTheDead describes a MASTER whose latest fault before an instant is that backends are down: it gives them their
// share of the new flows.
func givenToTheDead(events []trace.Event, at clock.Instant) (Cause, bool) {
	p, _ := stateAt(events, at)
	m := p.master()
	if m == nil {
		return Cause{}, false
	}
	fault, _ := concerning(events, at, m)
	if fault == nil || len(fault.Hosts) == 0 || !slices.ContainsFunc(effects(events, stretch{at, at}), func(e effect) bool {
		verb, _ := verbs.Of(e.fault.Verb)
		kind, _, _ := lab.ParseName(e.host)
		return e.fault == fault && verb.On == verbs.Machines && verb.To != verbs.Running && kind == lab.Backend
	}) {
		return Cause{}, false
	}
	return Cause{at, m.name, fmt.Sprintf("%s gave new flows to backends that were down (%s)", m.name, fault.What())}, true
}

// leftAgain describes the faults that left the pair without a MASTER more than once while a connection was made: the
// client repeats its SYN a second or more later, and it may meet the next one.
func leftAgain(events []trace.Event, s stretch) (Cause, bool) {
	p := newPair()
	var faults []*trace.Fault
	left := Cause{}
	for _, e := range events {
		if e.At > s.to {
			break
		}
		served := p.master()
		p.apply(e)
		switch now := p.master(); {
		case served == nil && now != nil && e.At < s.from:
			faults = nil // the role was taken before
		case served != nil && now == nil && e.Fault != nil:
			faults = append(faults, e.Fault)
			left = Cause{At: e.At, Node: served.name}
		}
	}
	if len(faults) < 2 {
		return Cause{}, false
	}
	left.What = fmt.Sprintf("%s left the VIPs without a MASTER more than once while the connections were made", listed(faults))
	return left, true
}
