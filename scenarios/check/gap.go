package check

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/fault"
	"baton/scenarios/plan"
)

// gaps measures the gap metrics over a window. A gap that overlaps the window counts with its
// whole length: the first message without an answer may have been due just before the fault.
// The value is 0 if no gap reached the generator's threshold.
func (r *run) gaps(metric string, share float64, line string, w window) []sample {
	totals := r.totals(metric, line)
	maps.DeleteFunc(totals, func(_ string, t trace.Totals) bool { return !w.overlaps(life(t)) })
	if len(totals) == 0 {
		return nil
	}
	longest := map[flowID]*trace.Gap{}
	for i := range r.others {
		g := r.others[i].Gap
		if g == nil || !w.overlaps(window{g.From, g.To}) || g.To == w.from {
			continue
		}
		if _, ok := totals[g.Name]; !ok {
			continue
		}
		id := flowID{g.Name, g.Flow}
		if old := longest[id]; old == nil || length(g) > length(old) {
			longest[id] = g
		}
	}
	flows := 0
	for _, t := range totals { // in any order: a sum
		if t.Kind == plan.Sessions {
			flows += t.Opened
		}
	}
	return r.quantile(slices.Collect(maps.Values(longest)), max(flows, len(longest)), share, w)
}

// afterRestore measures the longest gap of a UDP probe after the first restore in the window.
func (r *run) afterRestore(w window) []sample {
	for _, e := range r.begun {
		if e.Fault.Verb == fault.Restore && w.has(e.At) {
			return r.gaps("restore_gap_ms", 1, "", window{e.At, w.to})
		}
	}
	return nil
}

// life is the time in which a line of traffic ran, according to its from= and until=.
func life(t trace.Totals) window {
	if t.Ended == 0 {
		return window{t.Began, clock.Never}
	}
	return window{t.Began, t.Ended}
}

// flowID names one flow of a line of traffic.
type flowID struct{ line, flow string }

func length(g *trace.Gap) time.Duration { return g.To.Sub(g.From) }

// byLength is a total order, so that the result does not depend on the order of the trace.
func byLength(a, b *trace.Gap) int {
	return cmp.Or(cmp.Compare(length(a), length(b)), cmp.Compare(a.From, b.From), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Flow, b.Flow))
}

// quantile is the nearest-rank quantile over all flows. gaps has one gap of each flow that had
// one; the other flows count as 0.
func (r *run) quantile(gaps []*trace.Gap, flows int, share float64, w window) []sample {
	rank := int(math.Ceil(share * float64(flows)))
	i := rank - 1 - (flows - len(gaps))
	if i < 0 {
		return one(w, 0, "no gap above the generator's threshold")
	}
	var g *trace.Gap
	if i == len(gaps)-1 {
		g = slices.MaxFunc(gaps, byLength)
	} else {
		slices.SortFunc(gaps, byLength)
		g = gaps[i]
	}
	// A probe's gap begins with its last answer: the first probe without one is an interval later.
	unanswered := g.From.Add(length(g) / time.Duration(g.Missed+1))
	if g.Missed == 0 {
		unanswered = g.From
	}
	what := fmt.Sprintf("%s from %s to %s, %s", flowName(g.Name, g.Flow), r.at(g.From), r.at(g.To), r.behind(unanswered, g.To))
	return one(w, round(milliseconds(length(g))), what, window{g.From, g.To})
}
