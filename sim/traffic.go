package sim

import (
	"context"
	"fmt"
	"slices"
	"time"

	"baton/impl/clock"
	"baton/scenarios/plan"
)

// The load follows package netns/traffic: open-loop with intended send times on a grid, and the
// same rates, thresholds, timeouts and events.
const (
	slot          = time.Millisecond // grid of the send times
	defaultProbe  = 1000
	defaultPeriod = 100 * time.Millisecond
	gapTCP        = 50 * time.Millisecond
	gapUDP        = 20 * time.Millisecond
	connectTime   = 3 * time.Second
	drainTime     = 5 * time.Second
	totalsEvery   = time.Second

	requestLen = 64
	answerLen  = 96
)

// StartTraffic implements scenarios.World.
func (w *World) StartTraffic(ctx context.Context) error {
	if err := w.addTraffic(); err != nil || len(w.lines) == 0 {
		return err
	}
	w.at(w.now.Add(totalsEvery), w.tick)
	return w.run(ctx, w.now.Add(time.Hour), func() bool { return w.waiting == 0 })
}

func (w *World) addTraffic() error {
	start := w.now.Add(slot + w.random.Between(0, slot))
	for _, t := range w.plan.Traffic {
		if !t.Guard.In(plan.Sim) {
			continue
		}
		l, err := w.newLine(t)
		if err != nil {
			return err
		}
		w.lines = append(w.lines, l)
		if l.From == 0 {
			w.startLine(l, start)
		}
	}
	return nil
}

// startLine starts a line on each of its clients whose programs run.
func (w *World) startLine(l *line, start clock.Instant) {
	for _, client := range l.senders {
		if w.hosts[client].well() {
			w.addGenerator(l, client, start)
		}
	}
}

// Cue implements scenarios.World.
func (w *World) Cue(c plan.Cue) error {
	i := slices.IndexFunc(w.lines, func(l *line) bool { return l.Name == c.Line })
	if i < 0 {
		return fmt.Errorf("sim: no traffic %q", c.Line)
	}
	l := w.lines[i]
	if c.On {
		l.totals.Began = w.now
		w.startLine(l, w.now.Add(slot+w.random.Between(0, slot)))
		return nil
	}
	l.totals.Ended = w.now
	w.finish(w.now.Add(drainTime), func(g *generator) bool { return g.line == l })
	return nil
}

// finish starts to end the selected generators that are still running.
func (w *World) finish(until clock.Instant, meant func(*generator) bool) {
	for _, g := range w.generators {
		if !g.ending && meant(g) {
			g.finish(until)
		}
	}
}

// StopTraffic implements scenarios.World.
func (w *World) StopTraffic(ctx context.Context) error {
	until := w.now.Add(drainTime)
	w.finish(until, func(*generator) bool { return true })
	if err := w.run(ctx, until, func() bool { return w.ending == 0 }); err != nil {
		return err
	}
	for _, l := range w.lines {
		w.recordTotals(l, true)
	}
	w.generators, w.stopped = nil, true
	return nil
}

// tick records the running totals.
func (w *World) tick() {
	if w.stopped {
		return
	}
	for _, l := range w.lines {
		w.recordTotals(l, false)
	}
	w.at(w.now.Add(totalsEvery), w.tick)
}
