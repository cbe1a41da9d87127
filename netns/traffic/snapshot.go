package traffic

import (
	"time"

	"baton/impl/trace"
)

// Snapshot is the state of the traffic at one moment.
type Snapshot struct {
	Lines []trace.Totals // in the order of the plan
	// Late is the longest time by which a generator was woken too late since the start.
	Late time.Duration
	// CPU is the processor time that the generators' and the servers' threads have
	// used, the network path that runs inside their system calls included.
	ClientCPU, ServerCPU time.Duration
}

// Snapshot returns the live numbers. It may be called from any goroutine once
// Start has returned, until Close.
func (g *Generator) Snapshot() Snapshot {
	var s Snapshot
	for _, l := range g.lines {
		s.Lines = append(s.Lines, l.summary(false))
	}
	for _, c := range g.clients {
		s.ClientCPU += c.cpu()
		s.Late = max(s.Late, time.Duration(c.latest.Load()))
	}
	if g.servers != nil {
		s.ServerCPU = g.servers.cpu()
		s.Late = max(s.Late, time.Duration(g.servers.latest.Load()))
	}
	return s
}
