package traffic

import (
	"math"
	"time"

	"baton/impl/clock"
)

// slot is the grid of the intended times of sessions, connects and flows. All actions of
// one slot cost one wake-up of the loop.
const slot = time.Millisecond

// pacer yields the intended instants of an open-loop schedule: the n-th is n steps after
// the start, regardless of earlier ones. Each is computed from n, so rounding errors do not
// add up.
type pacer struct {
	start clock.Instant
	step  float64 // nanoseconds
	grid  time.Duration
	n     int64
}

// perTurn limits how much a late generator sends before the loop looks at its sockets
// again: the kernel queues at most a thousand frames per CPU, and an overflow would look
// like packet loss.
const perTurn = 64

// every returns the schedule of count senders that each act once a period, evenly spread:
// sender n modulo count acts at the n-th instant.
func every(start clock.Instant, period time.Duration, count int) pacer {
	return pacer{start: start, step: float64(period) / float64(count), grid: slot}
}

// perSecond returns a schedule with the rate per second.
func perSecond(start clock.Instant, rate float64) pacer {
	return pacer{start: start, step: float64(time.Second) / rate, grid: slot}
}

// next returns the intended instant of the next action.
func (p *pacer) next() clock.Instant {
	after := time.Duration(float64(p.n) * p.step)
	if p.grid > 0 {
		after = after.Truncate(p.grid)
	}
	return p.start.Add(after)
}

// due calls f with each intended instant that has come and its number, for numbers below
// limit and at most perTurn times.
func (p *pacer) due(now clock.Instant, limit int64, f func(intended clock.Instant, n int64)) {
	for range perTurn {
		if p.n >= limit {
			return
		}
		intended, n, due := p.take(now)
		if !due {
			return
		}
		f(intended, n)
	}
}

// skip skips the instants up to now.
func (p *pacer) skip(now clock.Instant) {
	if behind := now.Sub(p.next()); behind > 0 {
		p.n += int64(float64(behind) / p.step)
	}
	for !p.next().After(now) {
		p.n++
	}
}

// forever is the limit of an unlimited schedule.
const forever = math.MaxInt64

// take returns the next intended instant and its number if it has come.
func (p *pacer) take(now clock.Instant) (intended clock.Instant, n int64, due bool) {
	intended = p.next()
	if intended.After(now) {
		return 0, 0, false
	}
	p.n++
	return intended, p.n - 1, true
}
