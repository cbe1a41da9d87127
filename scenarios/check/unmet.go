package check

import (
	"slices"
	"strings"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/fault"
)

// unmet lists the cuts and losses of one kind of packets, or of a service, and the limits of packets'
// length, that dropped no packet in any direction: the run proves nothing about them.
func (r *run) unmet() (list []string) {
	for _, e := range r.begun {
		if len(e.Fault.Directions) == 0 || !selects(e.Fault) {
			continue
		}
		if !slices.ContainsFunc(e.Fault.Directions, func(d trace.Direction) bool { return r.took(d.String(), e.At) }) {
			list = append(list, e.Fault.What()+" at "+r.at(e.At)+": it took no packet")
		}
	}
	return list
}

// selects reports whether a fault drops only some packets, of which there may be none.
func selects(f *trace.Fault) bool {
	switch f.Verb {
	case fault.Cut, fault.Lose:
		return f.Directions[0].Only != ""
	case fault.Limit:
		return strings.Contains(f.Target, " "+fault.KeyMTU+"=")
	}
	return false
}

// took reports whether a rule on a direction has dropped packets since an instant.
func (r *run) took(direction string, since clock.Instant) bool {
	return slices.ContainsFunc(r.others, func(e *trace.Event) bool {
		return e.Loss != nil && e.Loss.Planned && e.Loss.Where == direction && e.At >= since
	})
}
