package traffic

import (
	"math"
	"time"

	"baton/impl/clock"
)

// slot is the grid on which the intended times of sessions, connects and flows
// lie. Everything due in one slot costs one wake-up of the loop.
const slot = time.Millisecond

// pacer yields the intended instants of an open-loop schedule: the n-th lies n
// steps after the start, whatever happened to those before it. Each is computed
// from n, so that rounding does not add up.
type pacer struct {
	start clock.Instant
	step  float64 // nanoseconds
	grid  time.Duration
	n     int64
}

// perTurn bounds what a generator that is behind its schedule sends before the
// loop looks at its sockets again: the kernel queues no more than a thousand
// frames for a processor, and what overflows would look like loss in the network.
const perTurn = 64

// every returns the schedule of count senders that each act once a period,
// spread evenly over it: sender n modulo count acts at the n-th instant.
func every(start clock.Instant, period time.Duration, count int) pacer {
	return pacer{start: start, step: float64(period) / float64(count), grid: slot}
}

// perSecond returns a schedule of rate instants a second.
func perSecond(start clock.Instant, rate float64) pacer {
	return pacer{start: start, step: float64(time.Second) / rate, grid: slot}
}

// next is the intended instant of the next action.
func (p *pacer) next() clock.Instant {
	after := time.Duration(float64(p.n) * p.step)
	if p.grid > 0 {
		after = after.Truncate(p.grid)
	}
	return p.start.Add(after)
}

// due calls f with each intended instant that has come and its number, up to a
// limit of numbers and perTurn of them.
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

// skip leaves out the instants up to now.
func (p *pacer) skip(now clock.Instant) {
	if behind := now.Sub(p.next()); behind > 0 {
		p.n += int64(float64(behind) / p.step)
	}
	for !p.next().After(now) {
		p.n++
	}
}

// forever is a limit for schedules without one.
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
