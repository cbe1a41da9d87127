package check

import (
	"fmt"
	"math"
	"slices"
	"time"

	"baton/impl/trace"
	"baton/scenarios/plan"
)

// gaps measures the gap metrics over a window. A gap counts if it overlaps the
// window, with its whole length: a stall that a fault caused may have begun with
// a message that was meant just before. Where no gap was long enough to be
// recorded the value is 0: below the generator's threshold.
func (r *run) gaps(metric, line string, w window) []sample {
	totals := r.totals(metric, line)
	if totals == nil {
		return nil
	}
	longest := map[string]trace.Event{} // by flow
	for _, e := range r.events {
		g := e.Gap
		if g == nil || !w.overlaps(window{g.From, g.To}) || g.To == w.from {
			continue
		}
		if _, ok := totals[g.Name]; !ok {
			continue
		}
		name := flowName(g.Name, g.Flow)
		if old, ok := longest[name]; !ok || length(e) > length(old) {
			longest[name] = e
		}
	}
	flows := len(longest)
	for _, t := range totals { // in any order: the most
		if t.Kind == plan.Sessions {
			flows = max(flows, t.Opened)
		}
	}
	sorted := make([]trace.Event, 0, len(longest))
	for _, e := range longest { // in any order: they are sorted next
		sorted = append(sorted, e)
	}
	slices.SortFunc(sorted, func(a, b trace.Event) int {
		if d := int64(length(a)) - int64(length(b)); d != 0 {
			return sign(d)
		}
		if d := int64(a.Gap.From - b.Gap.From); d != 0 {
			return sign(d)
		}
		return slices.Compare([]byte(a.Gap.Name+a.Gap.Flow), []byte(b.Gap.Name+b.Gap.Flow))
	})
	return r.quantile(sorted, flows, share(metric), w)
}

func sign(d int64) int {
	if d < 0 {
		return -1
	}
	return 1
}

func length(e trace.Event) time.Duration { return e.Gap.To.Sub(e.Gap.From) }

// share is the quantile that a gap metric asks for; all but two ask for the maximum.
func share(metric string) float64 {
	switch metric {
	case "gap_tcp_p50_ms":
		return 0.50
	case "gap_tcp_p99_ms":
		return 0.99
	}
	return 1
}

// quantile is the nearest-rank quantile over all flows, of which those without a
// recorded gap had none.
func (r *run) quantile(sorted []trace.Event, flows int, share float64, w window) []sample {
	rank := int(math.Ceil(share * float64(flows)))
	i := rank - 1 - (flows - len(sorted))
	if i < 0 || len(sorted) == 0 {
		return one(w, 0, "no gap above the generator's threshold")
	}
	e := sorted[i]
	what := fmt.Sprintf("%s from %s to %s, %s", flowName(e.Gap.Name, e.Gap.Flow), r.at(e.Gap.From), r.at(e.Gap.To),
		r.since(e.Gap.To))
	return one(w, round(milliseconds(length(e))), what, window{e.Gap.From, e.Gap.To})
}
