package check

import (
	"fmt"
	"slices"
	"strings"

	"baton/impl/trace"
	"baton/scenarios/plan"
)

// Judge says what the events of one run of the plan prove. The rules:
//
//   - FAIL if a check failed and neither a stall of the host nor a fault without
//     receipt can explain it (see explicable);
//   - INCONCLUSIVE if a check could not be judged, or failed with such an
//     explanation, or passed over a window in which the host stood still for longer
//     than the plan tolerates;
//   - PASS otherwise, which takes traffic that was answered and a whole trace.
//
// A control passes if exactly the checks that it names fail.
func Judge(p *plan.Plan, events []trace.Event) Verdict {
	r := newRun(p, events)
	findings := slices.Concat(r.implicit(), r.always(), r.implied(), r.steps())
	v := Verdict{Scenario: p.Name, World: r.meta.World, SUT: r.meta.SUT, Seed: r.meta.Seed, Reasons: []string{},
		Checks: []Check{}, Metrics: r.metrics()}
	control := p.IsControl(r.meta.World)
	for _, f := range findings {
		f = r.doubt(f)
		f.Control = control && slices.Contains(p.Control, f.Name)
		v.Checks = append(v.Checks, f.Check)
	}
	if control {
		v.Verdict, v.Reasons = controlVerdict(p.Control, v.Checks)
	} else {
		v.Verdict, v.Reasons = verdict(v.Checks)
	}
	return v
}

// doubt turns a finding into INCONCLUSIVE where a stall or an unproven fault takes
// away its force.
func (r *run) doubt(f finding) finding {
	if f.Verdict == Inconclusive || f.window == (window{}) {
		return f
	}
	if f.Verdict == Pass {
		for _, s := range r.stalls {
			if s.overlaps(f.window) {
				return f.unjudged(fmt.Sprintf("%s; but the host stood still for %s at %s, above the %s that are tolerated",
					f.Detail, s.took, r.at(s.from), r.plan.Tolerate))
			}
		}
		return f
	}
	if !explicable[f.Name] {
		return f
	}
	for _, s := range r.stalls {
		// What a stall delays shows up to two detection times later: a missed
		// heartbeat, and the answer to it.
		after := window{s.from, s.to.Add(2 * r.plan.Detect(r.meta.World))}
		if slices.ContainsFunc(f.evidence, after.overlaps) {
			return f.unjudged(fmt.Sprintf("%s; but the host stood still for %s at %s", f.Detail, s.took, r.at(s.from)))
		}
	}
	for _, u := range r.unproven {
		if u.at <= f.window.to {
			return f.unjudged(fmt.Sprintf("%s; but %s", f.Detail, u.why))
		}
	}
	return f
}

// verdict is that of an ordinary scenario.
func verdict(checks []Check) (Outcome, []string) {
	failed, open := reasons(checks, Fail), reasons(checks, Inconclusive)
	switch {
	case len(failed) > 0:
		return Fail, failed
	case len(open) > 0:
		return Inconclusive, open
	}
	return Pass, []string{}
}

func reasons(checks []Check, of Outcome) []string {
	list := []string{}
	for _, c := range checks {
		if c.Verdict == of {
			list = append(list, c.Name+": "+c.Detail)
		}
	}
	return list
}

// controlVerdict is that of a scenario which reproduces a bug: exactly the named
// checks must fail.
func controlVerdict(named []string, checks []Check) (Outcome, []string) {
	var caught, missed, others, open []string
	failed := func(name string) bool {
		return slices.ContainsFunc(checks, func(c Check) bool { return c.Name == name && c.Verdict == Fail })
	}
	for _, name := range named {
		if i := slices.IndexFunc(checks, func(c Check) bool { return c.Name == name && c.Verdict == Fail }); i >= 0 {
			caught = append(caught, fmt.Sprintf("control: caught by %s: %s", name, checks[i].Detail))
		} else {
			missed = append(missed, name)
		}
	}
	for _, c := range checks {
		switch {
		case c.Verdict == Fail && !c.Control:
			others = append(others, fmt.Sprintf("control: %s failed too: %s", c.Name, c.Detail))
		case c.Verdict == Inconclusive && !failed(c.Name):
			open = append(open, c.Name+": "+c.Detail)
		}
	}
	switch {
	case len(others) > 0:
		return Fail, slices.Concat(others, caught)
	case len(open) > 0:
		return Inconclusive, slices.Concat(open, caught)
	case len(caught) == 0:
		return Fail, []string{"control not caught: " + strings.Join(named, ", ") + " did not fail"}
	case len(missed) > 0:
		return Fail, append([]string{"control not caught by " + strings.Join(missed, ", ")}, caught...)
	}
	return Pass, caught
}

// metrics measures everything over the run.
func (r *run) metrics() Metrics {
	m := Metrics{}
	for _, metric := range plan.Metrics {
		samples := r.samples(metric.Name, "", r.window)
		for i, s := range samples {
			if i == 0 || s.value > m[metric.Name] {
				m[metric.Name] = s.value
			}
		}
	}
	if totals := r.totals("sessions", ""); totals != nil {
		m["sessions"] = 0
		for _, t := range totals {
			m["sessions"] += float64(t.Opened)
		}
	}
	return m
}
