package traffic

import (
	"time"

	"baton/impl/trace"
)

// Snapshot is the state of the traffic at one moment.
type Snapshot struct {
	Lines []trace.Totals // in the order of the plan
	// Late is the longest time by which a generator was woken too late since the
	// start, LateProbes the same of the probes alone.
	Late, LateProbes time.Duration
	// HostDropped frames found an input queue of this machine full since the start,
	// by anybody's load. If there are any, loss proves nothing.
	HostDropped uint64
	// CPU is the processor time that the generator's threads have used, servers
	// included, and the part of the network path that runs inside their system calls.
	CPU time.Duration
}

// Snapshot returns the live numbers. It may be called from any goroutine once
// Start has returned, until Close.
func (g *Generator) Snapshot() Snapshot {
	s := Snapshot{HostDropped: g.hostDropped()}
	for _, l := range g.lines {
		s.Lines = append(s.Lines, l.summary(false))
	}
	for _, l := range g.loops() {
		s.CPU += l.cpu()
		s.Late = max(s.Late, time.Duration(l.latest.Load()))
	}
	if g.probes != nil {
		s.LateProbes = time.Duration(g.probes.latest.Load())
	}
	return s
}
