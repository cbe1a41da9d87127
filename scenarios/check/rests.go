package check

import (
	"fmt"
	"time"

	"baton/scenarios/plan"
)

// timersPerBeat is how many timers a core may request in each transmit interval of each BFD
// path: one to send the packet, and some for other deadlines.
const timersPerBeat = 4

// timersApart is how many further timers a core may request per report, independent of its transmit
// interval: deadlines of handovers and announcements, and retries of failed dataplane calls. A core
// that spins requests tens of thousands a second.
const timersApart = 100

// rests judges that no core spins: it requests no timer that is already due and has no effect,
// and no more timers than its heartbeats and deferred replies explain.
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
		limit := timersApart + float64(l.Replies) + timersPerBeat*float64(len(r.paths()))*float64(span)/float64(r.plan.Beat(r.meta.World, e.Node))
		most = max(most, float64(l.Timers))
		why := ""
		switch {
		case l.Late > 0:
			why = fmt.Sprintf("%d timers that were already due and had no effect", l.Late)
		case float64(l.Timers) > limit:
			why = fmt.Sprintf("%d timers, %d without effect; its heartbeats and deferred replies explain %.0f", l.Timers, l.Idle, limit)
		default:
			continue
		}
		bad = append(bad, fmt.Sprintf("%s requested within the %s before %s %s", e.Node, short(span), r.at(e.At), why))
		when = append(when, window{e.At.Add(-span), e.At})
	}
	switch {
	case len(bad) > 0:
		return f.fail(fmt.Sprintf("rests over %s: %s", r.span(w), some(bad, shown)), when...)
	case judged == 0 && r.meta.World == plan.Sim:
		return f.unjudged(fmt.Sprintf("rests over %s: no node reported its timers", r.span(w)))
	case judged == 0:
		return f.notJudged("rests: no node reports its timers")
	}
	f.Verdict, f.Detail = Pass, fmt.Sprintf("rests over %s: at most %.0f timers in a second", r.span(w), most)
	return f
}
