package sim

import (
	"fmt"
	"time"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/node"
	"baton/impl/trace"
)

// loop counts the timers of a daemon's loop.
type loop struct {
	since              clock.Instant
	timers, idle, late int
	replies            uint64 // that no longer waited at since
}

// loopEvery is how often the counts are put on record.
const loopEvery = time.Second

// wake lets the core have the timer that it asked for.
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

// tellLoop puts the counts on record.
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
	p.loop = loop{since: p.w.now, replies: ended}
}

// tellRefused puts on record which new flows the dataplane has refused since it was last asked.
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

// guarded lets the core run. One that gives up on itself takes its daemon along.
func (p *process) guarded(run func()) {
	defer func() {
		if why := recover(); why != nil {
			p.w.record(trace.Event{At: p.w.now, Node: p.id, Kind: trace.KindDied, Died: &trace.Died{Why: fmt.Sprint(why)}})
			p.w.closeStream(p)
			p.end()
		}
	}()
	run()
}
