package sim

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"baton/impl/bfd"
	"baton/scenarios/link"
)

// What follows is RFC 5880 section 6.8.4 as properties. With I the agreed interval
// of a sender, M its Detect Mult, d and d' how much faster than true time its clock
// and the receiver's are:
//
//   - the receiver declares the session down when M·I have passed by its own clock
//     since the last packet that it accepted, which is M·I / (1+d') of true time;
//   - two packets of the sender are 0.75·I to I apart by its clock (0.75·I to 0.9·I
//     where M is 1), so n lost in a row leave a gap of at most (n+1)·I / (1+d) plus
//     the link's jitter and of at least (n+1)·0.75·I / (1+d) less the jitter;
//   - so n losses in a row are tolerated in every case where the former is less than
//     M·I / (1+d'), and in none where the latter is more: up to M-2 always fit, M-1 fit
//     where the intervals happen to be jittered by more than what drift and link take.

// TestDetectionFollowsTheLastPacket: over random timers, drift, loss, bursts,
// duplicates, reordering and damage, with timers that change meanwhile, a session
// goes down without packets exactly when one Detection Time has passed since the
// last one that it accepted (see silence).
func TestDetectionFollowsTheLastPacket(t *testing.T) {
	expiries := 0
	rapid.Check(t, func(t *rapid.T) {
		ends := drawBFDPair(t)
		for i := range ends {
			// Damage requires authentication: without it a flipped bit would be accepted as
			// the peer's word.
			ends[i].cfg.Auth = bfd.Auth{Type: bfd.AuthMeticulousKeyedSHA1, Keys: []bfd.Key{{ID: 1, Secret: []byte("secret")}}, SendKey: 1}
		}
		p := newBFDPair(t, ends)
		for range rapid.IntRange(1, 4).Draw(t, "stretches") {
			p.impair(t)
			p.run(p.now.Add(100*max(p.agreed(0), p.agreed(1))), nil)
			p.heal(t)
			p.run(p.now.Add(10*time.Second), nil)
			p.change(t, rapid.IntRange(0, 1).Draw(t, "end"))
		}
		p.impair(t)
		p.run(p.now.Add(100*max(p.agreed(0), p.agreed(1))), nil)
		expiries += p.ends[0].silence.expiries + p.ends[1].silence.expiries
	})
	if expiries < 100 {
		t.Errorf("%d detections in all: the property has lost its subject", expiries)
	}
}

// impair draws what both directions do to packets from here on.
func (p *bfdPair) impair(t *rapid.T) {
	share := func(name string, most float64) float64 { return rapid.Float64Range(0, most).Draw(t, name) }
	for i := range p.ends {
		e := &p.ends[i]
		params := e.params
		params.Loss = share("loss", 0.5)
		params.Burst = link.Burst{Begin: share("begin", 0.05), End: 0.2, Loss: 1}
		params.Duplicate = share("duplicate", 0.2)
		params.Reorder, params.HoldBack = share("reorder", 0.2), e.cfg.DesiredMinTxInterval
		params.Corrupt = share("corrupt", 0.2)
		p.replaceLink(t, e, params)
	}
}

// heal removes the impairments of both directions except delay and jitter.
func (p *bfdPair) heal(t *rapid.T) {
	for i := range p.ends {
		p.replaceLink(t, &p.ends[i], p.ends[i].params)
	}
}

func (p *bfdPair) replaceLink(t *rapid.T, e *bfdEnd, params link.Params) {
	var err error
	if e.link, err = link.New(params, rapid.Uint64().Draw(t, "link")); err != nil {
		t.Fatal(err)
	}
}

// change sets other timers at one end, once its earlier Poll Sequences have ended: their Final could be
// mistaken for this one's. A session that never settles keeps its timers.
func (p *bfdPair) change(t *rapid.T, end int) {
	e := &p.ends[end]
	if p.run(p.now.Add(10*time.Second), e.silence.settled); !e.silence.settled() {
		return
	}
	tx := time.Duration(rapid.IntRange(3_000, 500_000).Draw(t, "new tx")) * time.Microsecond
	rx := time.Duration(rapid.IntRange(3_000, 500_000).Draw(t, "new rx")) * time.Microsecond
	e.silence.set(rx)
	e.cfg.DesiredMinTxInterval, e.cfg.RequiredMinRxInterval = tx, rx
	if err := e.session.SetIntervals(e.clock.local(p.now), tx, rx); err != nil {
		t.Fatal(err)
	}
	p.settle(end, nil)
}

