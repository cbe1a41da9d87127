package bfd

import "baton/impl/clock"

// pollSequence is the Poll Sequence of RFC 5880 section 6.5. Only one runs at a time. A
// change after the first Poll of a sequence gets another sequence, which starts only when
// a late Final of the previous one can no longer be mistaken for its own (end of section
// 6.8.3).
type pollSequence struct {
	wanted      bool // a change waits for a sequence
	active      bool
	sent        bool          // at least one Poll of this sequence was sent
	first, last clock.Instant // the first and the last Poll of it
	settled     clock.Instant // from when on the next sequence may start
	heard       clock.Instant // the first Poll of the last sequence that was answered
}

// request asks for a sequence that covers all changes so far.
func (p *pollSequence) request() {
	if p.active && !p.sent {
		return // the first Poll will carry this change too
	}
	p.wanted = true
}

// ask asks for a sequence unless one runs or waits.
func (p *pollSequence) ask() {
	if !p.active {
		p.wanted = true
	}
}

// start begins the wanted sequence as soon as it may.
func (p *pollSequence) start(now clock.Instant) {
	if p.wanted && !p.active && !now.Before(p.settled) {
		p.wanted, p.active, p.sent = false, true, false
	}
}

// transmitted notes that a packet with the Poll bit was sent.
func (p *pollSequence) transmitted(now clock.Instant) {
	if !p.sent {
		p.sent, p.first = true, now
	}
	p.last = now
}

// received takes the Final bit of a packet and reports whether it ends the
// sequence with nothing left to announce.
//
// A round trip took at most from the first Poll to this Final. After the same time from
// the last Poll, no other Final of this sequence can be in flight. A later packet without
// Final proves the same.
func (p *pollSequence) received(now clock.Instant, final bool) bool {
	switch {
	case final && p.active && p.sent:
		p.active, p.heard = false, p.first
		p.settled = p.last.Add(now.Sub(p.first))
		return !p.wanted
	case !final && !p.active:
		p.settled = now
	}
	return false
}

// deadline returns when a waiting sequence may start.
func (p *pollSequence) deadline() clock.Instant {
	if p.wanted && !p.active {
		return p.settled
	}
	return clock.Never
}
