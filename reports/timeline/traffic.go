package timeline

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"baton/impl/trace"
)

// totals has the counts of a traffic line at an instant.
type totals struct {
	at At
	trace.Totals
}

// total converts running totals to rates, and adds the latency since the last ones.
func (b *builder) total(at At, t *trace.Totals) {
	b.latency(t)
	if b.totals == nil {
		b.totals = map[string]totals{}
	}
	last, known := b.totals[t.Name]
	if !known {
		// A line begins at most a second before its first totals.
		last.at = at - At(time.Second/time.Microsecond)
	}
	if at <= last.at {
		return
	}
	b.totals[t.Name] = totals{at, *t}
	seconds := (at - last.at).Duration().Seconds()
	rate := func(now, before uint64) float64 { return float64(now-min(now, before)) / seconds }
	kind, names := Goodput, []Curve{{Name: "answers", Unit: "/s"}, {Name: "bytes", Unit: "/s"}}
	values := []float64{rate(t.Received, last.Received), rate(t.Bytes, last.Bytes)}
	if t.Kind == "connects" {
		kind, names = Connects, []Curve{{Name: "opened", Unit: "/s"}, {Name: "failed", Unit: "/s"}}
		values = []float64{rate(uint64(t.Opened), uint64(last.Opened)), rate(uint64(t.Failed), uint64(last.Failed))}
	}
	l := b.lane(kind, t.Name, "")
	if l.Curves == nil {
		l.Curves = names
	}
	for i, v := range values {
		l.Curves[i].add(at, v)
	}
}

func (b *builder) gap(g *trace.Gap) {
	if b.waits == nil {
		b.waits = map[string][]Span{}
	}
	b.waits[g.Name] = append(b.waits[g.Name], Span{From: b.at(g.From), To: b.at(g.To), Count: 1})
}

// finishGaps draws overlapping waits of a line's flows as one span, from the begin of the first to the
// end of the last.
func (b *builder) finishGaps() {
	for _, name := range sortedKeys(b.waits) {
		waits := b.waits[name]
		slices.SortStableFunc(waits, func(x, y Span) int { return cmp.Compare(x.From, y.From) })
		var merged []Span
		var longest At
		say := func() {
			if n := len(merged); n > 0 {
				s := &merged[n-1]
				s.State, s.Tone = "waiting", Warn
				s.What = fmt.Sprintf("%d of %s without an answer, for up to %v", s.Count, name, short(longest.Duration()))
			}
		}
		for _, w := range waits {
			if n := len(merged); n > 0 && w.From <= merged[n-1].To {
				merged[n-1].To = max(merged[n-1].To, w.To)
				merged[n-1].Count++
				longest = max(longest, w.To-w.From)
				continue
			}
			say()
			longest = w.To - w.From
			merged = append(merged, w)
		}
		say()
		b.lane(Gaps, name, "").Spans = merged
	}
}

// damages maps the events that harm a client to their description.
var damages = map[string]string{
	trace.TrafficLost: "lost", trace.TrafficCorrupt: "answered with wrong bytes",
	trace.TrafficMoved: "answered by another backend", trace.TrafficFailed: "not established",
}

func (b *builder) traffic(at At, t *trace.Traffic) {
	harm := damages[t.Event]
	if harm == "" {
		return
	}
	session := t.Name + "/" + t.Flow
	what := session + " " + harm
	if t.Why != "" {
		what += ": " + t.Why
	}
	if t.Backend != "" {
		what += ", backend " + t.Backend
	}
	b.mark(Damage, t.Name, "", Mark{At: at, Tone: Bad, What: what})
	if t.Tuple != "" {
		if b.tuples == nil {
			b.tuples = map[string]string{}
		}
		b.tuples[t.Tuple] = session
	}
}
