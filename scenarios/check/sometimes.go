package check

import "baton/scenarios/plan"

// Sometime says whether a condition that must be true at some time of some run of a suite
// was true in this one.
type Sometime struct {
	Claim string `json:"claim"`
	Seen  bool   `json:"seen"`
	// Detail says when it was true, or what was the case at the end.
	Detail string `json:"detail"`
	Line   int    `json:"line,omitempty"`
}

// sometimes looks for what the plan wants to see at some time.
func (r *run) sometimes() []Sometime {
	var all []Sometime
	for _, s := range r.plan.Sometimes {
		if !r.in(s.Guard) {
			continue
		}
		seen := Sometime{Claim: s.Cond.String(), Line: s.Pos.Line}
		if untold := lacking(s.Cond, r.meta.Lacks); untold != "" {
			seen.Detail = untold
		} else if c := s.Cond.Compare; c != nil && measures[c.Metric].now == nil {
			seen.Seen, seen.Detail = r.measured(*c)
		} else {
			seen.Seen, seen.Detail = r.happened(s.Cond)
		}
		all = append(all, seen)
	}
	return all
}

// measured looks for a sample that satisfies a comparison with what is measured once all
// is over.
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

// happened looks for an instant at which a condition is true. Counts are those since the
// first step.
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
