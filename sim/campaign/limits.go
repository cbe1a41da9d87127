package campaign

import (
	"time"

	"baton/sim"
)

// limitShare is the share of cases in which the services have limits.
const limitShare = 0.25

// openAtOnce is more than the number of sessions and idle flows that a case opens at its start. Limits
// are above it, because without sessions a case could lose none.
const openAtOnce = 400

// limits draws one limit. A flood, backends that do not answer, or connections whose end no node
// sees can reach it. The SYN_SENT timeout is short, so unanswered flows expire before the end of
// the case.
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

// challenge is the limit above which a source must prove its address (SYN challenge).
const challenge = "syn_challenge"
