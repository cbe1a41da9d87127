package daemon

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"baton/impl/clock"
	"baton/impl/flow"
	"baton/impl/node"
)

// scans walks the connection table. Walking a million entries takes longer than the
// heartbeat can wait, so it runs on another goroutine, one scan at a time. Meanwhile
// entries are not applied: they wait, with everything that depends on them. A claim waits
// for entries and therefore interrupts a scan that they wait for.
type scans struct {
	running     bool
	interrupted atomic.Bool    // interrupt the running scan
	ended       sync.WaitGroup // counts the scanning goroutine
	waiting     []write
	next        []func() // queued scans

	expiring   bool
	since      clock.Instant
	generation uint64        // of expire: a sweep's result of another generation is void
	sweepAfter clock.Instant // when the next sweep may begin

	reporting bool   // the core does not know yet all flows that the last sweep removed
	reported  func() // called once it does; may be nil
}

// Sweeps begin at this interval, but use only a share of a CPU.
const (
	sweepEvery = clock.Instant(time.Second)
	sweepShare = 20
)

// apply applies entries now, or after the running scan.
func (s *scans) apply(l *loop, w write) {
	if s.running {
		s.waiting = append(s.waiting, w)
		return
	}
	l.apply(w)
}

// dump reads all entries.
func (s *scans) dump(l *loop, done func([]flow.Entry, error)) {
	s.queue(l, func() func() {
		var entries []flow.Entry
		err := s.read(l, func(e flow.Entry) { entries = append(entries, e) })
		return func() { done(entries, err) }
	})
}

// walk reads the next part of the table. It first waits until the core knows each flow that a
// sweep has removed; otherwise the core would miss them in the walk.
func (s *scans) walk(l *loop, done func([]flow.Held, bool, error)) {
	again := func() { s.walk(l, done) }
	switch {
	case s.running:
		s.next = append(s.next, again)
		return
	case s.reporting:
		s.reported = again
		return
	}
	s.start(l, func() func() {
		var part []flow.Held
		end, err := l.dp.Walk(func(h flow.Held) { part = append(part, h) })
		return func() { done(part, end, err) }
	})
}

// expire turns the expiry of entries on or off.
func (s *scans) expire(on bool, since clock.Instant) {
	s.expiring, s.since = on, since
	s.generation++
}

// sweep removes expired entries when the next sweep is due.
func (s *scans) sweep(l *loop, now clock.Instant) {
	if !s.expiring || s.running || now < s.sweepAfter {
		return
	}
	generation, since := s.generation, s.since
	s.start(l, func() func() {
		expired, err := l.dp.Sweep(now, since)
		return func() {
			if err != nil { // it is unknown which entries were removed
				l.fail("sweep", "expired flows not removed or not reported: the table is read again", err)
				l.inbox.post(node.Lost{})
			}
			end := l.now()
			s.sweepAfter = end + max(sweepEvery, sweepShare*(end-now))
			s.report(l, generation, expired)
		}
	})
}

// errInterrupted ends a scan that a claim has interrupted.
var errInterrupted = errors.New("interrupted by a claim of the MASTER role")

// read calls f with each entry of the table, on the scan's goroutine.
func (s *scans) read(l *loop, f func(flow.Entry)) error {
	whole := true
	err := l.dp.Dump(func(e flow.Entry) bool {
		if whole = !s.interrupted.Load(); whole {
			f(e)
		}
		return whole
	})
	if err == nil && !whole {
		return errInterrupted
	}
	return err
}

// interrupt interrupts the running scan if entries wait for it.
func (s *scans) interrupt() {
	if s.running && len(s.waiting) > 0 {
		s.interrupted.Store(true)
	}
}

// list reads up to limit entries for a client and counts them all. It restarts after an
// interruption.
func (s *scans) list(l *loop, limit int, answer func(entries []flow.Entry, total int, err error)) {
	s.queue(l, func() func() {
		var entries []flow.Entry
		total := 0
		err := s.read(l, func(e flow.Entry) {
			if total++; total <= limit {
				entries = append(entries, e)
			}
		})
		return func() {
			if errors.Is(err, errInterrupted) {
				s.next = append(s.next, func() { s.list(l, limit, answer) })
				return
			}
			answer(entries, total, err)
		}
	})
}

// queue starts a scan now, or after those before it.
func (s *scans) queue(l *loop, scan func() (finish func())) {
	if s.running {
		s.next = append(s.next, func() { s.start(l, scan) })
		return
	}
	s.start(l, scan)
}

// start runs a scan on its own goroutine, and then the function that it returns on the
// loop.
func (s *scans) start(l *loop, scan func() (finish func())) {
	s.running = true
	s.interrupted.Store(false)
	s.ended.Go(func() {
		finish := scan()
		l.inbox.call(func() {
			s.running = false
			finish()
			s.resume(l)
		})
	})
}

// wait waits for the running scan. The loop must have ended.
func (s *scans) wait() { s.ended.Wait() }

// resume does what has waited for a scan.
func (s *scans) resume(l *loop) {
	waiting := s.waiting
	s.waiting = nil
	for _, e := range waiting {
		l.apply(e)
	}
	for len(s.next) > 0 && !s.running {
		next := s.next[0]
		s.next = s.next[1:]
		next()
	}
}

// report tells the core which flows a sweep has removed, after every event from before the
// sweep: an older event would bring the flow back. It skips a flow that was opened again
// meanwhile, which has an event of its own. A node that follows by now is told only that its
// dataplane lacks flows.
func (s *scans) report(l *loop, generation uint64, expired []flow.Entry) {
	if generation != s.generation || !s.expiring {
		if len(expired) > 0 {
			l.inbox.post(node.Lost{})
		}
		s.endReport()
		return
	}
	batch := expired[:min(len(expired), maxEvents)]
	rest := expired[len(batch):]
	if !l.tellGone(batch) {
		rest = expired
	}
	if len(rest) == 0 {
		s.endReport()
		return
	}
	s.reporting = true
	l.inbox.call(func() { s.report(l, generation, rest) })
}

// endReport does what had to wait for a report.
func (s *scans) endReport() {
	waits := s.reported
	s.reporting, s.reported = false, nil
	if waits != nil {
		waits()
	}
}
