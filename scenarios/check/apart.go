package check

import (
	"fmt"

	"baton/impl/clock"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// startedApart explains why the first wait for a MASTER failed: the machine started that node so much
// later than its peer that it could not serve yet when the peer's recovery delay had run, so the peer
// rightly became MASTER first. In virtual
// time nodes start when the scenario says.
func (r *run) startedApart(i int, s plan.Step, timeout clock.Instant) string {
	if i != 0 || r.meta.World != plan.Netns {
		return ""
	}
	ready := map[string]clock.Instant{}
	for _, e := range r.roles {
		if _, known := ready[e.Node]; !known && e.At <= timeout {
			ready[e.Node] = e.At
		}
	}
	for _, c := range s.Wait.Conds {
		if c.Role == nil || c.Role.Not || c.Role.Role != "Master" {
			continue
		}
		node, peer := c.Role.Node, lab.Peer(c.Role.Node)
		late, started := ready[node]
		early, first := ready[peer]
		hold, admission := r.plan.Hold(plan.Netns), r.plan.Admission(plan.Netns, node)
		if !started || !first || late.Sub(early)+admission <= hold || r.stateAt(timeout).Nodes[peer].Role != "Master" {
			continue
		}
		gateway := ""
		if admission > 0 {
			gateway = fmt.Sprintf(", with the %s until its gateway has answered,", short(admission))
		}
		return fmt.Sprintf("%s is MASTER, because the machine started %s %s after it, which%s is longer than the recovery delay of %s",
			peer, node, short(late.Sub(early)), gateway, short(hold))
	}
	return ""
}
