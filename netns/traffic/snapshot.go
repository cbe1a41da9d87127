package traffic

import (
	"time"

	"baton/impl/trace"
)

// Snapshot is the state of the traffic at one moment.
type Snapshot struct {
	Lines []trace.Totals // in the order of the plan
	// Late is the maximum lateness of a generator's wake-up since the start; LateProbes is
	// that of the probes alone.
	Late, LateProbes time.Duration
	// HostDropped counts frames dropped by full input queues of this machine since the
	// start, from any load. If it is not 0, loss proves nothing.
	HostDropped uint64
	// CPU is the CPU time of the generator's threads, servers and the network path inside
	// their system calls included.
	CPU time.Duration
}

// Snapshot returns the current state. It is safe for concurrent use between Start and
// Close.
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
