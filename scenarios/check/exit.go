package check

import (
	"fmt"
	"strings"
	"time"

	"baton/impl/trace"
	"baton/scenarios/plan"
)

// exits samples the exit statuses of the named program, or of every program that the scenario
// ran, whether or not they ended within the window.
func (r *run) exits(program string, w window) (found []sample) {
	for _, e := range r.others {
		p := e.Program
		if p == nil || program != "" && p.Name != program {
			continue
		}
		what := fmt.Sprintf("%s on %s after %s, %s", p.Name, e.Node, short(time.Duration(p.Took)), p.Why)
		if p.Last != "" {
			what += "; its last output: " + p.Last
		}
		found = append(found, one(w, float64(p.Exit), what)...)
	}
	return found
}

// output judges the output of a program, whenever it ended.
func (r *run) output(f finding, o plan.Output, claim string) finding {
	for _, e := range r.events {
		p := e.Program
		if p == nil || p.Name != o.Program {
			continue
		}
		found := strings.Contains(p.Output, o.Text)
		switch {
		case !found && p.Cut:
			return f.unjudged(fmt.Sprintf("%s: the trace has only the last %d bytes of its output", claim, trace.OutputLimit))
		case found == o.Not:
			return f.fail(fmt.Sprintf("%s: %s on %s ended with %s; its last output: %s", claim, p.Name, e.Node, p.Why, orElse(p.Last, "nothing")))
		}
		f.Verdict, f.Detail = Pass, claim
		return f
	}
	return f.unjudged(claim + ": the program did not end")
}
