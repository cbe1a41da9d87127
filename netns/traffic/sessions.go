package traffic

import (
	"baton/impl/clock"
	"baton/scenarios/plan"
)

// sessions generates one client's share of a line of long-lived TCP connections. Session k
// sends at the instants k/N + j of the period, from the line's start; those before its
// connection is established are skipped.
type sessions struct {
	all     []*session
	opener  pacer
	beat    pacer
	beats   bool
	opening int           // without a first echo, not ended, not timed out
	live    int           // not ended
	expired int           // all[:expired] are no longer watched for the connect timeout
	resumed clock.Instant // when its client last thawed

	readiness
	ending *ending
}

// newSessions prepares the sessions with the given numbers within the line.
func newSessions(l *loop, line *line, from *client, numbers []int, start clock.Instant, r readiness) *sessions {
	pace := float64(plan.SessionsPerSecond)
	if line.Count > plan.SessionsPerSecond {
		pace = plan.FlowsPerSecond
	}
	g := &sessions{readiness: r, opener: perSecond(start, pace), opening: len(numbers), live: len(numbers)}
	if line.Every > 0 && len(numbers) > 0 {
		g.beats, g.beat = true, every(start, line.Every, len(numbers))
	}
	for _, n := range numbers {
		g.all = append(g.all, &session{
			flowID: flowID{line: line, client: from, number: n}, loop: l, owner: g, fd: -1,
			wire: line.wire(n), opening: true, stall: stallMeter{threshold: line.threshold},
		})
	}
	return g
}

func (g *sessions) deadline() clock.Instant {
	if g.ending != nil {
		return g.ending.deadline(g.live == 0)
	}
	next := clock.Never
	if g.opener.n < int64(len(g.all)) {
		next = g.opener.next()
	}
	if g.beats {
		next = min(next, g.beat.next())
	}
	if !g.isReady {
		next = min(next, g.nextTimeout(), onceTrue(g.opening == 0))
	}
	return next
}

func (g *sessions) fire(now clock.Instant) {
	if g.ending != nil {
		g.fireEnding(now)
		return
	}
	g.opener.due(now, int64(len(g.all)), func(intended clock.Instant, n int64) { g.all[n].open(intended, now) })
	for g.nextTimeout() <= now {
		g.all[g.expired].timeout(now)
		g.expired++
	}
	if g.beats {
		g.beat.due(now, forever, func(intended clock.Instant, n int64) {
			s := g.all[n%int64(len(g.all))]
			s.send(intended, now)
			s.loop.acted(s.line, intended)
		})
	}
	if g.opening == 0 {
		g.ready()
	}
}

// nextTimeout returns when the oldest session without an echo times out.
func (g *sessions) nextTimeout() clock.Instant {
	for g.expired < int(g.opener.n) && !g.all[g.expired].opening {
		g.expired++
	}
	if g.expired == int(g.opener.n) {
		return clock.Never
	}
	s := g.all[g.expired]
	return max(s.started, g.resumed).Add(s.line.timeouts.Connect)
}

func (g *sessions) breakOff(now clock.Instant) {
	for _, s := range g.all {
		s.breakOff(now)
	}
}

func (g *sessions) resume(_, now clock.Instant) {
	g.resumed = now
	if g.beats {
		g.beat.skip(now)
	}
	for _, s := range g.all {
		s.stall.end = now
	}
}

// finish starts the end of the sessions: nothing new is sent, a session closes once it is
// answered, and a session still unanswered after the drain time is lost.
func (g *sessions) finish(_ clock.Instant, e *ending) {
	g.ending = e
	for i, s := range g.all {
		if int64(i) >= g.opener.n {
			s.become(ended) // its turn to connect had not come
			continue
		}
		s.end()
	}
}

func (g *sessions) fireEnding(now clock.Instant) {
	if now >= g.ending.until {
		for _, s := range g.all {
			s.giveUp(now)
		}
	}
	if g.live == 0 {
		g.ready()
		g.ending.finished()
	}
}

// readiness reports once that a generator has opened its connections.
type readiness struct {
	isReady bool
	onReady func()
}

func (r *readiness) ready() {
	if !r.isReady {
		r.isReady = true
		r.onReady()
	}
}

// atOnce is the deadline of a generator that must act now, outside of its schedule.
const atOnce clock.Instant = 0

// onceTrue returns atOnce if the condition holds.
func onceTrue(condition bool) clock.Instant {
	if condition {
		return atOnce
	}
	return clock.Never
}

// ending is the last phase of a generator.
type ending struct {
	until  clock.Instant // end of the drain time
	done   bool
	onDone func()
}

// deadline is when the ending is checked next: at once when nothing is left.
func (e *ending) deadline(nothingLeft bool) clock.Instant {
	switch {
	case e.done:
		return clock.Never
	case nothingLeft:
		return atOnce
	}
	return e.until
}

func (e *ending) finished() {
	if !e.done {
		e.done = true
		e.onDone()
	}
}

// share returns the numbers below count that belong to client c of n.
func share(count, c, n int) []int {
	var numbers []int
	for i := c; i < count; i += n {
		numbers = append(numbers, i)
	}
	return numbers
}
