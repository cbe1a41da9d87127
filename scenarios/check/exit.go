package check

import (
	"fmt"
	"strings"
	"time"

	"baton/impl/trace"
	"baton/scenarios/plan"
)

// exits are the exit statuses of a program that the scenario ran, or of each of them. A
// program is judged when it has ended, in whatever window that is.
func (r *run) exits(program string, w window) (found []sample) {
	for _, e := range r.others {
		p := e.Program
		if p == nil || program != "" && p.Name != program {
			continue
		}
		what := fmt.Sprintf("%s on %s after %s, %s", p.Name, e.Node, short(time.Duration(p.Took)), p.Why)
		if p.Last != "" {
			what += "; it wrote last: " + p.Last
		}
		found = append(found, one(w, float64(p.Exit), what)...)
	}
	return found
}

// output judges what a program wrote, whenever it ended.
func (r *run) output(f finding, o plan.Output, claim string) finding {
	for _, e := range r.events {
		p := e.Program
		if p == nil || p.Name != o.Program {
			continue
		}
		found := strings.Contains(p.Output, o.Text)
		switch {
		case !found && p.Cut:
			return f.unjudged(fmt.Sprintf("%s: it wrote more than the last %d bytes, which the trace has", claim, trace.OutputLimit))
		case found == o.Not:
			return f.fail(fmt.Sprintf("%s: %s on %s ended with %s, and wrote last: %s", claim, p.Name, e.Node, p.Why, orElse(p.Last, "nothing")))
		}
		f.Verdict, f.Detail = Pass, claim
		return f
	}
	return f.unjudged(claim + ": the program did not end")
}
