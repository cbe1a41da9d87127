package bfd

import (
	"fmt"
	"testing"
	"time"
)

// TestRFC5880_6_8_7_AFloodOfPollsIsAnsweredSeldom: Finals stay within the limit, each Poll is
// answered within half an interval, and the session stays Up.
//
// Conformance: RFC 5880 6.8.7/9
func TestRFC5880_6_8_7_AFloodOfPollsIsAnsweredSeldom(t *testing.T) {
	const polls, apart = 9_900, 100 * time.Microsecond
	r := newRig(t)
	r.up()
	r.take()
	began := r.now
	poll := peerPacket(Up)
	poll.Poll = true
	answered := began
	finals := func() (n int) {
		for _, p := range r.take() {
			if p.Final {
				n++
				answered = r.now
			}
		}
		return n
	}
	sent := 0
	for range polls {
		r.receive(poll)
		sent += finals()
		if late := r.now.Sub(answered); late > 25*ms {
			t.Fatalf("Polls of %v went unanswered", late)
		}
		r.run(apart)
		sent += finals()
	}
	if most := int(r.now.Sub(began)/(25*ms)) + finalBurst; sent > most || r.s.State() != Up {
		t.Errorf("%d Polls in %v drew %d Finals, want at most %d; state %v", polls, r.now.Sub(began), sent, most, r.s.State())
	}
	r.run(25 * ms)
	if sent = finals(); sent != 1 || r.s.tx.finals.owed {
		t.Errorf("the last Polls drew %d Finals, want one for all of them", sent)
	}
}

// TestAPollThatWaitsForItsFinalIsNotForgotten: a packet without the Poll bit that comes before the limit allows the
// Final does not cancel it.
func TestAPollThatWaitsForItsFinalIsNotForgotten(t *testing.T) {
	r := newRig(t)
	r.up()
	r.run(time.Second / 10)
	r.receive(peerPacket(Up))
	r.take()
	poll := peerPacket(Up)
	poll.Poll = true
	finals := 0
	for range finalBurst + 1 {
		r.receive(poll)
	}
	r.receive(peerPacket(Up))
	r.run(26 * ms)
	for _, p := range r.take() {
		if p.Final {
			finals++
		}
	}
	if finals != finalBurst+1 {
		t.Errorf("%d Polls drew %d Finals", finalBurst+1, finals)
	}
}

// TestThePeersPollsAreAnsweredAtOnce: even if each of the peer's packets is a Poll, with any
// intervals, so that the limit delays no proof.
func TestThePeersPollsAreAnsweredAtOnce(t *testing.T) {
	for _, c := range []struct{ tx, rx, peerTX, peerRX time.Duration }{
		{50 * ms, 50 * ms, 50 * ms, 50 * ms}, {100 * ms, 10 * ms, 10 * ms, 100 * ms}, {10 * ms, 100 * ms, 100 * ms, 10 * ms},
	} {
		t.Run(fmt.Sprintf("%v %v, peer %v %v", c.tx, c.rx, c.peerTX, c.peerRX), func(t *testing.T) {
			cfgs := [2]Config{testConfig(), testConfig()}
			cfgs[0].LocalDiscr, cfgs[1].LocalDiscr = 1, 2
			cfgs[0].DesiredMinTxInterval, cfgs[0].RequiredMinRxInterval = c.tx, c.rx
			cfgs[1].DesiredMinTxInterval, cfgs[1].RequiredMinRxInterval = c.peerTX, c.peerRX
			p := newPair(t, cfgs, [2]float64{1, 1})
			p.fate = func(int) (bool, time.Duration) { return false, ms }
			for i := range p.ends {
				p.ends[i].s.SetAsking(true)
			}
			p.run(p.now.Add(20*time.Second), func() bool {
				return p.ends[0].s.tx.finals.owed || p.ends[1].s.tx.finals.owed
			})
			for i := range p.ends {
				if s := p.ends[i].s; s.tx.finals.owed || s.State() != Up {
					t.Errorf("end %d is %v and owes a Final after %v", i, s.State(), p.now)
				}
			}
		})
	}
}
