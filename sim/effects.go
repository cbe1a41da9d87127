package sim

import (
	"time"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/driver"
	"baton/impl/flow"
	"baton/impl/node"
	"baton/impl/trace"
)

// ports executes the core's effects on the model of the dataplane, the links and the
// sync stream of the world.
type ports process

func (p *process) newDriver() *driver.Driver {
	return driver.New(p.core, &driver.Faulty{Ports: (*ports)(p), Plan: &driver.Shares{
		Share: &p.w.chaos.fails, Halfway: halfway, Chance: p.random.Chance,
	}})
}

// halfway is the share of failed Apply calls that apply half of their entries, and of failed
// arbiter requests that are executed.
const halfway = 0.5

// Now implements driver.Clock.
func (p *ports) Now() clock.Instant { return p.clock.local(p.w.now) }

// Takes implements driver.Clock. Most effects take no time.
func (p *ports) Takes(e node.Effect) bool {
	took := (*process)(p).effort(e)
	if took == 0 {
		return false
	}
	event := p.w.queue.push(p.w.now.Add(took), evWork)
	event.who, event.stamp = p.index, p.life
	return true
}

// busy reports whether the daemon's loop waits for an effect.
func (p *process) busy() bool { return p.driver != nil && p.driver.Waits() }

// settleCore steps the results of effects into the core, and sets the timer once there are
// no more effects.
func (p *process) settleCore() {
	if d := p.driver; d != nil {
		p.guarded(d.Settle)
	}
	if p.core != nil && !p.busy() {
		p.setTimer()
	}
}

// finish completes a slow effect and handles the inputs that arrived during it.
func (p *process) finish(life uint64) {
	if p.life != life || !p.busy() {
		return
	}
	if p.frozen {
		return // see thaw
	}
	p.guarded(p.driver.Finish)
	p.settleCore()
	p.takeInbox()
}

// takeInbox handles queued inputs until the daemon is busy again. Heartbeats come first: a
// daemon that has fallen behind must not mistake its own backlog for a silent peer.
func (p *process) takeInbox() {
	life := p.life
	for p.life == life && !p.busy() && !p.frozen {
		queue := &p.beats
		if len(p.beats) == 0 || p.core == nil {
			queue = &p.inbox
		}
		if len(*queue) == 0 {
			if p.core != nil {
				p.settleCore() // sets the timer
				p.wantPoll()
				if p.overdue {
					p.sweep()
				}
			}
			return
		}
		in := (*queue)[0]
		*queue = (*queue)[1:]
		if in == nil {
			p.boot(life) // it was frozen before it booted
			continue
		}
		p.step(in)
	}
}

// Durations of writes to the dataplane's maps. A renewal of the lease takes no time, because
// nothing waits for it.
const (
	writeMin   = 8 * time.Microsecond
	writeMax   = 40 * time.Microsecond
	entryCost  = 500 * time.Nanosecond
	thawWindow = 2 * time.Millisecond
)

// effort returns the duration of an effect.
func (p *process) effort(e node.Effect) time.Duration {
	chaos := &p.w.chaos
	var took time.Duration
	switch e := e.(type) {
	case node.Apply:
		took = p.random.Between(writeMin, writeMax) + time.Duration(len(e.Entries)+len(e.Deletes))*entryCost
	case *node.Lease:
		if e.ID != 0 {
			took = p.random.Between(writeMin, writeMax)
		}
	case node.Dump:
		took = p.random.Between(writeMin, writeMax)
	default:
		return 0
	}
	if chaos.slow > 0 && p.random.Chance(chaos.slow) {
		took += p.random.Between(0, chaos.slowFor)
	}
	return took
}

// SendSync implements driver.Stream.
func (p *ports) SendSync(frame []byte) { p.w.sendSync((*process)(p), frame) }

// ResetStream implements driver.Stream.
func (p *ports) ResetStream(string) { p.w.resetStream((*process)(p)) }

// Apply implements driver.Dataplane.
func (p *ports) Apply(entries []flow.Entry, deletes []flow.Tuple, done func(error)) {
	(*process)(p).changed()
	p.dataplane.Advance(p.Now())
	// Deletions come first because they free entries.
	err := p.table.Delete(deletes)
	if err == nil {
		err = p.table.Apply(entries)
	}
	done(err)
}

// Lease implements driver.Dataplane.
func (p *ports) Lease(until clock.Instant) error {
	if err := p.table.Lease(until); err != nil {
		return err
	}
	(*process)(p).setLease(until)
	return nil
}

