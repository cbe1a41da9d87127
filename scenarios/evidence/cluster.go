package evidence

import (
	"cmp"
	"slices"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
)

// Pause is the shortest time without damage that separates two clusters.
const Pause = 500 * time.Millisecond

// Cluster is damage without a pause and without a new fault in between. One fault has most likely
// caused all of it.
type Cluster struct {
	Span
	Count int         // the number of events
	First trace.Event // the first of them
}

// divider decides whether damage belongs to the current cluster or begins the next.
type divider struct {
	began       bool // a cluster has begun
	from, to    clock.Instant
	faulted     bool // a fault has begun
	latestFault clock.Instant
}

// note records the begin of a fault; it ignores other events.
func (d *divider) note(e trace.Event) {
	if e.Fault != nil && e.Fault.Phase == "begin" {
		d.faulted, d.latestFault = true, max(d.latestFault, e.At)
	}
}

// begins reports whether damage at an instant begins a cluster.
func (d *divider) begins(at clock.Instant) bool {
	fault := d.faulted && d.from < d.latestFault && d.latestFault <= at
	begins := !d.began || fault || at > d.to.Add(Pause)
	if begins {
		d.began, d.from = true, at
	}
	d.to = max(d.to, at)
	return begins
}

// Onsets finds the starts of damage clusters while events are recorded, which may be slightly out of
// order. The zero value is ready.
type Onsets struct {
	divider divider
	found   int
}

// Begins reports whether an event begins one of the first clusters, for which evidence is kept.
func (o *Onsets) Begins(e trace.Event) bool {
	o.divider.note(e)
	if !IsDamage(e) || !o.divider.begins(e.At) {
		return false
	}
	o.found++
	return o.found <= FocusMost
}

// Clusters groups the events that are damage. The events are sorted by time. The largest cluster
// comes first; of equal ones, the earlier.
func Clusters(events []trace.Event, damage func(trace.Event) bool) []Cluster {
	var found []Cluster
	var divider divider
	for _, e := range events {
		divider.note(e)
		if !damage(e) {
			continue
		}
		if divider.begins(e.At) {
			found = append(found, Cluster{Span: Span{From: e.At, To: e.At}, Count: 1, First: e})
			continue
		}
		last := &found[len(found)-1]
		last.To = e.At
		last.Count++
	}
	slices.SortStableFunc(found, func(x, y Cluster) int { return cmp.Compare(y.Count, x.Count) })
	return found
}
