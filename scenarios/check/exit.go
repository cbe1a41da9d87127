package check

import (
	"fmt"
	"time"
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
