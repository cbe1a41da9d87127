package check

import (
	"fmt"
	"maps"
	"slices"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/metric"
	"baton/scenarios/plan"
)

// countedEvents maps the metrics that count events of traffic to those events.
var countedEvents = map[string]string{
	"lost": trace.TrafficLost, "corrupt": trace.TrafficCorrupt, "moved": trace.TrafficMoved,
	"connects_failed": trace.TrafficFailed, "incomplete": trace.TrafficLost,
}

// counted counts events of traffic in the window. Over the whole run the final totals count
// if they are higher: a generator may report a number without an event for each.
func (r *run) counted(metric, line string, w window) []sample {
	totals := r.totals(metric, line)
	if totals == nil {
		return nil
	}
	event := countedEvents[metric]
	var found examples
	var when []window
	last := w.to
	if w.to >= r.to {
		last = r.trafficEnd()
	}
	for _, e := range r.others {
		t := e.Traffic
		if t == nil || t.Event != event || e.At < w.from || e.At > last {
			continue
		}
		if _, yields := totals[t.Name]; yields {
			found.add(func() string { return r.flowEvent(e) })
			when = append(when, point(e.At))
		}
	}
	count := found.count
	if w.from <= r.from && w.to >= r.to {
		total := 0
		for _, t := range totals { // in any order: a sum
			total += totalOf(metric, t)
		}
		if total > count {
			found.add(func() string { return fmt.Sprintf("%d only in the totals of the traffic", total-count) })
			count = total
		}
	}
	return one(w, float64(count), found.String(), when...)
}

// unanswered counts the sessions and idle flows that never got an answer, which is known only
// when their line has ended.
func (r *run) unanswered(line string, w window) []sample {
	return r.inTheEnd("unanswered", line, w, func(t trace.Totals) (int, int) { return t.Failed, t.Failed + t.Opened })
}

// unechoed counts the datagrams of a probe that had no echo. An echo may still arrive until
// the line has ended.
func (r *run) unechoed(line string, w window) []sample {
	return r.inTheEnd("unechoed", line, w, func(t trace.Totals) (int, int) { return int(t.Sent - min(t.Sent, t.Received)), int(t.Sent) })
}

// inTheEnd counts by the final totals of the lines of traffic.
func (r *run) inTheEnd(metric, line string, w window, of func(trace.Totals) (count, all int)) []sample {
	totals := r.totals(metric, line)
	if len(totals) == 0 {
		return nil
	}
	var found examples
	sum := 0
	for _, name := range slices.Sorted(maps.Keys(totals)) {
		if !totals[name].Final {
			return nil
		}
		count, all := of(totals[name])
		if sum += count; count > 0 {
			found.add(func() string { return fmt.Sprintf("%d of %d of %s", count, all, name) })
		}
	}
	return one(w, float64(sum), found.String())
}

func (r *run) flowEvent(e *trace.Event) string {
	t := e.Traffic
	what := fmt.Sprintf("%s at %s", flowName(t.Name, t.Flow), r.at(e.At))
	if t.Why != "" {
		what += " (" + t.Why + ")"
	}
	if t.Backend != "" {
		what += " backend " + t.Backend
	}
	silent, _ := trace.SilentFor(t.Why)
	return what + ", " + r.behind(e.At.Add(-silent), e.At)
}

// flowName names a flow: web/client1/12 is flow client1/12 of the line web.
func flowName(line, flow string) string { return line + "/" + flow }

func totalOf(metric string, t trace.Totals) int {
	switch metric {
	case "lost", "incomplete":
		return t.Lost
	case "corrupt":
		return t.Corrupt
	case "moved":
		return t.Moved
	}
	return t.Failed
}

// totals returns the last totals of each line of traffic that yields the metric, or of the one
// named line. It is empty if no such line reported.
func (r *run) totals(name, line string) map[string]trace.Totals {
	m, _ := metric.Of(name)
	var found map[string]trace.Totals
	for _, e := range r.others {
		t := e.Totals
		if t == nil || line != "" && t.Name != line || !yields(m, t.Kind) {
			continue
		}
		if found == nil {
			found = map[string]trace.Totals{}
		}
		found[t.Name] = *t
	}
	return found
}

// yields reports whether traffic of a kind yields a metric.
func yields(m metric.Metric, kind string) bool {
	return slices.Contains(m.Of, kind)
}

// trafficEnd is when the last line of traffic wrote its final totals. Losses that a generator
// finds at its end still belong to the run.
func (r *run) trafficEnd() clock.Instant {
	end := r.to
	for _, e := range r.others {
		if e.Totals != nil && e.Totals.Final {
			end = max(end, e.At)
		}
	}
	return end
}

// standing samples a present count of traffic: at the start of the window, and with each event of the
// lines within it. Nothing is measured before their first totals.
func (r *run) standing(name string, of func(*State, trace.Totals) int, line string, w window) []sample {
	m, _ := metric.Of(name)
	var samples []sample
	s := NewState(r.plan, r.meta.World)
	seen := false
	for i := range r.events {
		e := &r.events[i]
		if e.At > w.to {
			break
		}
		if seen && e.At > w.from && len(samples) == 0 {
			samples = append(samples, sample{window: point(w.from), value: float64(s.standing(name, of, line))})
		}
		s.Apply(e)
		if about := lineOf(e); yields(m, s.Traffic[about].Kind) && (line == "" || about == line) {
			seen = true
			if e.At >= w.from {
				samples = append(samples, sample{window: point(e.At), value: float64(s.standing(name, of, line)), what: "at " + r.at(e.At)})
			}
		}
	}
	if seen && len(samples) == 0 {
		samples = append(samples, sample{window: w, value: float64(s.standing(name, of, line))})
	}
	return samples
}

// lineOf is the line of traffic that an event is about, "" if it is about none.
func lineOf(e *trace.Event) string {
	switch {
	case e.Totals != nil:
		return e.Totals.Name
	case e.Traffic != nil:
		return e.Traffic.Name
	}
	return ""
}

// sticky judges that no session changed its backend.
func (r *run) sticky(f finding, w window) finding {
	return r.compare(f, plan.Compare{Metric: "moved", Op: "==", Value: plan.Expr{Terms: []plan.Term{{}}}}, w)
}
