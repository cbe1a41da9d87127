package evidence

import (
	"cmp"
	"slices"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
)

// Pause is the time without damage that separates two clusters.
const Pause = 500 * time.Millisecond

// Cluster is damage without a pause and without a new fault in between. One fault has most likely
// caused all of it.
type Cluster struct {
	Span
	Count int         // the number of events
	First trace.Event // the first of them
}

// Onsets finds the starts of damage clusters while events are recorded. The zero value is ready.
type Onsets struct {
	damaged bool // there was damage
	last    clock.Instant
	fault   bool // one has begun since the cluster began
	found   int
}

// Begins reports whether an event begins one of the first clusters, for which evidence is kept.
func (o *Onsets) Begins(e trace.Event) bool {
	if e.Fault != nil && e.Fault.Phase == "begin" {
		o.fault = true
	}
	if !IsDamage(e) {
		return false
	}
	begins := !o.damaged || o.fault || e.At > o.last.Add(Pause)
	o.damaged, o.last = true, e.At
	if begins {
		o.fault = false
		o.found++
	}
	return begins && o.found <= focusMost
}

// Clusters groups the events that are damage. The events are sorted by time. The largest cluster
// comes first; of equal ones, the earlier.
func Clusters(events []trace.Event, damage func(trace.Event) bool) []Cluster {
	var found []Cluster
	fault := clock.Instant(0) // the last that began
	for _, e := range events {
		if e.Fault != nil && e.Fault.Phase == "begin" {
			fault = e.At
		}
		if !damage(e) {
			continue
		}
		if last := len(found) - 1; last >= 0 && e.At <= found[last].To.Add(Pause) && fault <= found[last].From {
			found[last].To = e.At
			found[last].Count++
			continue
		}
		found = append(found, Cluster{Span: Span{From: e.At, To: e.At}, Count: 1, First: e})
	}
	slices.SortStableFunc(found, func(x, y Cluster) int { return cmp.Compare(y.Count, x.Count) })
	return found
}
