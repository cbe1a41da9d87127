package sim

import (
	"fmt"
	"time"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/node"
	"baton/impl/trace"
)

// loop counts the timers that a daemon's loop has handled since the last record.
type loop struct {
	since   clock.Instant
	timers  int
	idle    int    // timers for which the core produced nothing
	late    int    // idle timers after which the core's deadline was still in the past
	replies uint64 // total of deferred replies that had ended at since
	steps   tally  // within burstFor
	roles   tally  // changes of the role within loopEvery
}

// tally counts what happens within some time.
type tally struct {
	since clock.Instant
	count int
}

// add counts one more, and returns how many there were within the time.
func (t *tally) add(now clock.Instant, within time.Duration) int {
	if now.Sub(t.since) >= within {
		*t = tally{since: now}
	}
	t.count++
	return t.count
}

// A core that steps more often than burstMax within burstFor answers its own or its peer's answers: time
// would stand still, and memory would run out. One that changes its role more often than rolesMax within
// loopEvery would fill the trace.
const (
	burstFor = time.Millisecond
	burstMax = 100_000
	rolesMax = 1000
)

// loopEvery is how often the counts are recorded.
const loopEvery = time.Second

// wake steps the core with the timer that it asked for.
func (p *process) wake() {
	driver := p.driver
	asked := driver.Asked()
	p.guarded(func() { p.driver.Step(node.Timer{}) })
	p.loop.timers++
	if p.core != nil && driver.Asked() == asked {
		p.loop.idle++
		if p.clock.at(p.core.Deadline()) <= p.w.now {
			p.loop.late++
		}
	}
	p.settleCore()
	p.tellLoop()
}

// tellLoop records the counts once per loopEvery.
func (p *process) tellLoop() {
	l := &p.loop
	if p.w.now.Sub(l.since) < loopEvery {
		return
	}
	ended := l.replies
	if p.core != nil && p.cfg.Defer > 0 {
		ended = p.core.Status().Defer.Ended()
	}
	p.w.record(trace.Event{At: p.w.now, Node: p.id, Kind: trace.KindLoop,
		Loop: &trace.Loop{For: trace.Dur(p.w.now.Sub(l.since)), Timers: l.timers, Idle: l.idle, Late: l.late, Replies: int(ended - l.replies)}})
	p.tellRefused()
	p.loop = loop{since: p.w.now, replies: ended, steps: l.steps, roles: l.roles}
}

// tellRefused records how many new flows the dataplane has refused since the last call, by service
// and reason.
func (p *process) tellRefused() {
	if p.dataplane == nil {
		return
	}
	counts, err := p.dataplane.Refused()
	if err != nil {
		return
	}
	for _, s := range p.w.services {
		counts[s.id].Since(p.refusals[s.id], func(why dataplane.Drop, count uint64) {
			p.w.record(trace.Event{At: p.w.now, Node: p.id, Kind: trace.KindRefused,
				Refused: &trace.Refused{Service: s.Name, Why: why.String(), Count: count}})
		})
	}
	p.refusals = counts
}

// countRole counts a change of the role.
func (p *process) countRole() {
	if n := p.loop.roles.add(p.w.now, loopEvery); n > rolesMax {
		panic(fmt.Sprintf("the role does not settle: %d changes within %v", n, loopEvery))
	}
}

// guarded runs the core. If the core panics, or never rests, its daemon dies.
func (p *process) guarded(run func()) {
	defer func() {
		if why := recover(); why != nil {
			p.w.record(trace.Event{At: p.w.now, Node: p.id, Kind: trace.KindDied, Died: &trace.Died{Why: fmt.Sprint(why)}})
			p.w.closeStream(p)
			p.end()
		}
	}()
	if n := p.loop.steps.add(p.w.now, burstFor); n > burstMax {
		panic(fmt.Sprintf("the core does not rest: %d steps within %v", n, burstFor))
	}
	run()
}
