package sim

import (
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/link"
	"baton/scenarios/plan"
)

// Chaos is what goes wrong in a world without its plan's saying so. Rates are
// probabilities; a zero field leaves its fault out.
type Chaos struct {
	// Loss and Duplicate concern the packets of each link; Jitter is what the links'
	// delay wanders by.
	Loss, Duplicate [linkCount]float64
	Jitter          time.Duration
	// Impaired adds the shared model of an impaired link, with its bursts, its
	// queue and its reordering, to each sender's direction of a link.
	Impaired [linkCount]link.Params

	// ApplyFails and LeaseFails are how often a write to the dataplane's maps fails.
	ApplyFails, LeaseFails float64
	// Slow is how often such a write takes up to SlowFor.
	Slow    float64
	SlowFor time.Duration
	// GARPLost is how often one of a node's gratuitous ARPs is lost on its way out.
	GARPLost float64

	// BreakEvery is the mean time between losses of the sync stream; DialFor is by
	// how much a connection may be late.
	BreakEvery, DialFor time.Duration
	// StallEvery is the mean time between two pauses of a node's process, each up to
	// StallFor.
	StallEvery, StallFor time.Duration
	// StepEvery is the mean time between two steps of a host's clock, each up to
	// StepBy, forward.
	StepEvery, StepBy time.Duration
	// Drift is by how much a clock may be fast or slow, in parts per billion.
	Drift int64

	// MaxEvents is how many flow events the dataplane holds; 0 means as many as the
	// real one.
	MaxEvents int

	// Until ends it all, counted from the beginning of the run: what comes after
	// shows whether the pair recovers. 0 means never.
	Until time.Duration
}

func (c *Chaos) calm(now clock.Instant) bool { return c.Until != 0 && now.Sub(epoch) >= c.Until }

func (c *Chaos) dialDelay(draw *Random) time.Duration {
	if c.DialFor == 0 {
		return 0
	}
	return draw.Between(0, c.DialFor)
}

// unleash starts what happens at random times.
func (w *World) unleash() {
	chaos := &w.cfg.Chaos
	draw := NewRandom(w.cfg.Seed, "chaos")
	w.repeatedly(draw, chaos.BreakEvery, func() {
		if s := w.stream; s != nil {
			first := uint8(draw.Below(2))
			s.broken(first, "connection reset by peer")
			s.broken(1-first, "connection reset by peer")
		}
	})
	w.repeatedly(draw, chaos.StallEvery, func() { w.stall(draw) })
	w.repeatedly(draw, chaos.StepEvery, func() {
		w.processes[draw.Below(2)].stepClock(draw.Between(0, chaos.StepBy))
	})
	if chaos.Until != 0 {
		w.at(epoch.Add(chaos.Until), w.calmDown)
	}
}

// repeatedly calls do at random times, every so often in the mean.
func (w *World) repeatedly(draw *Random, every time.Duration, do func()) {
	if every == 0 {
		return
	}
	var next func()
	next = func() {
		if w.cfg.Chaos.calm(w.now) {
			return
		}
		do()
		w.at(w.now.Add(draw.Between(every/2, every*3/2)), next)
	}
	w.at(w.now.Add(draw.Between(every/2, every*3/2)), next)
}

// stall pauses a daemon for a while. It is on record as a freeze and a thaw.
func (w *World) stall(draw *Random) {
	p := w.processes[draw.Below(2)]
	pause := draw.Between(0, w.cfg.Chaos.StallFor)
	if p.life == 0 || p.frozen {
		return
	}
	life := p.life
	w.faulted(plan.VerbFreeze, p.id, func() (string, bool) { return p.freeze() })
	w.at(w.now.Add(pause), func() {
		if p.life == life && p.frozen {
			w.faulted(plan.VerbThaw, p.id, func() (string, bool) { return p.thaw() })
		}
	})
}

// calmDown ends what goes wrong.
func (w *World) calmDown() {
	until := w.cfg.Chaos.Until
	w.cfg.Chaos = Chaos{Until: until, Drift: w.cfg.Chaos.Drift, MaxEvents: w.cfg.Chaos.MaxEvents, Jitter: w.cfg.Chaos.Jitter}
	for _, lanes := range w.lanes {
		for i := range lanes {
			l := &lanes[i]
			l.loss, l.duplicate, l.impaired = 0, 0, nil
		}
	}
	w.record(trace.Event{At: w.now, Kind: trace.KindNote, Note: "chaos ends"})
}

