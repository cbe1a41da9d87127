package sim

import (
	"time"

	"pgregory.net/rapid"

	"baton/impl/bfd"
	"baton/impl/clock"
)

// silence computes when one receiver's Detection Time expires (RFC 5880 section 6.8.4). It uses
// only the packets that the receiver accepted and sent. Instants are of the receiver's clock.
type silence struct {
	state bfd.State // as the changes have it

	heard      bool
	lastRx     clock.Instant
	detectMult uint8         // as received last
	minTx      time.Duration // Desired Min TX Interval as received last

	// minRx is bfd.RequiredMinRxInterval as it is in force, wanted as it was set:
	// while the session is Up a lower one counts only from the end of the Poll
	// Sequence that announced it (section 6.8.3).
	minRx, wanted time.Duration
	polled        bool // a Poll that said wanted went out

	// asked: a Poll went out since the last Final. finals: a Final may still be in flight; a packet
	// without one that arrives after it shows that none is.
	asked, finals bool

	expiries int // how many times the session went down by it
}

// expiry is when the Detection Time expires.
func (s *silence) expiry() clock.Instant {
	return s.lastRx.Add(time.Duration(s.detectMult) * max(s.minRx, s.minTx))
}

// judge checks the result of a call at an instant: the session must go down with a detection timeout
// exactly when the Detection Time has expired, no later than its owner calls.
func (s *silence) judge(t rapid.TB, e *bfdEnd, now clock.Instant, changes []bfd.Change, accepted *bfd.Packet) {
	waits := s.heard && (s.state == bfd.Init || s.state == bfd.Up)
	expiry, expired := s.expiry(), false
	for _, c := range changes {
		if c.Diag == bfd.DiagDetectionTimeExpired {
			expired = true
			// The owner's lateness is in true time; its clock adds drift.
			latest := expiry.Add(e.late + e.late/1000 + rounding)
			if !waits || c.At.Before(expiry) || c.At.After(latest) {
				t.Fatalf("%v -> %v at %v after the last packet, want %v to %v: Detect Mult %d, max(%v, %v)",
					c.From, c.To, c.At.Sub(s.lastRx), expiry.Sub(s.lastRx), latest.Sub(s.lastRx), s.detectMult, s.minRx, s.minTx)
			}
			s.expiries++
		}
		s.state = c.To
	}
	if waits && !expired && !now.Before(expiry) {
		t.Fatalf("still %v %v after the last packet: the Detection Time is %v", s.state, now.Sub(s.lastRx), expiry.Sub(s.lastRx))
	}
	if s.state != bfd.Up {
		s.minRx = s.wanted
	}
	if accepted != nil {
		s.accept(now, accepted)
	}
}

func (s *silence) accept(now clock.Instant, p *bfd.Packet) {
	s.heard, s.lastRx, s.detectMult, s.minTx = true, now, p.DetectMult, p.DesiredMinTxInterval
	if p.Final && s.polled {
		s.minRx, s.polled = s.wanted, false
	}
	if p.Final {
		s.asked = false
	} else if !s.asked {
		s.finals = false
	}
}

// settled reports whether no Poll Sequence runs and no Final of one is in flight. The Final of an
// earlier sequence says nothing about a change after its Poll.
func (s *silence) settled() bool { return !s.asked && !s.finals }

// sent notes a sent Poll, which announces the interval that was set.
func (s *silence) sent(p *bfd.Packet) {
	if p.Poll {
		s.asked, s.finals = true, true
	}
	if p.Poll && p.RequiredMinRxInterval == s.wanted && s.minRx != s.wanted {
		s.polled = true
	}
}

// set notes that the owner sets another bfd.RequiredMinRxInterval.
func (s *silence) set(minRx time.Duration) {
	s.wanted = minRx
	if s.state != bfd.Up || minRx > s.minRx {
		s.minRx = minRx
	}
}

// pace is the shortest and the longest time between two packets of a sender, by its own clock.
// Answers to a Poll do not count.
type pace struct {
	last              clock.Instant
	gaps              int
	shortest, longest time.Duration
}

func (p *pace) note(now clock.Instant, sent *bfd.Packet) {
	if sent.Final {
		return
	}
	if gap := now.Sub(p.last); p.last != 0 {
		p.gaps++
		p.longest = max(p.longest, gap)
		if p.gaps == 1 || gap < p.shortest {
			p.shortest = gap
		}
	}
	p.last = now
}
