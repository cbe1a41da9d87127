package capture

import (
	"time"

	"baton/impl/clock"
	"baton/impl/flow"
)

// recordRSTs adds the results of the callbacks to the attributed RSTs, and records them. It
// runs in its own goroutine, because asking a node takes time and the rings must be read
// meanwhile.
func (c *Capture) recordRSTs() {
	defer close(c.recorded)
	entries := entryCache{ask: c.cfg.Entry, limit: rateLimit{perSecond: c.cfg.EntriesPerSecond}}
	for s := range c.settled {
		event := s.event()
		event.RST.LB = c.balancerOf(s)
		event.RST.Entry = entryUnknown
		if c.cfg.Fault != nil {
			event.RST.Fault = c.cfg.Fault(s.at)
		}
		if lb := event.RST.LB; lb != "" {
			if c.cfg.Role != nil {
				event.RST.Role = c.cfg.Role(lb, s.at)
			}
			event.RST.Entry = entries.of(lb, s.original, s.at)
		}
		event.Node = event.RST.Origin
		c.cfg.Record(event)
	}
}

// balancerOf returns the load balancer that sent or received a RST.
func (c *Capture) balancerOf(s *sighting) string {
	for _, name := range []string{s.sender, s.receiver} {
		if c.lbs[name] {
			return name
		}
	}
	return ""
}

// Placeholders for entries that no node was asked for.
const (
	entryUnknown = "unknown"
	entryLimited = "unknown (limit)"
)

// entryCache asks load balancers for their entries of flows, at a limited rate, and once
// for both sightings of a forwarded RST.
type entryCache struct {
	ask   func(node string, t flow.Tuple) string
	limit rateLimit
	known map[entryKey]string // of the current second
}

type entryKey struct {
	node  string
	tuple flow.Tuple
}

func (c *entryCache) of(node string, t flow.Tuple, at clock.Instant) string {
	if c.ask == nil {
		return entryUnknown
	}
	if c.limit.begin(at) {
		c.known = map[entryKey]string{}
	}
	key := entryKey{node, t}
	if entry, ok := c.known[key]; ok {
		return entry
	}
	if !c.limit.allow() {
		return entryLimited
	}
	c.known[key] = c.ask(node, t)
	return c.known[key]
}

// rateLimit allows a number of calls in each second of the trace's time.
type rateLimit struct {
	perSecond int
	second    clock.Instant
	used      int
}

// begin resets the count if the instant is in another second than the previous one, and
// reports whether it did.
func (r *rateLimit) begin(at clock.Instant) bool {
	second := at/clock.Instant(time.Second) + 1 // 0 means no second yet
	if second == r.second {
		return false
	}
	r.second, r.used = second, 0
	return true
}

// allow uses one call of the current second.
func (r *rateLimit) allow() bool {
	r.used++
	return r.used <= r.perSecond
}
