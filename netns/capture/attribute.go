package capture

import (
	"time"

	"baton/impl/clock"
)

// recordRSTs completes the attributed RSTs by what the callbacks know and records
// them. It has a goroutine of its own, since asking a node takes time and the
// rings must be read meanwhile.
func (c *Capture) recordRSTs() {
	defer close(c.recorded)
	limit := rateLimit{perSecond: c.cfg.EntriesPerSecond}
	for s := range c.settled {
		event := s.event()
		event.RST.LB = c.balancerOf(s)
		event.RST.Entry = "unknown"
		if c.cfg.Fault != nil {
			event.RST.Fault = c.cfg.Fault(s.at)
		}
		if lb := event.RST.LB; lb != "" {
			if c.cfg.Role != nil {
				event.RST.Role = c.cfg.Role(lb, s.at)
			}
			switch {
			case c.cfg.Entry == nil:
			case !limit.allow(s.at):
				event.RST.Entry = "unknown (limit)"
			default:
				event.RST.Entry = c.cfg.Entry(lb, s.original)
			}
		}
		event.Node = event.RST.Origin
		c.cfg.Record(event)
	}
}

// balancerOf is the load balancer that a RST came from or went to.
func (c *Capture) balancerOf(s *sighting) string {
	for _, name := range []string{s.sender, s.receiver} {
		if c.lbs[name] {
			return name
		}
	}
	return ""
}

// rateLimit allows a number of things in each second of the trace's time.
type rateLimit struct {
	perSecond int
	second    clock.Instant
	used      int
}

func (r *rateLimit) allow(at clock.Instant) bool {
	if second := at / clock.Instant(time.Second); second != r.second {
		r.second, r.used = second, 0
	}
	r.used++
	return r.used <= r.perSecond
}
