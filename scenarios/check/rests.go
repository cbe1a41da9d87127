package check

import (
	"fmt"
	"time"

	"baton/scenarios/plan"
)

// timersPerBeat is how many timers a core may ask for in a transmit interval of each
// BFD path: one to send, and what else runs out meanwhile.
const timersPerBeat = 4

// timersApart is what a core may ask for in a second besides, however slow its beat:
// deadlines of a handover, of announcements, and retries of what a dataplane refuses. One
// that spins asks for tens of thousands.
const timersApart = 100

// rests judges that no core asks for timers without end: none that is due already
// and from which nothing follows, and no more of them than its heartbeats explain.
func (r *run) rests(f finding, w window) finding {
	var bad []string
	var when []window
	judged, most := 0, 0.0
	for _, e := range r.others {
		l := e.Loop
		if l == nil || !w.has(e.At) {
			continue
		}
		judged++
		span := time.Duration(l.For)
		limit := timersApart + timersPerBeat*float64(len(r.paths()))*float64(span)/float64(r.plan.Beat(r.meta.World, e.Node))
		most = max(most, float64(l.Timers))
		why := ""
		switch {
		case l.Late > 0:
			why = fmt.Sprintf("%d timers for what was due already and came to nothing", l.Late)
		case float64(l.Timers) > limit:
			why = fmt.Sprintf("%d timers, %d of them for nothing; its heartbeats explain %.0f", l.Timers, l.Idle, limit)
		default:
			continue
		}
		bad = append(bad, fmt.Sprintf("%s asked within %s up to %s for %s", e.Node, short(span), r.at(e.At), why))
		when = append(when, window{e.At.Add(-span), e.At})
	}
	switch {
	case len(bad) > 0:
		return f.fail(fmt.Sprintf("rests over %s: %s", r.span(w), some(bad, shown)), when...)
	case judged == 0 && r.meta.World == plan.Sim:
		return f.unjudged(fmt.Sprintf("rests over %s: no node told of its loop", r.span(w)))
	case judged == 0:
		return f.notJudged("rests: no node tells of its loop")
	}
	f.Verdict, f.Detail = Pass, fmt.Sprintf("rests over %s: at most %.0f timers in a second", r.span(w), most)
	return f
}
