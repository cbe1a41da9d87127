package timeline

import (
	"fmt"
	"slices"
	"strings"

	"baton/impl/trace"
)

// Trips are the round trips of a traffic line, by stretches of time.
type Trips struct {
	Every At     `json:"every"` // length of a stretch
	Of    []Trip `json:"of"`    // by time; a stretch without an answer is absent
}

// Trip has the percentiles of one stretch, in milliseconds. In a merged stretch they are the worst of
// its parts.
type Trip struct {
	At      At      `json:"at"` // its begin
	Answers int     `json:"n"`
	P50     float64 `json:"p50"`
	P90     float64 `json:"p90"`
	P99     float64 `json:"p99"`
	Max     float64 `json:"max"`
}

// Table is latency over time as a table.
type Table struct {
	Every At       `json:"every"` // length of a row
	Lines []string `json:"lines"` // of traffic
	Rows  []Row    `json:"rows"`
}

// Row is a stretch of a Table.
type Row struct {
	At    At     `json:"at"`
	What  string `json:"what,omitempty"` // faults and role changes in it
	Trips []Trip `json:"trips"`          // by line; Answers is 0 if there were none
}

// rowsMost is the maximum number of rows of a Table.
const rowsMost = 48

// latency adds the round trips in totals.
func (b *builder) latency(t *trace.Totals) {
	if len(t.Latency) == 0 {
		return
	}
	l := b.lane(Latency, t.Name, "")
	if l.Trips == nil {
		l.Trips = &Trips{Every: At(trace.LatencyStretch.Microseconds())}
	}
	for _, s := range t.Latency {
		l.Trips.add(Trip{At: b.at(s.From), Answers: s.Answers, P50: s.P50, P90: s.P90, P99: s.P99, Max: s.Max})
	}
}

// add appends a stretch, or merges it into the last one if the two overlap.
func (t *Trips) add(trip Trip) {
	if n := len(t.Of); n > 0 && trip.At < t.Of[n-1].At+t.Every {
		t.Of[n-1].take(trip)
		return
	}
	t.Of = append(t.Of, trip)
}

func (t *Trip) take(other Trip) {
	t.Answers += other.Answers
	t.P50, t.P90, t.P99, t.Max = max(t.P50, other.P50), max(t.P90, other.P90), max(t.P99, other.P99), max(t.Max, other.Max)
}

// fewer merges stretches until at most most are left.
func (t *Trips) fewer(most int) *Trips {
	every := stretch(t.Of[len(t.Of)-1].At-t.Of[0].At+t.Every, most)
	merged := &Trips{Every: every}
	for _, trip := range t.Of {
		trip.At = floor(trip.At, every)
		merged.add(trip)
	}
	return merged
}

// stretch returns the shortest round length (1, 2 or 5 times a power of ten) that divides a time into
// at most most stretches.
func stretch(of At, most int) At {
	for unit := At(trace.LatencyStretch.Microseconds()); ; unit *= 10 {
		for _, every := range []At{unit, 2 * unit, 5 * unit} {
			if int(of/every)+2 <= most {
				return every
			}
		}
	}
}

// floor rounds a time down to a multiple of a length.
func floor(at, every At) At {
	if at < 0 {
		return -((-at + every - 1) / every) * every
	}
	return at / every * every
}

// latencyTable returns the latency of all lines in rows of equal length.
func latencyTable(r *Run) *Table {
	var lanes []Lane
	for _, l := range r.Lanes {
		if l.Trips != nil {
			lanes = append(lanes, l)
		}
	}
	if len(lanes) == 0 {
		return nil
	}
	first := slices.MinFunc(lanes, func(x, y Lane) int { return int(x.Trips.Of[0].At - y.Trips.Of[0].At) }).Trips.Of[0].At
	last := first
	for _, l := range lanes {
		last = max(last, l.Trips.Of[len(l.Trips.Of)-1].At)
	}
	t := &Table{Every: stretch(last-first, rowsMost)}
	for at := floor(first, t.Every); at <= last; at += t.Every {
		t.Rows = append(t.Rows, Row{At: at, What: meanwhile(r, at, at+t.Every), Trips: make([]Trip, len(lanes))})
	}
	for i, l := range lanes {
		t.Lines = append(t.Lines, l.Of)
		for _, trip := range l.Trips.Of {
			t.Rows[(trip.At-t.Rows[0].At)/t.Every].Trips[i].take(trip)
		}
	}
	return t
}

// meanwhile lists the faults that began and the nodes that became MASTER in a stretch.
func meanwhile(r *Run, from, to At) string {
	var said []string
	for _, l := range r.Lanes {
		for _, s := range l.Spans {
			if s.From < from || s.From >= to {
				continue
			}
			switch {
			case l.Kind == Faults:
				said = append(said, s.State)
			case l.Kind == RoleLane && strings.HasPrefix(s.State, "Master"):
				said = append(said, fmt.Sprintf("%s is Master", l.Of))
			}
		}
		for _, m := range l.Marks {
			if l.Kind == Faults && m.At >= from && m.At < to {
				said = append(said, m.What)
			}
		}
	}
	return strings.Join(said, ", ")
}
