package check

import "baton/scenarios/plan"

// Sometime is a condition that must be true at least once in a suite, and whether it was true in
// this run.
type Sometime struct {
	Claim string `json:"claim"`
	Seen  bool   `json:"seen"`
	// Detail says when it was true, or the actual state at the end.
	Detail string `json:"detail"`
	Line   int    `json:"line,omitempty"`
}

// sometimes looks for the plan's sometimes conditions.
func (r *run) sometimes() []Sometime {
	var all []Sometime
	for _, s := range r.plan.Sometimes {
		if !r.in(s.Guard) {
			continue
		}
		seen := Sometime{Claim: s.Cond.String(), Line: s.Pos.Line}
		if lack := lacking(s.Cond, r.meta.Lacks); lack != "" {
			seen.Detail = lack
		} else if c := s.Cond.Compare; c != nil && measures[c.Metric].now == nil {
			seen.Seen, seen.Detail = r.measured(*c)
		} else {
			seen.Seen, seen.Detail = r.happened(s.Cond)
		}
		all = append(all, seen)
	}
	return all
}

// measured looks for a sample that satisfies a comparison with a metric that is measured after
// the run.
func (r *run) measured(c plan.Compare) (bool, string) {
	want, err := target(c, r.stateAt(r.from).Env())
	if err != nil {
		return false, err.Error()
	}
	samples := r.samples(c.Metric, c.Arg, r.window)
	for _, s := range samples {
		if c.Holds(s.value, want) {
			return true, quantity(c.Metric, s.value) + " at " + r.at(s.to)
		}
	}
	if len(samples) == 0 {
		return false, "not measured"
	}
	return false, quantity(c.Metric, samples[len(samples)-1].value)
}

// happened looks for an instant at which a condition is true. Counts start at the first step.
func (r *run) happened(c plan.Cond) (bool, string) {
	s := NewState(r.plan, r.meta.World)
	why, begun := "", false
	for i := range r.events {
		e := &r.events[i]
		if !begun && e.At >= r.from {
			s.Tally, begun = newTally(), true
		}
		s.Apply(e)
		if more := i+1 < len(r.events) && r.events[i+1].At == e.At; more || e.At < r.from {
			continue
		}
		held, now := s.Holds(c)
		if held {
			return true, now + " at " + r.at(e.At)
		}
		why = now
	}
	return false, why
}
