package traffic

import (
	"time"

	"baton/impl/trace"
)

// Snapshot is the state of the traffic at one moment.
type Snapshot struct {
	Lines []trace.Totals // in the order of the plan
	// Late is the longest time by which the generator was woken too late since the start.
	Late time.Duration
	// CPU is the processor time that the generator's thread has used, servers
	// included, and the part of the network path that runs inside its system calls.
	CPU time.Duration
}

// Snapshot returns the live numbers. It may be called from any goroutine once
// Start has returned, until Close.
func (g *Generator) Snapshot() Snapshot {
	var s Snapshot
	for _, l := range g.lines {
		s.Lines = append(s.Lines, l.summary(false))
	}
	if g.loop != nil {
		s.CPU, s.Late = g.loop.cpu(), time.Duration(g.loop.latest.Load())
	}
	return s
}
