package evidence

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
)

// Around is how much time before and after a failure the evidence covers.
const Around = 2 * time.Second

// Ask says which evidence of a finished run a world should keep.
type Ask struct {
	Start clock.Instant
	// Focus has the instants that matter, the most important first. If the limit does not
	// suffice, evidence far from them is left out.
	Focus   []clock.Instant
	Windows []Span
	Limit   int64
	About   string        // one line about the run
	Events  []trace.Event // of the run, by time
}

// FocusMost is the largest number of damage clusters for which evidence is kept.
const FocusMost = 4

// NewAsk makes an Ask from the events of a run and the windows in which checks failed, in any
// order. Without windows it covers the whole run.
func NewAsk(events []trace.Event, failed []Span, limit int64, about string) Ask {
	a := Ask{Limit: limit, About: about, Events: events}
	if len(events) == 0 {
		return a
	}
	last := events[len(events)-1].At
	a.Start = start(events)
	for _, f := range failed {
		a.Windows = append(a.Windows, Span{From: f.From.Add(-Around), To: f.To.Add(Around)})
	}
	clusters := Clusters(events, IsDamage)
	for _, c := range clusters[:min(len(clusters), FocusMost)] {
		a.Focus = append(a.Focus, c.From)
		a.Windows = append(a.Windows, Span{From: c.From.Add(-Around), To: c.From.Add(Around)})
	}
	switch {
	case len(a.Focus) > 0:
	case len(failed) > 0:
		a.Focus = []clock.Instant{slices.MinFunc(failed, func(x, y Span) int { return cmp.Compare(x.From, y.From) }).From}
	default:
		a.Focus = []clock.Instant{last}
	}
	if len(a.Windows) == 0 {
		a.Windows = []Span{{From: events[0].At, To: last}}
	}
	a.Windows = merged(a.Windows)
	return a
}

// IsDamage reports whether an event is damage to a client: a RST, or a session that was lost,
// corrupted or moved to another backend.
func IsDamage(e trace.Event) bool {
	if e.Traffic != nil {
		return e.Traffic.Event == trace.TrafficLost || e.Traffic.Event == trace.TrafficCorrupt || e.Traffic.Event == trace.TrafficMoved
	}
	return e.RST != nil
}

// start is the instant of the first step, or of the first event if there is none.
func start(events []trace.Event) clock.Instant {
	if i := slices.IndexFunc(events, func(e trace.Event) bool { return e.Step != nil }); i >= 0 {
		return events[i].At
	}
	return events[0].At
}

// merged sorts spans, and joins those that overlap.
func merged(spans []Span) []Span {
	slices.SortFunc(spans, func(x, y Span) int { return cmp.Compare(x.From, y.From) })
	out := spans[:1]
	for _, s := range spans[1:] {
		if last := &out[len(out)-1]; s.From <= last.To {
			last.To = max(last.To, s.To)
			continue
		}
		out = append(out, s)
	}
	return out
}

// Holds reports whether an instant is in one of the windows.
func (a Ask) Holds(t clock.Instant) bool {
	return slices.ContainsFunc(a.Windows, func(s Span) bool { return t >= s.From && t <= s.To })
}

// Nearest returns the index of the instant that is nearest to the first of Focus. The instants are
// sorted.
func (a Ask) Nearest(instants []clock.Instant) int {
	best := 0
	for i, at := range instants {
		if len(a.Focus) > 0 && at.Sub(a.Focus[0]).Abs() < instants[best].Sub(a.Focus[0]).Abs() {
			best = i
		}
	}
	return best
}

// At formats an instant as the time since the first step.
func (a Ask) At(t clock.Instant) string { return fmt.Sprintf("%+.6fs", t.Sub(a.Start).Seconds()) }
