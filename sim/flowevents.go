package sim

import (
	"time"

	"baton/impl/dataplane"
	"baton/impl/flow"
	"baton/impl/node"
)

// How a daemon learns what has become of the flows in its dataplane.

const (
	pollDelay  = 150 * time.Microsecond // from a flow event to its being read
	pollRetry  = time.Second            // from a reading that failed to the next
	sweepEvery = time.Second            // between two looks for lost events and for entries that have run out, as the daemon does
)

// poll reads the flow events that the dataplane has.
func (p *process) poll() {
	p.polling = false
	if p.frozen || p.busy() {
		return // read when that ends
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

// wantPoll schedules the reading of flow events if there are any.
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

// wantSweep schedules the next look.
func (p *process) wantSweep() {
	e := p.w.queue.push(p.w.now.Add(sweepEvery), evSweep)
	e.who, e.stamp = p.index, p.sweeping
}

// sweep does the periodic work of a daemon: it looks whether flow events were lost, ages the entries and
// tells the core of those that are gone.
func (p *process) sweep() {
	p.wantSweep()
	if p.frozen || p.busy() {
		return
	}
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
	p.readFlows() // an event from before the sweep would bring the flow back
	p.input(p.life, node.Flows{Events: events})
}
