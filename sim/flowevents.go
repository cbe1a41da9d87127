package sim

import (
	"time"

	"baton/impl/dataplane"
	"baton/impl/flow"
	"baton/impl/node"
)

// How a daemon reads flow events from its dataplane.

const (
	pollDelay  = 150 * time.Microsecond // from a flow event to its being read
	pollRetry  = time.Second            // after a failed read
	sweepEvery = time.Second            // between checks for lost events and expired entries, as in the daemon
)

// poll reads the pending flow events, unless the daemon is frozen or busy.
func (p *process) poll() {
	p.polling = false
	if p.frozen || p.busy() {
		return // takeInbox polls again afterwards
	}
	p.readFlows()
}

func (p *process) readFlows() {
	var events []flow.Event
	if _, err := p.table.Poll(dataplane.AllPending, func(e flow.Event) { events = append(events, e) }); err != nil {
		p.polling = true
		p.pollIn(pollRetry)
		p.input(p.life, node.Lost{})
		return
	}
	if len(events) > 0 {
		p.input(p.life, node.Flows{Events: events})
	}
}

// lostFlows reports whether the dataplane has dropped flow events since the last call.
func (p *process) lostFlows() bool {
	c, err := p.table.Counters()
	if err != nil || c.EventsLost <= p.lost {
		return false
	}
	p.lost = c.EventsLost
	return true
}

// wantPoll schedules a poll if flow events are pending.
func (p *process) wantPoll() {
	if !p.polling && p.core != nil && p.dataplane.Wait() == nil {
		p.polling = true
		p.pollIn(pollDelay)
	}
}

func (p *process) pollIn(d time.Duration) {
	e := p.w.queue.push(p.w.now.Add(d), evPoll)
	e.who, e.stamp = p.index, p.life
}

// wantSweep schedules the next sweep.
func (p *process) wantSweep() {
	e := p.w.queue.push(p.w.now.Add(sweepEvery), evSweep)
	e.who, e.stamp = p.index, p.sweeping
}

// tick does a daemon's periodic work, or leaves it until the daemon is free: see takeInbox.
func (p *process) tick() {
	p.wantSweep()
	if p.overdue = p.frozen || p.busy(); !p.overdue {
		p.sweep()
	}
}

// sweep checks for lost flow events, expires entries and reports the expired ones to the core.
func (p *process) sweep() {
	p.overdue = false
	if p.lostFlows() {
		p.input(p.life, node.Lost{})
	}
	gone, err := p.table.Sweep(p.clock.local(p.w.now), p.since)
	switch {
	case err != nil:
		p.input(p.life, node.Lost{})
		return
	case len(gone) == 0:
		return
	}
	events := make([]flow.Event, len(gone))
	for i, entry := range gone {
		events[i] = flow.Event{Entry: entry, Deleted: true}
	}
	p.w.forget(events)
	p.readFlows() // read older events first, or they would restore the flow in the core's table
	p.input(p.life, node.Flows{Events: events})
}
