package sim

import (
	"time"

	"baton/scenarios/plan"
)

// again resends the datagram of each idle flow without an answer; passes counts the passes so far.
// The generator is ready when all are answered or after plan.FlowPasses.
func (g *generator) again(passes int) {
	if passes == plan.FlowPasses {
		g.isReady()
	}
	if g.ready || g.ending {
		return
	}
	if g.w.hosts[g.client].frozen {
		g.w.at(g.w.now.Add(plan.FlowPause), func() { g.again(passes) })
		return
	}
	last := g.w.now
	for _, id := range g.all {
		if d := g.w.datagrams.at(id); d.backend == nobody {
			last = last.Add(time.Second / plan.FlowsPerSecond)
			g.w.at(last, func() {
				if !g.ending {
					d.send(g.w.now)
				}
			})
		}
	}
	g.w.at(last.Add(plan.FlowPause), func() { g.again(passes + 1) })
}
