package check

import (
	"fmt"
	"slices"
	"strings"

	"baton/impl/trace"
	"baton/scenarios/plan"
)

// implicit judges the claims of every scenario: the trace is complete, no node ended by itself, the
// generators offered their load in time, the faults took hold, each flow was answered without
// corruption, and nothing was left behind. diedCheck comes before the checks of faults and traffic,
// because a dead node ends the run and causes their failures.
func (r *run) implicit() []finding {
	found := []finding{r.traceCheck(), r.diedCheck(), r.loadCheck(), r.faultCheck(), r.trafficCheck()}
	for _, name := range []string{"corrupt", "unanswered"} {
		if len(r.totals(name, "")) > 0 && !r.states(name) {
			c, _ := plan.Implied(name)
			f := r.over(c, r.window, 0)
			f.window = window{} // no stall makes these inconclusive
			found = append(found, f)
		}
	}
	return append(found, r.leakCheck())
}

// states reports whether the scenario has an always claim of that check.
func (r *run) states(check string) bool {
	return slices.ContainsFunc(r.plan.Always, func(a plan.Always) bool { return r.in(a.Guard) && a.Cond.Check() == check })
}

// traceCheck is INCONCLUSIVE if the trace is incomplete.
func (r *run) traceCheck() finding {
	f := finding{Check: Check{Name: plan.CheckTrace}}
	switch {
	case len(r.events) == 0:
		return f.unjudged("the trace is empty")
	case r.meta.Version != trace.Version:
		return f.unjudged(fmt.Sprintf("the trace has schema version %d, not %d", r.meta.Version, trace.Version))
	case len(r.begins) == 0:
		return f.unjudged("no step of the scenario ever began")
	case len(r.missed) > 0:
		return f.unjudged("the trace lacks " + strings.Join(r.missed, "; "))
	case !r.finished():
		return f.unjudged("the trace ends at " + r.at(r.to) + ", before the end of the scenario")
	}
	var without []string
	for _, t := range r.plan.Traffic {
		if r.in(t.Guard) && !slices.ContainsFunc(r.others, func(e *trace.Event) bool {
			return e.Totals != nil && e.Totals.Name == t.Name && e.Totals.Final
		}) {
			without = append(without, t.Name)
		}
	}
	if len(without) > 0 {
		return f.unjudged("no final totals of traffic " + strings.Join(without, ", "))
	}
	f.Verdict, f.Detail = Pass, fmt.Sprintf("%d events, from the first step to the final totals", len(r.events))
	return f
}

// trafficCheck is INCONCLUSIVE if a line of traffic got no answer at all: then the absence of
// damage proves nothing.
func (r *run) trafficCheck() finding {
	f := finding{Check: Check{Name: plan.CheckTraffic}}
	last := map[string]trace.Totals{}
	for _, e := range r.others {
		if e.Totals != nil {
			last[e.Totals.Name] = *e.Totals
		}
	}
	var got, silent []string
	for _, t := range r.plan.Traffic {
		if !r.in(t.Guard) {
			continue
		}
		switch total, ok := last[t.Name]; {
		case !ok:
			silent = append(silent, t.Name+": no totals")
		case total.Received == 0 && !(t.Kind == plan.Flows && total.Opened > 0):
			silent = append(silent, fmt.Sprintf("%s: sent %d, received 0", t.Name, total.Sent))
		default:
			got = append(got, fmt.Sprintf("%s: sent %d, received %d", t.Name, total.Sent, total.Received))
		}
	}
	if len(silent) > 0 {
		return f.unjudged("the run proves nothing, since traffic had no answers: " + strings.Join(silent, "; "))
	}
	f.Verdict, f.Detail = Pass, orElse(strings.Join(got, "; "), "the scenario has no traffic")
	return f
}

// leakCheck fails when something outlived the run.
func (r *run) leakCheck() finding {
	f := finding{Check: Check{Name: plan.CheckLeaks}}
	var leaks []string
	for _, e := range r.others {
		if e.Leak != nil {
			leaks = append(leaks, strings.TrimSpace(e.Node+" "+e.Leak.What))
		}
	}
	if len(leaks) > 0 {
		return f.fail(some(leaks, shown))
	}
	f.Verdict, f.Detail = Pass, "nothing left behind"
	return f
}

func (r *run) diedCheck() finding {
	f := finding{Check: Check{Name: plan.CheckDied}}
	var deaths []string
	var when []window
	for _, e := range r.others {
		if e.Died != nil {
			deaths = append(deaths, fmt.Sprintf("%s at %s: %s", e.Node, r.at(e.At), e.Died.Why))
			when = append(when, point(e.At))
		}
	}
	if len(deaths) > 0 {
		return f.fail("ended by itself: "+some(deaths, shown), when...)
	}
	f.Verdict, f.Detail = Pass, "no node ended by itself"
	return f
}
