package check

import (
	"fmt"
	"slices"

	"baton/impl/trace"
	"baton/scenarios/metric"
)

// packetsLost counts the packets that were lost on links in the window, by the scenario's faults
// or without one. Counts that arrive after the end belong to the run.
func (r *run) packetsLost(planned bool, w window) []sample {
	if m, _ := metric.Of("dropped"); planned && !slices.ContainsFunc(r.begun, func(e trace.Event) bool { return slices.Contains(m.After, e.Fault.Verb) }) {
		return nil // no fault drops packets
	}
	var found []string
	var when []window
	count := 0
	for _, e := range r.others {
		l := e.Loss
		if l == nil || l.Planned != planned || e.At < w.from || e.At > w.to && w.to < r.to {
			continue
		}
		count += l.Count
		found = append(found, fmt.Sprintf("%d of %s (%s)", l.Count, l.Where, l.Why))
		when = append(when, point(e.At))
	}
	return one(w, float64(count), some(found, shown), when...)
}
