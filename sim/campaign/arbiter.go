package campaign

import (
	"time"

	"baton/scenarios/plan"
	"baton/sim"
)

// arbiterShare is in how many of the cases the pair has an arbiter.
const arbiterShare = 0.2

// arbiter draws one, from a stream of its own, so that the rest of a case does not depend
// on it. In a rough case it may be slow, or fail, until everything is healed.
func (d *drawing) arbiter(draw *sim.Random, w *weather, gentle bool) {
	has, bad := draw.Chance(arbiterShare), draw.Chance(0.5)
	validity := []time.Duration{time.Second, 2 * time.Second, 5 * time.Second}[draw.Below(3)]
	fails, late := portion(draw, 1), between(draw, 0, time.Second)
	if !has {
		return
	}
	d.line("[sim] config arbiter.validity=%s", validity)
	ends := w.has("until")
	if !bad || gentle || len(w.lines) > 0 && !ends {
		return
	}
	w.lines = append(w.lines, plan.Chaos{Key: "arbiter.fail", Value: fails}, plan.Chaos{Key: "arbiter.delay", Value: late})
	if !ends {
		w.lines = append(w.lines, plan.Chaos{Key: "until", Value: healed.String()})
	}
}
