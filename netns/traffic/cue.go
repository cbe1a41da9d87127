package traffic

import (
	"fmt"
	"slices"
	"sync"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/netns/internal/hostclock"
)

// clientShare is one client's part of a line: its generator and where it runs.
type clientShare struct {
	generator
	on     *loop
	line   *line
	client string

	// The fields below belong to the loop.
	ending *ending
	frozen clock.Instant // when its client was frozen; 0 if it is not
	gone   bool          // it was aborted
}

// finish starts the graceful end of the share, or shortens one that has started. ended is
// done when the share has ended. A frozen client's share is aborted instead.
func (p *clientShare) finish(until clock.Instant, ended *sync.WaitGroup) {
	p.on.call(func() {
		if p.ending != nil {
			p.ending.until = min(p.ending.until, until)
		} else {
			ended.Add(1)
			p.ending = &ending{until: until, onDone: ended.Done}
			if p.frozen == 0 {
				p.generator.finish(hostclock.Now(), p.ending)
			}
		}
		if p.frozen != 0 {
			p.leave(p.frozen)
		}
	})
}

// StartLine starts a line in the middle of the run, without waiting for its connections.
// Call it between Start and Stop.
func (g *Generator) StartLine(name string) error {
	l, err := g.lineOf(name)
	if err != nil {
		return err
	}
	now := hostclock.Now()
	l.count(func(t *trace.Totals) { t.Began = now })
	return g.startLine(l, now.Add(slot), func() {})
}

// StopLine ends a line as Stop does for all, without waiting for outstanding answers.
func (g *Generator) StopLine(name string) error {
	l, err := g.lineOf(name)
	if err != nil {
		return err
	}
	now := hostclock.Now()
	l.count(func(t *trace.Totals) { t.Ended = now })
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range g.placed {
		if p.line == l {
			p.finish(now.Add(g.cfg.Timeouts.Drain), &g.ended)
		}
	}
	return nil
}

func (g *Generator) lineOf(name string) (*line, error) {
	i := slices.IndexFunc(g.lines, func(l *line) bool { return l.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("traffic: no line %q", name)
	}
	return g.lines[i], nil
}
