package check

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"baton/impl/clock"
	"baton/scenarios/lab"
)

// exclusive judges that no two nodes forward at one time while anything passes
// between them, in whatever direction and on whatever path. Only what two nodes cannot
// know is excused: cuts that silence all of it, or loss that may, and the time that a
// repair takes; and what they know too late, as long as chaos delays a heartbeat or the
// loop that is to read it.
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
			what += fmt.Sprintf("; excused by %s up to %s only", why, r.at(rest.from))
		}
		bad = append(bad, what)
		when = append(when, rest)
	}
	if len(bad) > 0 {
		return f.fail(fmt.Sprintf("exclusive over %s: two forwarders in %d stretches: %s", r.span(w), len(bad), some(bad, shown)), when...)
	}
	f.Verdict, f.Detail = Pass, fmt.Sprintf("exclusive over %s: never two forwarders", r.span(w))
	for _, why := range slices.Sorted(maps.Keys(excused)) {
		f.Detail += fmt.Sprintf(", but for %d stretches that are excused: %s", excused[why], why)
	}
	return f
}

// underway is how much longer than on a good link a heartbeat may be under way, up to a
// node whose loop is busy with a slow write.
func (r *run) underway() (longest time.Duration) {
	for _, path := range r.paths() {
		for _, from := range lab.Nodes() {
			longest = max(longest, r.plan.Transit(r.meta.World, path, from))
		}
	}
	return longest + r.plan.ChaosTime(r.meta.World, "slow.for")
}

// parting is a time in which two nodes cannot know of each other, and the cuts.
type parting struct {
	window
	cut string
}

// partings lists them, each with the time that the pair has to sort itself out.
func (r *run) partings() []parting {
	var found []parting
	for _, s := range r.stretches {
		if s.parted != "" {
			found = append(found, parting{window{s.from, s.to.Add(r.plan.Reunion(r.meta.World))}, s.parted})
		}
	}
	return found
}

// excuse says which cuts excuse a window, or what of it none does.
func excuse(parts []parting, w window) (why string, rest window, ok bool) {
	at := w.from
	for _, p := range parts { // by time
		if p.from <= at && p.to > at {
			why, at = p.cut, p.to
		}
	}
	return why, window{min(at, w.to), w.to}, at >= w.to
}

// excusedAt reports whether the pair may be in two parts at an instant.
func excusedAt(parts []parting, at clock.Instant) bool {
	_, _, ok := excuse(parts, window{at, at + 1})
	return ok
}