// TestCutIsDetectedInTime: seen from outside, a link that is cut after n lost
// packets takes the receiver down within the interval that the arithmetic above
// allows, and the sender, whose other direction works, follows.
func TestCutIsDetectedInTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newBFDPair(t, drawBFDPair(t))
		p.settled()
		sender := rapid.IntRange(0, 1).Draw(t, "sender")
		s, r := &p.ends[sender], &p.ends[1-sender]
		losses := rapid.IntRange(0, max(p.tolerated(sender), 0)).Draw(t, "losses")
		s.lose = inRow(losses)
		p.run(p.now.Add(time.Duration(rapid.Int64Range(0, int64(10*p.detection(sender))).Draw(t, "when"))), nil)
		cut := p.now
		s.cut = true
		p.run(p.now.Add(2*p.detection(sender)+time.Second), func() bool { return r.session.State() != bfd.Up })

		last := cut.Add(-time.Duration(losses+1) * p.slowest(sender)) // sent at the earliest
		earliest := last.Add(s.params.Delay - s.params.Jitter + r.lasts(p.detection(sender)) - rounding)
		latest := cut.Add(s.params.Delay + s.params.Jitter + r.lasts(p.detection(sender)) + r.late + rounding)
		if p.now.Before(earliest) || p.now.After(latest) {
			t.Fatalf("down %v after the cut, want %v to %v", p.now.Sub(cut), earliest.Sub(cut), latest.Sub(cut))
		}
		if r.session.LocalDiag() != bfd.DiagDetectionTimeExpired {
			t.Fatalf("down by %v", r.session.LocalDiag())
		}
		p.run(p.now.Add(r.params.Delay+r.params.Jitter+rounding), nil)
		if s.session.State() != bfd.Down || s.session.LocalDiag() != bfd.DiagNeighborDown {
			t.Fatalf("the sender is %v by %v", s.session.State(), s.session.LocalDiag())
		}
	})
}

// TestToleratedLossesTakeNothingDown: as many losses in a row as the multiplier
// tolerates, repeated in both directions, take no session down; meanwhile
// each sender keeps to the jitter that the tolerance counts on.
func TestToleratedLossesTakeNothingDown(t *testing.T) {
	most := 0
	rapid.Check(t, func(t *rapid.T) {
		p := newBFDPair(t, drawBFDPair(t))
		p.settled()
		for i := range p.ends {
			n := p.tolerated(i)
			if mult := int(p.ends[i].cfg.DetectMult); n < mult-2 || n > mult-1 {
				t.Fatalf("%d losses in a row are tolerated with a Detect Mult of %d", n, mult)
			}
			most = max(most, n)
			p.ends[i].lose = inRow(n)
		}
		p.run(p.now.Add(400*max(p.agreed(0), p.agreed(1))), nil)
		for i := range p.ends {
			if changes := p.ends[i].changes; len(changes) != 0 {
				t.Fatalf("end %d: %+v", i, changes[0])
			}
			p.wantPace(t, i)
		}
	})
	if most < 4 {
		t.Errorf("at most %d losses in a row: the property has lost its subject", most)
	}
}

// TestLossesBeyondEveryJitterTakeItDown: so many losses in a row that no jitter can compensate take
// the receiver down at their first occurrence.
func TestLossesBeyondEveryJitterTakeItDown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newBFDPair(t, drawBFDPair(t))
		p.settled()
		sender := rapid.IntRange(0, 1).Draw(t, "sender")
		n := p.fatal(sender)
		s, r := &p.ends[sender], &p.ends[1-sender]
		s.lose = inRow(n)
		p.run(p.now.Add(time.Duration(n+2)*p.slowest(sender)+p.detection(sender)+s.params.Delay), func() bool { return len(r.changes) != 0 })
		if len(r.changes) == 0 || r.changes[0].Diag != bfd.DiagDetectionTimeExpired {
			t.Fatalf("%d losses in a row with a Detect Mult of %d: %+v", n, s.cfg.DetectMult, r.changes)
		}
	})
}

// tolerated is the greatest number of packets in a row whose loss is always tolerated.
func (p *bfdPair) tolerated(sender int) int {
	s, r := &p.ends[sender], &p.ends[1-sender]
	n := 0
	for time.Duration(n+1)*p.slowest(sender)+2*s.params.Jitter+rounding < r.lasts(p.detection(sender)) {
		n++
	}
	return n - 1
}

// fatal is the smallest number of packets in a row whose loss is never tolerated.
func (p *bfdPair) fatal(sender int) int {
	s, r := &p.ends[sender], &p.ends[1-sender]
	n := 0
	for time.Duration(n+1)*p.fastest(sender)-2*s.params.Jitter-rounding <= r.lasts(p.detection(sender))+r.late {
		n++
	}
	return n
}

// inRow loses n packets, lets one pass, and so on.
func inRow(n int) func() bool {
	row := 0
	return func() bool {
		row = (row + 1) % (n + 1)
		return row != 0
	}
}

// wantPace requires that a sender's intervals lie within their bounds and use most of the allowed
// jitter: equal intervals would synchronise senders (section 6.8.7).
func (p *bfdPair) wantPace(t *rapid.T, sender int) {
	e := &p.ends[sender]
	agreed, pace := p.agreed(sender), e.pace
	longest := agreed
	if e.cfg.DetectMult == 1 {
		longest = agreed / 10 * 9
	}
	longest += e.late + e.late/1000 + rounding
	if pace.shortest < agreed/4*3 || pace.longest > longest {
		t.Fatalf("end %d sends %v to %v apart, want %v to %v", sender, pace.shortest, pace.longest, agreed/4*3, longest)
	}
	if pace.gaps >= 100 && pace.longest-pace.shortest < agreed/10 {
		t.Fatalf("end %d sends %v to %v apart: %d intervals of %v without jitter", sender, pace.shortest, pace.longest, pace.gaps, agreed)
	}
}
