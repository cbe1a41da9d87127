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

// scans runs what walks the whole connection table. A table of a million entries
// takes longer to walk than the heartbeat can wait, so it is done on another
// goroutine, one scan at a time. Entries are not applied meanwhile: they wait, as
// does what the core makes depend on them. A claim waits for entries, so it interrupts
// a scan that they wait for.
type scans struct {
	running bool
	hurried atomic.Bool    // the scan that is running is to end before its time
	ended   sync.WaitGroup // of the goroutine that scans
	waiting []write
	next    []func() // scans that wait for the one that is running

	expiring   bool
	since      clock.Instant
	generation uint64        // of expiring: what a sweep finds under another one is void
	sweepAfter clock.Instant // when the next sweep may begin
}

// Sweeps begin this often, but take no more than a share of a processor.
const (
	sweepEvery = clock.Instant(time.Second)
	sweepShare = 20
)

// apply applies entries now, or once the scan that is running has ended.
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

// expire turns the ageing of entries on or off.
func (s *scans) expire(on bool, since clock.Instant) {
	s.expiring, s.since = on, since
	s.generation++
}

// sweep looks for entries whose time has run, if it is time to.
func (s *scans) sweep(l *loop, now clock.Instant) {
	if !s.expiring || s.running || now < s.sweepAfter {
		return
	}
	generation, since := s.generation, s.since
	s.start(l, func() func() {
		expired, err := l.dp.Sweep(now, since)
		return func() {
			if err != nil { // which of those that it was about to remove are gone is unknown
				l.fail("sweep", "expired flows not removed, or not told of: the table is read anew", err)
				l.inbox.post(node.Lost{})
			}
			end := l.now()
			s.sweepAfter = end + max(sweepEvery, sweepShare*(end-now))
			s.report(l, generation, expired)
		}
	})
}

// errHurried answers a scan that a claim has interrupted.
var errHurried = errors.New("interrupted by a claim of the MASTER role")

// read calls f with each entry of the table, on the goroutine of a scan.
func (s *scans) read(l *loop, f func(flow.Entry)) error {
	whole := true
	err := l.dp.Dump(func(e flow.Entry) bool {
		if whole = !s.hurried.Load(); whole {
			f(e)
		}
		return whole
	})
	if err == nil && !whole {
		return errHurried
	}
	return err
}

// hurry ends the scan that is running where entries wait for it.
func (s *scans) hurry() {
	if s.running && len(s.waiting) > 0 {
		s.hurried.Store(true)
	}
}

// list reads up to limit entries for somebody outside, and counts them all. It begins
// anew after an interruption.
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
			if errors.Is(err, errHurried) {
				s.next = append(s.next, func() { s.list(l, limit, answer) })
				return
			}
			answer(entries, total, err)
		}
	})
}

// queue starts a scan now, or once those before it have ended.
func (s *scans) queue(l *loop, scan func() (finish func())) {
	if s.running {
		s.next = append(s.next, func() { s.start(l, scan) })
		return
	}
	s.start(l, scan)
}

// start runs a scan on a goroutine of its own and what it returns on the loop.
func (s *scans) start(l *loop, scan func() (finish func())) {
	s.running = true
	s.hurried.Store(false)
	s.ended.Go(func() {
		finish := scan()
		l.inbox.call(func() {
			s.running = false
			finish()
			s.resume(l)
		})
	})
}

// wait returns when no scan is running. The loop has ended by then.
func (s *scans) wait() { s.ended.Wait() }

// resume does what had to wait for a scan.
func (s *scans) resume(l *loop) {
	waiting := s.waiting
	s.waiting = nil
	for _, e := range waiting {
		l.apply(e)
	}
	if len(s.next) > 0 {
		next := s.next[0]
		s.next = s.next[1:]
		next()
	}
}

// report tells the core which flows a sweep has removed. A flow that was opened
// anew since is left out: its event has come or will come.
func (s *scans) report(l *loop, generation uint64, expired []flow.Entry) {
	if generation != s.generation || !s.expiring {
		return
	}
	batch := expired[:min(len(expired), maxEvents)]
	var events []flow.Event
	for _, e := range batch {
		_, found, err := l.dp.Lookup(e.Original)
		switch {
		case err != nil:
			l.fail("lookup", "expired flow not told of: the table is read anew", err)
			l.inbox.post(node.Lost{})
		case !found:
			events = append(events, flow.Event{Entry: e, Deleted: true})
		}
	}
	if len(events) > 0 {
		l.driver.Flows(events)
	}
	if rest := expired[len(batch):]; len(rest) > 0 {
		l.inbox.call(func() { s.report(l, generation, rest) })
	}
}
