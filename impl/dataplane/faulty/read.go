package faulty

import (
	"errors"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// Dump implements dataplane.Dataplane.
func (d *Dataplane) Dump(f func(flow.Entry) bool) error {
	if err := d.failure(MapUnread, "dump"); err != nil {
		return err
	}
	return d.Dataplane.Dump(f)
}

// Sweep implements dataplane.Dataplane.
func (d *Dataplane) Sweep(now, since clock.Instant) ([]flow.Entry, error) {
	if err := d.failure(MapUnread, "sweep"); err != nil {
		return nil, err
	}
	return d.Dataplane.Sweep(now, since)
}

// Walk implements dataplane.Dataplane.
func (d *Dataplane) Walk(f func(flow.Held)) (end bool, err error) {
	if err := d.failure(MapUnread, "walk"); err != nil {
		return false, err
	}
	return d.Dataplane.Walk(f)
}

// Examine implements dataplane.Dataplane.
func (d *Dataplane) Examine(tuples []flow.Tuple) ([]flow.Held, error) {
	if err := d.failure(MapUnread, "examine"); err != nil {
		return nil, err
	}
	return d.Dataplane.Examine(tuples)
}

// Poll implements dataplane.Dataplane. Lost are the changes of flows. A deferred reply that finds no
// room in the ring is forwarded at once, so it is no event that can be lost.
func (d *Dataplane) Poll(limit int, f func(flow.Event)) (more bool, err error) {
	if err := d.failure(EventsUnread, "poll"); err != nil {
		return false, err
	}
	if !d.has(EventsLost) {
		return d.Dataplane.Poll(limit, f)
	}
	dropped := uint64(0)
	more, err = d.Dataplane.Poll(limit, func(e flow.Event) {
		if e.Deferred.ID != 0 {
			f(e)
			return
		}
		dropped++
	})
	d.lose(dropped)
	return more, err
}

func (d *Dataplane) lose(events uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lost += events
}

// Counters implements dataplane.Dataplane.
func (d *Dataplane) Counters() (dataplane.Counters, error) {
	c, err := d.Dataplane.Counters()
	d.mu.Lock()
	defer d.mu.Unlock()
	c.EventsLost += d.lost
	return c, err
}

// errOverflow is the error of a risen counter.
var errOverflow = errors.New("dataplane: the counter of lost flow events has risen")

// overflow counts one lost event, to prove the fault without traffic.
func (d *Dataplane) overflow() error {
	before, err := d.Counters()
	if err != nil {
		return err
	}
	if d.has(EventsLost) {
		d.lose(1)
	}
	after, err := d.Counters()
	if err == nil && after.EventsLost > before.EventsLost {
		err = errOverflow
	}
	return err
}
