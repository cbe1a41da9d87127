package check

import (
	"fmt"
	"strings"
	"time"

	"baton/impl/trace"
	"baton/scenarios/plan"
)

// leastOffered is the share of its messages and connections that a line of traffic must offer in
// time. Below it the run tells more about the generator than about the pair.
const leastOffered = 0.99

// loadCheck is INCONCLUSIVE if a generator offered less than the scenario says.
func (r *run) loadCheck() finding {
	f := finding{Check: Check{Name: plan.CheckLoad}}
	var short, kept []string
	var behind []window
	for _, t := range r.plan.Traffic {
		last := r.lastTotals(t.Name)
		switch in := last.Meant - last.Late - last.Unstarted; {
		case last.Meant == 0:
		case float64(in) < leastOffered*float64(last.Meant):
			short = append(short, r.shortfall(t, last))
			behind = append(behind, r.lagsOf(t.Name)...)
		default:
			kept = append(kept, fmt.Sprintf("%s: %d, up to %s late", t.Name, last.Meant-last.Unstarted, latest(last)))
		}
	}
	if len(short) > 0 {
		f.evidence = behind
		return f.unjudged("the generator did not offer the load of the scenario: " + strings.Join(short, "; "))
	}
	f.Verdict, f.Detail = Pass, orElse(strings.Join(kept, "; "), "no traffic tells when it was sent")
	return f
}

// lastTotals returns the last totals of a line of traffic, empty without any.
func (r *run) lastTotals(name string) (last trace.Totals) {
	for _, e := range r.others {
		if e.Totals != nil && e.Totals.Name == name {
			last = *e.Totals
		}
	}
	return last
}

// shortfall says by how much a line was offered late or not at all.
func (r *run) shortfall(t plan.Traffic, last trace.Totals) string {
	what := "messages"
	if t.Kind == plan.Connects {
		what = "connects"
	}
	var parts []string
	if last.Late > 0 {
		parts = append(parts, fmt.Sprintf("%d began more than %s late, by up to %s", last.Late, r.plan.Tolerate, latest(last)))
	}
	if last.Unstarted > 0 {
		parts = append(parts, fmt.Sprintf("%d never began, for want of a port or a file", last.Unstarted))
	}
	return fmt.Sprintf("of %d %s of %s, %s", last.Meant, what, t.Name, strings.Join(parts, " and "))
}

// lagsOf lists when the generator of a line was behind by more than the plan tolerates.
func (r *run) lagsOf(name string) (list []window) {
	for _, s := range r.lags {
		if s.what.Line == name && s.took > r.plan.Tolerate {
			list = append(list, s.window)
		}
	}
	return list
}

func latest(t trace.Totals) time.Duration {
	return short(time.Duration(t.Latest * float64(time.Millisecond)))
}
