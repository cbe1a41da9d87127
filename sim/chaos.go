package sim

import (
	"time"

	"baton/impl/clock"
	"baton/impl/driver"
	"baton/impl/trace"
	"baton/scenarios/fault"
	"baton/scenarios/plan"
)

// chaos holds the plan's chaos lines, except those of links; package plan documents
// each key. Shares are probabilities; a zero field disables its fault.
type chaos struct {
	fails                [driver.Calls]float64
	arbiterFails         [2]float64 // by node
	arbiterFrom          time.Duration
	arbiterLate          time.Duration
	arbiterDeleted       time.Duration
	slow                 float64
	slowFor              time.Duration
	garpLost             float64
	breakEvery, dialFor  time.Duration
	stallEvery, stallFor time.Duration
	stepEvery, stepBy    time.Duration
	drift                int64 // parts per billion
	maxEvents            int   // capacity of the flow event buffer; 0 means that of the real dataplane
	until                time.Duration
}

func chaosOf(p *plan.Plan) chaos {
	share := func(key string) float64 { return p.ChaosShare(plan.Sim, key) }
	span := func(key string) time.Duration { return p.ChaosTime(plan.Sim, key) }
	return chaos{
		fails: [driver.Calls]float64{
			driver.SendBFD: share("send.fail"), driver.Lease: share("lease.fail"), driver.Apply: share("apply.fail"),
			driver.Drain: share("drain.fail"), driver.Dump: share("dump.fail"), driver.Merge: share("apply.fail"),
		},
		arbiterFails: [2]float64{max(share("arbiter.fail"), share("arbiter.fail.lb1")), max(share("arbiter.fail"), share("arbiter.fail.lb2"))},
		arbiterFrom:  span("arbiter.from"), arbiterLate: span("arbiter.delay"),
		arbiterDeleted: span("arbiter.deleted"),
		slow:           share("slow"), slowFor: span("slow.for"), garpLost: share("garp.lost"),
		breakEvery: span("stream.break"), dialFor: span("stream.dial"),
		stallEvery: span("stall"), stallFor: span("stall.for"),
		stepEvery: span("clock.step"), stepBy: span("clock.by"),
		drift: int64(p.ChaosCount(plan.Sim, "clock.drift")), maxEvents: p.ChaosCount(plan.Sim, "flow.events"),
		until: span("until"),
	}
}

func (c *chaos) calm(now clock.Instant) bool { return c.until != 0 && now.Sub(epoch) >= c.until }

func (c *chaos) dialDelay(draw *Random) time.Duration {
	if c.dialFor == 0 {
		return 0
	}
	return draw.Between(0, c.dialFor)
}

// startChaos starts the chaos that happens at random times.
func (w *World) startChaos() {
	chaos := &w.chaos
	draw := NewRandom(w.cfg.Seed, "chaos")
	w.repeatedly(draw, chaos.breakEvery, func() {
		if s := w.stream; s != nil {
			first := uint8(draw.Below(2))
			s.broken(first, "connection reset by peer")
			s.broken(1-first, "connection reset by peer")
		}
	})
	w.repeatedly(draw, chaos.stallEvery, func() { w.stall(draw) })
	w.repeatedly(draw, chaos.stepEvery, func() {
		w.processes[draw.Below(2)].stepClock(draw.Between(0, chaos.stepBy))
	})
	w.repeatedly(NewRandom(w.cfg.Seed, "arbiter"), chaos.arbiterDeleted, w.deleteRecord)
	if chaos.until != 0 {
		w.at(epoch.Add(chaos.until), w.endChaos)
	}
}

// repeatedly calls do at random intervals whose mean is every.
func (w *World) repeatedly(draw *Random, every time.Duration, do func()) {
	if every == 0 {
		return
	}
	var next func()
	next = func() {
		if w.chaos.calm(w.now) {
			return
		}
		do()
		w.at(w.now.Add(draw.Between(every/2, every*3/2)), next)
	}
	w.at(w.now.Add(draw.Between(every/2, every*3/2)), next)
}

// stall pauses a daemon for a random time. The trace shows a freeze and a thaw.
func (w *World) stall(draw *Random) {
	p := w.processes[draw.Below(2)]
	pause := draw.Between(0, w.chaos.stallFor)
	if p.life == 0 || p.frozen {
		return
	}
	w.instantFault(fault.Freeze, p.id, func() (string, bool) { return p.freeze() })
	freeze := p.freezes
	w.at(w.now.Add(pause), func() {
		if p.frozen && p.freezes == freeze { // no step of the plan has frozen it since
			w.instantFault(fault.Thaw, p.id, func() (string, bool) { return p.thaw() })
		}
	})
}

// deleteRecord loses the arbiter's record.
func (w *World) deleteRecord() {
	w.arbiter.Delete()
	w.record(trace.Event{At: w.now, Kind: trace.KindNote, Note: "the arbiter's record is deleted"})
}

// endChaos turns off all faults except clock drift and the size of the event buffer.
func (w *World) endChaos() {
	w.chaos = chaos{until: w.chaos.until, drift: w.chaos.drift, maxEvents: w.chaos.maxEvents}
	for _, lanes := range w.lanes {
		for i := range lanes {
			l := &lanes[i]
			l.loss, l.duplicate, l.impaired = 0, 0, nil
		}
	}
	w.record(trace.Event{At: w.now, Kind: trace.KindNote, Note: "chaos ends"})
}
