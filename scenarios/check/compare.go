package check

import (
	"fmt"
	"time"

	"baton/impl/clock"
	"baton/scenarios/plan"
)

// sample is the value of a metric over a stretch of time.
type sample struct {
	window
	value float64
	what  string // examples, or how the value came about
	// blame has the windows in which a stall would explain the value; empty means window.
	blame []window
}

// compare judges "metric op value" over a window: every sample in it must satisfy it.
func (r *run) compare(f finding, c plan.Compare, w window) finding {
	want, err := target(c, r.stateAt(w.from).Env())
	if err != nil {
		return f.unjudged(fmt.Sprintf("%s: %v", plan.Cond{Compare: &c}, err))
	}
	claim := fmt.Sprintf("%s %s %s", c.Name(), c.Op, c.Value)
	if expected := quantity(c.Metric, want); expected != c.Value.String() {
		claim += " (" + expected + ")"
	}
	samples := r.samples(c.Metric, c.Arg, w)
	if len(samples) == 0 {
		return f.unjudged(fmt.Sprintf("%s over %s: not measured", claim, r.span(w)))
	}
	worst := samples[0]
	for _, s := range samples {
		if !c.Holds(s.value, want) {
			blame := s.blame
			if len(blame) == 0 {
				blame = []window{s.window}
			}
			f = f.fail(r.compared(claim, w, c.Metric, s), blame...)
			if c.Timed() {
				f = f.late(time.Duration((s.value-want)*float64(time.Millisecond)), c.Allowance())
			}
			return f
		}
		if s.value > worst.value {
			worst = s
		}
	}
	f.Verdict, f.Detail = Pass, r.compared(claim, w, c.Metric, worst)
	return f
}

func (r *run) compared(claim string, w window, metric string, s sample) string {
	detail := fmt.Sprintf("%s over %s: actual %s", claim, r.span(w), quantity(metric, s.value))
	if s.what != "" {
		detail += ": " + s.what
	}
	return detail
}

// samples measures a metric over a window; none means that it was not measured.
func (r *run) samples(name, line string, w window) []sample {
	m, ok := measures[name]
	if !ok {
		return nil
	}
	return m.over(r, line, w)
}

// one returns a single sample that covers the window.
func one(w window, value float64, what string, blame ...window) []sample {
	return []sample{{window: w, value: value, what: what, blame: blame}}
}

func point(t clock.Instant) window { return window{t, t} }
