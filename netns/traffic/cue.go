package traffic

import (
	"fmt"
	"slices"
	"sync"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/netns/internal/hostclock"
)

// placed is a generator with where it runs, and the line and the client that it is of.
type placed struct {
	generator
	on     *loop
	line   *line
	client string

	// Only the loop touches these.
	ending *ending
	frozen clock.Instant // since when its client stands still; 0: it does not
	gone   bool          // it was broken off
}

// finish begins to end the generator, or lets one that is ending end sooner. ended
// learns when it has. That of a frozen client cannot end in order, and breaks off.
func (p *placed) finish(until clock.Instant, ended *sync.WaitGroup) {
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

// StartLine starts a line whose time has come, and does not wait for what it opens. It
// is called between Start and Stop.
func (g *Generator) StartLine(name string) error {
	l, err := g.lineOf(name)
	if err != nil {
		return err
	}
	now := hostclock.Now()
	l.count(func(t *trace.Totals) { t.Began = now })
	return g.startLine(l, now.Add(slot), func() {})
}

// StopLine ends a line as Stop does all, and does not wait for what is outstanding.
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
