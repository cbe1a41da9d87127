package check

import (
	"fmt"
	"maps"
	"slices"

	"baton/impl/trace"
)

// roundTrips returns a round-trip figure of the slowest line, from its final totals. Totals have
// it only for the whole run.
func (r *run) roundTrips(metric string, of func(trace.Totals) float64, line string, w window) []sample {
	if w.from > r.from || w.to < r.to {
		return nil
	}
	totals := r.totals(metric, line)
	var slowest []sample
	for _, name := range slices.Sorted(maps.Keys(totals)) {
		t := totals[name]
		if !t.Final || t.RTTMax == 0 {
			continue
		}
		if value := of(t); len(slowest) == 0 || value > slowest[0].value {
			slowest = one(w, value, fmt.Sprintf("%s, %d of %d answered", name, t.Received, t.Sent))
		}
	}
	return slowest
}
