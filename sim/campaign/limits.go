package campaign

import (
	"time"

	"baton/sim"
)

// limitShare is in how many of the cases the services have limits.
const limitShare = 0.25

// openAtOnce is more than a case opens in its first instant: its sessions and its idle flows. No limit keeps
// those out, because what has no session can lose none.
const openAtOnce = 400

// limits draws one limit, from a stream of its own. Each is reached by a flood, by backends that do not
// answer, or by connections whose end no node hears; what has no answer is forgotten before the end of the
// case.
func (d *drawing) limits(draw *sim.Random) {
	key := pickOf(draw, "flows", "source_flows", "embryonic", "source_embryonic", challenge)
	most, few := openAtOnce+draw.Below(openAtOnce), 1+draw.Below(50)
	forgotten := draw.Between(time.Second, 5*time.Second).Truncate(time.Millisecond)
	if !draw.Chance(limitShare) {
		return
	}
	if key == challenge {
		most = few
	}
	d.line("config limits.%s=%d timeouts.syn_sent=%s", key, most, forgotten)
	d.bounded = key == "flows" || key == "source_flows"
}

// challenge is the limit from which on a source has to show that it exists.
const challenge = "syn_challenge"
