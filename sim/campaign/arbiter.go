package campaign

import (
	"time"

	"baton/scenarios/lab"
	"baton/scenarios/plan"
	"baton/sim"
)

const (
	arbiterShare = 0.2  // of the cases: the pair has an arbiter
	gatewayShare = 0.12 // of the cases: a gateway is the arbiter
	keepShare    = 0.4  // of the arbiters: policy keep-serving
	deleteShare  = 0.25 // of the bad arbiters: the record is deleted at times
)

// gatewayArbiter draws a host that serves as the arbiter. On a link with loss a node cannot tell a
// lost probe from a failed gateway, so a gentle case has no gateway there.
func (d *drawing) gatewayArbiter(draw *sim.Random, w weather, gentle bool) {
	link, host := lab.Clients, "client1"
	if draw.Chance(0.5) {
		link, host = lab.Backends, "backend1"
	}
	every, misses := draw.Between(10*time.Millisecond, 200*time.Millisecond).Truncate(time.Millisecond), 1+draw.Below(5)
	if !draw.Chance(gatewayShare) || gentle && w.loses(link) {
		return
	}
	d.gateway = host
	d.line("config arbiter.gateway=%s track.every=%s track.misses=%d", host, every, misses)
}

// arbiter draws an arbiter and its policy. In a rough case the arbiter may be slow, fail or lose
// its record until everything is healed.
func (d *drawing) arbiter(draw, policy *sim.Random, w *weather, gentle bool) {
	keeps := policy.Chance(keepShare)
	deletes, every := policy.Chance(deleteShare), between(policy, 100*time.Millisecond, 3*time.Second)
	has, bad := draw.Chance(arbiterShare), draw.Chance(0.5)
	validity := []time.Duration{time.Second, 2 * time.Second, 5 * time.Second}[draw.Below(3)]
	fails, late := portion(draw, 1), between(draw, 0, time.Second)
	if !has || d.gateway != "" {
		return
	}
	if keeps {
		d.line("[sim] config arbiter.policy=keep-serving")
	}
	d.line("[sim] config arbiter.validity=%s", validity)
	ends := w.has("until")
	if !bad || gentle || len(w.lines) > 0 && !ends {
		return
	}
	w.lines = append(w.lines, plan.Chaos{Key: "arbiter.fail", Value: fails}, plan.Chaos{Key: "arbiter.delay", Value: late})
	if deletes {
		w.lines = append(w.lines, plan.Chaos{Key: "arbiter.deleted", Value: every})
	}
	if !ends {
		w.lines = append(w.lines, plan.Chaos{Key: "until", Value: healed.String()})
	}
}
