package check

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"baton/impl/clock"
	"baton/scenarios/lab"
)

// exclusive judges that no two nodes forward at the same time while any path between them
// carries packets in any direction. Two forwarders are excused only while cuts, or loss,
// silence both directions of every path, and for the repair time after that. Overlaps that are
// shorter than the delay that chaos adds to a heartbeat or to the loop that reads it do not
// count.
func (r *run) exclusive(f finding, w window) finding {
	parts := r.partings()
	var bad []string
	var when []window
	excused := map[string]int{}
	for _, s := range r.forwarders(w) {
		if s.value < 2 || s.to.Sub(s.from) < r.underway() {
			continue
		}
		why, rest, ok := excuse(parts, s.window)
		if ok {
			excused[why]++
			continue
		}
		what := s.what
		if why != "" {
			what += fmt.Sprintf("; excused by %s only up to %s", why, r.at(rest.from))
		}
		bad = append(bad, what)
		when = append(when, rest)
	}
	if len(bad) > 0 {
		return f.fail(fmt.Sprintf("exclusive over %s: two forwarders in %d stretches: %s", r.span(w), len(bad), some(bad, shown)), when...)
	}
	f.Verdict, f.Detail = Pass, fmt.Sprintf("exclusive over %s: never two forwarders", r.span(w))
	for _, why := range slices.Sorted(maps.Keys(excused)) {
		f.Detail += fmt.Sprintf(", except in %d stretches that are excused: %s", excused[why], why)
	}
	return f
}

// underway is the longest delay that the plan adds to a heartbeat: on the link, and in a node
// whose loop waits for a slow write.
func (r *run) underway() (longest time.Duration) {
	for _, path := range r.paths() {
		for _, from := range lab.Nodes() {
			longest = max(longest, r.plan.Transit(r.meta.World, path, from))
		}
	}
	return longest + r.plan.ChaosTime(r.meta.World, "slow.for")
}

// parting is a time in which the nodes cannot hear each other, and the cuts that cause it. Of two that
// both serve by its end, one has yielded by settled.
type parting struct {
	window
	settled clock.Instant
	cut     string
}

// partings lists them, each extended by the repair time.
func (r *run) partings() []parting {
	var found []parting
	for _, s := range r.stretches {
		if p := s.parted; p.why != "" {
			reunited := s.to.Add(r.plan.Reunion(r.meta.World))
			found = append(found, parting{window{s.from, min(reunited, p.joined)}, min(reunited, p.settled), p.why})
		}
	}
	return found
}

// excuse names the cuts that excuse a window. If they do not cover it, rest is the part that
// nothing excuses.
func excuse(parts []parting, w window) (why string, rest window, ok bool) {
	at := w.from
	for _, p := range parts { // by time
		if p.from <= at && p.to > at {
			why, at = p.cut, p.settled
		}
	}
	return why, window{min(at, w.to), w.to}, at >= w.to
}

// excusedAt reports whether the pair may be in two parts at an instant.
func excusedAt(parts []parting, at clock.Instant) bool {
	_, _, ok := excuse(parts, window{at, at + 1})
	return ok
}