// Relay implements driver.Dataplane.
func (p *ports) Relay(until clock.Instant) error {
	(*process)(p).changed()
	return p.table.Relay(until)
}

// PeerMAC implements driver.Dataplane.
func (p *ports) PeerMAC(link string, mac node.MAC) error { return p.table.SetPeerMAC(link, mac) }

// SetMiss implements driver.Dataplane.
func (p *ports) SetMiss(guess bool) error {
	(*process)(p).changed()
	return p.table.SetMiss(missPolicy(guess))
}

// Drain implements driver.Dataplane.
func (p *ports) Drain(take func([]flow.Event)) (lost bool, err error) {
	var events []flow.Event
	_, err = p.table.Poll(dataplane.AllPending, func(e flow.Event) { events = append(events, e) })
	if len(events) > 0 {
		take(events)
	}
	return (*process)(p).lostFlows(), err
}

// Dump implements driver.Dataplane.
func (p *ports) Dump(done func([]flow.Entry, error)) {
	entries := make([]flow.Entry, 0, p.dataplane.Len())
	p.dataplane.Advance(p.Now())
	err := p.table.Dump(func(e flow.Entry) bool {
		entries = append(entries, e)
		return true
	})
	done(entries, err)
}

// Walk implements driver.Dataplane.
func (p *ports) Walk(done func([]flow.Held, bool, error)) {
	var part []flow.Held
	p.dataplane.Advance(p.Now())
	end, err := p.table.Walk(func(h flow.Held) { part = append(part, h) })
	done(part, end, err)
}

// Examine implements driver.Dataplane.
func (p *ports) Examine(tuples []flow.Tuple) ([]flow.Held, error) {
	p.dataplane.Advance(p.Now())
	return p.table.Examine(tuples)
}

// Heal implements driver.Dataplane.
func (p *ports) Heal(entries []flow.Entry, deletes []flow.Tuple, done func(error)) {
	(*process)(p).changed()
	(*process)(p).falseAlarm(len(entries), len(deletes))
	p.dataplane.Advance(p.Now())
	done(p.table.Heal(entries, deletes))
}

// Merge implements driver.Dataplane.
func (p *ports) Merge(entries []flow.Entry, done func(error)) {
	(*process)(p).changed()
	p.dataplane.Advance(p.Now())
	done(p.table.Heal(entries, nil))
}

// Expire implements driver.Dataplane.
func (p *ports) Expire(on bool, since clock.Instant) {
	p.since = since
	switch {
	case !on:
		p.sweeping, (*process)(p).overdue = 0, false
	case p.sweeping == 0:
		p.sweeping = p.w.serial()
		(*process)(p).wantSweep()
	}
}

// SendReplies implements driver.Dataplane.
func (p *ports) SendReplies(ids []uint64) error {
	(*process)(p).changed()
	p.dataplane.Advance(p.Now())
	err := p.table.Release(ids)
	(*process)(p).wantPoll()
	return err
}

// DropReplies implements driver.Dataplane.
func (p *ports) DropReplies(ids []uint64) {
	p.table.Discard(ids)
	for _, id := range ids {
		delete(p.deferred, id)
	}
}

// Keep implements driver.Dataplane.
func (p *ports) Keep(of flow.Pedigree) error { return p.table.Keep(of) }

// Announce implements driver.Announcer. It reports no error for an announcement lost on the link.
func (p *ports) Announce(a node.Announce) error {
	p.w.announce(p.index, a, p.losesGARP)
	return nil
}

func (p *ports) losesGARP() bool {
	chaos := p.w.chaos.garpLost
	return chaos > 0 && p.random.Chance(chaos)
}

// Record implements driver.Recorder. It converts an event's times from the host's clock to true time.
func (p *ports) Record(e trace.Event) {
	e.At = p.w.now
	switch {
	case e.Lease != nil:
		lease := trace.Lease{Until: min(max(p.clock.at(e.Lease.Until), 0), clock.Never)}
		if e.Lease.Relay != 0 {
			lease.Relay = max(p.clock.at(e.Lease.Relay), 0)
		}
		e.Lease = &lease
	case e.Role != nil && e.Role.Refused != "":
		p.refused = e.Role.Reason
	case e.Role != nil:
		(*process)(p).countRole()
		p.role = e.Role.To
	}
	p.w.record(e)
}

// Failed implements driver.Recorder. The core traces what a failure means to it.
func (p *ports) Failed(driver.Call, error) {}

// Exit implements driver.Process: the daemon has stopped gracefully.
func (p *ports) Exit() {
	p.w.closeStream((*process)(p))
	(*process)(p).end()
	if p.exited != nil {
		p.exited()
	}
}
