package parity

import (
	"fmt"
	"strings"
	"time"

	"baton/scenarios/plan"
)

// Excuse says why a difference between the runs of a plan proves nothing, "" if it does prove one. It
// proves nothing if only one world ran a fault, or if the host stalled before the difference for
// longer than tolerated.
func (v Verdict) Excuse(p *plan.Plan) string {
	alone, tolerated := p.FaultsOfOneWorld(), tolerated(p)
	switch {
	case v.Same:
		return ""
	case len(alone) > 0:
		return fmt.Sprintf("the worlds ran different faults, so their difference proves nothing: %s", strings.Join(alone, "; "))
	case v.Stalled > tolerated:
		return fmt.Sprintf("the host stood still for %v before, longer than the tolerated %v: this run proves nothing", v.Stalled.Round(time.Millisecond), tolerated)
	}
	return ""
}

// tolerated is the longest stall of the host that does not excuse a difference: what the scenario
// tolerates, but at most half a detection time, because a longer one may cost a MASTER its lease.
func tolerated(p *plan.Plan) time.Duration {
	return min(p.Tolerate, p.Detect(plan.Netns)/2)
}
