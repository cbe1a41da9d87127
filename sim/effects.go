package sim

import (
	"time"

	"baton/impl/clock"
	"baton/impl/flow"
	"baton/impl/node"
	"baton/impl/trace"
)

// work is what the daemon's loop is doing: effects that it carries out in their
// order, and the answers that it owes the core once they all are.
type work struct {
	busy    bool // an effect takes its time
	effects []node.Effect
	answers []node.Input
}

// pump carries out what the core wants until it wants nothing more, or until an
// effect takes time.
func (p *process) pump() {
	k := &p.work
	for !k.busy && p.core != nil {
		switch {
		case len(k.effects) > 0:
			p.begin(k.effects[0])
		case len(k.answers) > 0:
			in := k.answers[0]
			k.answers = k.answers[1:]
			p.core.Step(p.clock.local(p.w.now), in)
			k.effects = p.core.Ready()
		default:
			if k.effects = p.core.Ready(); len(k.effects) == 0 {
				p.setTimer()
				return
			}
		}
	}
}

// begin begins an effect. Most take no time.
func (p *process) begin(e node.Effect) {
	took := p.effort(e)
	if took == 0 {
		p.work.effects = p.work.effects[1:]
		p.carryOut(e)
		return
	}
	p.work.busy = true
	event := p.w.queue.push(p.w.now.Add(took), evWork)
	event.who, event.stamp = p.index, p.life
}

// finish ends an effect that took time, and takes up what came meanwhile.
func (p *process) finish(life uint64) {
	if p.life != life || !p.work.busy {
		return
	}
	if p.frozen {
		return // see thaw
	}
	p.work.busy = false
	e := p.work.effects[0]
	p.work.effects = p.work.effects[1:]
	p.carryOut(e)
	p.pump()
	p.takeInbox()
}

// takeInbox takes the inputs that have waited, until the daemon is busy again.
// Heartbeats come first: a daemon that has fallen behind must not take its own
// backlog for the peer's silence.
func (p *process) takeInbox() {
	life := p.life
	for p.life == life && !p.work.busy && !p.frozen {
		queue := &p.beats
		if len(p.beats) == 0 || p.core == nil {
			queue = &p.inbox
		}
		if len(*queue) == 0 {
			if p.core != nil {
				p.pump() // sets the timer
				p.wantPoll()
			}
			return
		}
		in := (*queue)[0]
		*queue = (*queue)[1:]
		if in == nil {
			p.boot(life) // it was frozen before it had begun
			continue
		}
		p.step(in)
	}
}

// Costs of writing the dataplane's maps. Renewals of the lease are not waited for
// by anybody and count as nothing.
const (
	writeMin   = 8 * time.Microsecond
	writeMax   = 40 * time.Microsecond
	entryCost  = 500 * time.Nanosecond
	thawWindow = 2 * time.Millisecond
)

// effort is how long an effect takes.
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

func (p *process) carryOut(e node.Effect) {
	switch e := e.(type) {
	case *node.SendBFD:
		p.sendBFD(e)
	case node.SendSync:
		p.w.sendSync(p, e.Data)
	case node.ResetStream:
		p.w.resetStream(p)
	case node.Apply:
		p.apply(e)
	case *node.Lease:
		p.takeLease(e)
	case node.Miss:
		policy := missPolicy(e.Guess)
		p.changed()
		_ = p.tunnel.SetMiss(policy)
	case node.Drain:
		p.drain(e.ID)
	case node.Dump:
		p.dump(e.ID)
	case node.Announce:
		p.w.announce(p.index, p.losesGARP)
	case node.Expire:
		p.expire(e)
	case *node.Trace:
		p.trace(e.Event)
	case node.Exit:
		p.exit()
	}
}

func (p *process) reply(in node.Input) { p.work.answers = append(p.work.answers, in) }

func (p *process) sendBFD(e *node.SendBFD) {
	link := pathLinks[e.Path]
	c := p.w.lanes[link][p.index].cross(p.w.now, uint64(e.Path)<<8|bfdSalt, headerBytes+len(e.Data))
	for _, at := range c.at[:c.copies] {
		event := p.w.queue.push(at, evBFD)
		event.who, event.path, event.data = 1-p.index, uint8(e.Path), e.Data
	}
}

// bfdSalt tells a heartbeat apart from what else leaves a host at its instant.
const bfdSalt = 0xbfd

func (p *process) apply(e node.Apply) {
	done := node.Done{ID: e.ID}
	chaos := p.w.chaos.applyFails
	if chaos > 0 && p.random.Chance(chaos) {
		done.Err = "batch update of the map: no buffer space available"
		p.reply(done)
		return
	}
	p.changed()
	p.tunnel.Advance(p.clock.local(p.w.now))
	// What is deleted may make room for what is added.
	if err := p.tunnel.Delete(e.Deletes); err != nil {
		done.Err = err.Error()
	} else if err := p.tunnel.Apply(e.Entries); err != nil {
		done.Err = err.Error()
	}
	p.reply(done)
}

func (p *process) takeLease(e *node.Lease) {
	chaos := p.w.chaos.leaseFails
	if chaos > 0 && e.Until > p.clock.local(p.w.now) && p.random.Chance(chaos) {
		if e.ID != 0 {
			p.reply(node.Done{ID: e.ID, Err: "update of the map: no buffer space available"})
		}
		return
	}
	_ = p.tunnel.Lease(e.Until)
	p.setLease(e.Until)
	if e.ID != 0 {
		p.reply(node.Done{ID: e.ID})
	}
}

// drain hands over every flow event that is pending, and then says so.
func (p *process) drain(id uint64) {
	var events []flow.Event
	_, _ = p.tunnel.Poll(func(e flow.Event) { events = append(events, e) })
	if len(events) > 0 {
		p.reply(node.Flows{Events: events})
	}
	p.reply(node.Done{ID: id})
}

func (p *process) dump(id uint64) {
	done := node.Done{ID: id}
	p.tunnel.Advance(p.clock.local(p.w.now))
	_ = p.tunnel.Dump(func(e flow.Entry) bool {
		done.Entries = append(done.Entries, e)
		return true
	})
	p.reply(done)
}

func (p *process) expire(e node.Expire) {
	p.since = e.Since
	switch {
	case !e.On:
		p.sweeping = 0
	case p.sweeping == 0:
		p.sweeping = p.w.serial()
		p.wantSweep()
	}
}

func (p *process) losesGARP() bool {
	chaos := p.w.chaos.garpLost
	return chaos > 0 && p.random.Chance(chaos)
}

// trace records an event of the core on the trace's time axis.
func (p *process) trace(e trace.Event) {
	e.At = p.w.now
	switch {
	case e.Lease != nil:
		until := max(p.clock.at(e.Lease.Until), 0)
		e.Lease = &trace.Lease{Until: min(until, clock.Never)}
	case e.Role != nil && e.Role.Refused != "":
		p.refused = e.Role.Reason
	case e.Role != nil:
		p.role = e.Role.To
	}
	p.w.record(e)
}

// exit ends the daemon: it has left in order.
func (p *process) exit() {
	p.w.hangUp(p)
	p.end()
	if p.exited != nil {
		p.exited()
	}
}