// DrawChaos draws which faults are on at all, each with the probability share,
// and how bad they are.
func DrawChaos(draw *Random, share float64) Chaos {
	var c Chaos
	on := func(set func()) {
		before := c
		active := draw.Chance(share)
		set() // draws whether or not it counts, so that one fault does not move the others
		if !active {
			c = before
		}
	}
	for i := range linkCount {
		on(func() { c.Loss[i] = 0.03 * draw.Float() * draw.Float() })
		on(func() { c.Duplicate[i] = 0.02 * draw.Float() })
		on(func() { c.Impaired[i] = drawLink(draw) })
	}
	on(func() { c.Jitter = draw.Between(0, maxJitter/2) })
	on(func() { c.ApplyFails = 0.1 * draw.Float() })
	on(func() { c.LeaseFails = 0.02 * draw.Float() })
	on(func() { c.Slow, c.SlowFor = 0.2*draw.Float(), draw.Between(0, 20*time.Millisecond) })
	on(func() { c.GARPLost = 0.5 * draw.Float() })
	on(func() { c.BreakEvery = draw.Between(2*time.Second, 20*time.Second) })
	on(func() { c.DialFor = draw.Between(0, 500*time.Millisecond) })
	on(func() {
		c.StallEvery, c.StallFor = draw.Between(3*time.Second, 20*time.Second), draw.Between(10*time.Millisecond, time.Second)
	})
	on(func() {
		c.StepEvery, c.StepBy = draw.Between(3*time.Second, 20*time.Second), draw.Between(time.Millisecond, 500*time.Millisecond)
	})
	on(func() { c.Drift = int64(draw.Below(200_000)) })
	on(func() { c.MaxEvents = 1 + draw.Below(256) })
	return c
}

// drawLink draws an impaired link.
func drawLink(draw *Random) link.Params {
	delay := draw.Between(0, 3*time.Millisecond)
	p := link.Params{Delay: delay, Jitter: time.Duration(draw.Float() * float64(delay)), Loss: 0.01 * draw.Float()}
	if draw.Chance(0.5) {
		p.Burst = link.Burst{Begin: 0.002 * draw.Float(), End: 0.05 + 0.5*draw.Float(), Loss: draw.Float()}
	}
	if draw.Chance(0.5) {
		p.Reorder, p.HoldBack = 0.02*draw.Float(), draw.Between(100*time.Microsecond, 5*time.Millisecond)
	}
	return p
}

// Calmer returns the chaoses that lack one of its faults, for shrinking.
func (c Chaos) Calmer() []Chaos {
	var calmer []Chaos
	without := func(remove func(*Chaos)) {
		other := c
		remove(&other)
		if other != c {
			calmer = append(calmer, other)
		}
	}
	without(func(o *Chaos) { *o = Chaos{Until: o.Until} })
	without(func(o *Chaos) { o.Until = 0 })
	for i := range linkCount {
		without(func(o *Chaos) { o.Loss[i], o.Duplicate[i], o.Impaired[i] = 0, 0, link.Params{} })
		without(func(o *Chaos) { o.Loss[i] = 0 })
		without(func(o *Chaos) { o.Duplicate[i] = 0 })
		without(func(o *Chaos) { o.Impaired[i] = link.Params{} })
	}
	without(func(o *Chaos) { o.Jitter = 0 })
	without(func(o *Chaos) { o.ApplyFails = 0 })
	without(func(o *Chaos) { o.LeaseFails = 0 })
	without(func(o *Chaos) { o.Slow, o.SlowFor = 0, 0 })
	without(func(o *Chaos) { o.GARPLost = 0 })
	without(func(o *Chaos) { o.BreakEvery = 0 })
	without(func(o *Chaos) { o.DialFor = 0 })
	without(func(o *Chaos) { o.StallEvery, o.StallFor = 0, 0 })
	without(func(o *Chaos) { o.StepEvery, o.StepBy = 0, 0 })
	without(func(o *Chaos) { o.Drift = 0 })
	without(func(o *Chaos) { o.MaxEvents = 0 })
	return calmer
}
