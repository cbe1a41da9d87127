package sim

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"baton/impl/clock"
)

// TestHostClock: at is the first true instant at which the clock reads t or later,
// whatever its drift; a lease that is let go "now" must not outlive now.
func TestHostClock(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := hostClock{
			base:  clock.Instant(rapid.Int64Range(-int64(time.Hour), int64(1000*time.Hour)).Draw(t, "base")),
			drift: rapid.Int64Range(-200_000, 200_000).Draw(t, "drift"),
		}
		now := clock.Instant(rapid.Int64Range(1, int64(10*time.Hour)).Draw(t, "now"))
		reading := c.local(now)
		if c.local(now+1) < reading {
			t.Fatalf("the clock goes back: %d, then %d", reading, c.local(now+1))
		}
		at := c.at(reading)
		if at > now || c.local(at) < reading || c.local(at-1) >= reading {
			t.Fatalf("reads %d at %d; at says %d", reading, now, at)
		}
	})
}

// TestQueueIsFirstInFirstOut: events of one instant come in the order in which they were scheduled.
func TestQueueIsFirstInFirstOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		scheduled := map[clock.Instant]uint64{}
		last := clock.Instant(0)
		seen := map[clock.Instant]uint64{}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			if len(q.keys) > 0 && rapid.Bool().Draw(t, "pop") {
				var e event
				at := q.pop(&e)
				if at < last || e.stamp != seen[at]+1 {
					t.Fatalf("popped number %d of %d after number %d, at %d", e.stamp, at, seen[at], last)
				}
				last, seen[at] = at, e.stamp
				continue
			}
			at := last + clock.Instant(rapid.Int64Range(0, 5).Draw(t, "delay"))
			scheduled[at]++
			q.push(at, evCall).stamp = scheduled[at]
		}
	})
}
