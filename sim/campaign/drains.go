package campaign

import (
	"strings"
	"time"

	"baton/scenarios/fault"
	"baton/scenarios/lab"
	"baton/sim"
)

// drainShare is the share of cases with several backends in which one of them is drained.
const drainShare = 0.25

// drains draws drains of one backend, so that another remains. The node that is asked must be
// running; it may refuse because it follows the MASTER, which is a receipt too.
func (d *drawing) drains(draw *sim.Random) {
	backend := 1 + draw.Below(d.backends)
	if !draw.Chance(drainShare) || d.backends == 1 {
		return
	}
	for range 1 + draw.Below(4) {
		at := draw.Between(calm, healed).Truncate(time.Millisecond)
		node, deadline := pickOf(draw, lab.Nodes()...), draw.Between(0, 5*time.Second).Truncate(time.Millisecond)
		if d.runsAt(node, at) {
			d.step(at, "%s %s backend=%d deadline=%s", fault.Drain, node, backend, deadline)
			d.drained = true
		}
	}
}

// runsAt reports whether a node runs at an instant and has run for long enough to answer.
func (d *drawing) runsAt(node string, at time.Duration) bool {
	runs, since := true, -settling
	for _, s := range d.ordered() {
		verb, target, _ := strings.Cut(s.text, " ")
		if s.at > at || target != node {
			continue
		}
		switch verb {
		case fault.Crash, fault.Kill, fault.Stop, fault.Freeze:
			runs = false
		case fault.Restore, fault.Thaw:
			runs, since = true, s.at
		}
	}
	return runs && at-since >= settling
}
