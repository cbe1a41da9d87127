package check

import (
	"fmt"
	"slices"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/capability"
)

// announceSlack is how long after a node gave up its role its gratuitous ARP may still be
// captured: it was in flight.
const announceSlack = 20 * time.Millisecond

// announce fails if a node announced the VIPs, by its own report or on the wire, before it was
// Master and its dataplane forwarded.
func (r *run) announce(f finding, w window) finding {
	var bad []string
	var when []window
	seen := 0
	leases := r.leases
	for _, e := range r.others {
		if e.Announce == nil && e.GARP == nil || !w.has(e.At) {
			continue
		}
		seen++
		if why := r.premature(e, leases); why != "" {
			what := "announced"
			if e.GARP != nil {
				what = "sent " + e.GARP.String()
			}
			bad = append(bad, fmt.Sprintf("%s %s at %s %s, %s", e.Node, what, r.at(e.At), why, r.since(e.At)))
			when = append(when, point(e.At))
		}
	}
	if len(bad) > 0 {
		return f.fail(fmt.Sprintf("announce over %s: %d of %d announcements too early: %s", r.span(w), len(bad), seen, some(bad, shown)), when...)
	}
	f.Verdict, f.Detail = Pass, fmt.Sprintf("announce over %s: %d announcements, each by a forwarding Master", r.span(w), seen)
	return f
}

// premature says why the node must not have announced, "" if it was allowed to.
func (r *run) premature(e *trace.Event, leases []tenure) string {
	from, to, master := r.tenureOf(e.Node, e.At)
	switch {
	case !master:
		return "before it was Master"
	case e.Announce != nil && e.At > to, e.At > to.Add(announceSlack):
		return "when it was no longer Master"
	}
	held := slices.ContainsFunc(leases, func(l tenure) bool {
		return l.node == e.Node && l.from <= e.At && l.to >= from
	})
	if !held && r.tells(capability.Lease) {
		return "before its lease held"
	}
	return ""
}

// tenureOf returns the node's last time as Master that began at or before t. A polled role
// counts if it may have begun by then.
func (r *run) tenureOf(node string, t clock.Instant) (from, to clock.Instant, ok bool) {
	for _, e := range r.roles {
		began := e.At.Add(-time.Duration(e.Role.Late))
		if e.Node != node || began > t {
			continue
		}
		if e.Role.To == roleMaster {
			from, to, ok = began, clock.Never, true
		} else if to == clock.Never {
			to = e.At
		}
	}
	return from, to, ok
}
