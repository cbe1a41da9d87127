package bfd

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// TestAPeerThatHasRestartedIsHeardAtOnce: its numbers begin any distance above the old ones.
// Its old packets are refused, and so is any number in the other half of the circular space.
func TestAPeerThatHasRestartedIsHeardAtOnce(t *testing.T) {
	for _, typ := range digestTypes {
		auth := testAuth(typ)
		auth.Resumes = true
		r := newRig(t, func(c *Config) { c.Auth = auth })
		for _, c := range []struct {
			seq uint32
			ok  bool
		}{
			{1000, true}, {1001, true}, {1000 + 3*3 + 100, true}, {1001, false}, {1000, false},
			{1 << 30, true}, {1<<30 + 1<<31, false}, {1<<30 + 1<<31 - 1, true}, {1 << 30, false},
			{0xffffffff, true}, {0, true}, {0xffffffff, false},
		} {
			err := r.s.Receive(r.now, sealed(peerPacket(Down), auth, c.seq), maxTTL)
			var drop *DropError
			if (err == nil) != c.ok || err != nil && (!errors.As(err, &drop) || drop.Reason != DropAuthSeq) {
				t.Errorf("%v: number %d: %v, accepted: want %v", typ, c.seq, err, c.ok)
			}
		}
	}
}

// TestARestartedSessionUsesHigherSequenceNumbers: a session sends fewer packets than
// ResumedSeq counts, even if both ends poll all the time, with any intervals.
func TestARestartedSessionUsesHigherSequenceNumbers(t *testing.T) {
	const lives, pause = 5 * time.Second, 100 * time.Millisecond
	for _, c := range []struct{ tx, rx, peerTX, peerRX time.Duration }{
		{50 * ms, 50 * ms, 50 * ms, 50 * ms}, {10 * ms, 10 * ms, 10 * ms, 10 * ms},
		{100 * ms, 10 * ms, 10 * ms, 100 * ms}, {10 * ms, 100 * ms, 100 * ms, 10 * ms}, {50 * ms, 50 * ms, 10 * ms, 10 * ms},
	} {
		t.Run(fmt.Sprintf("%v %v, peer %v %v", c.tx, c.rx, c.peerTX, c.peerRX), func(t *testing.T) {
			now := time.Duration(1<<40 + 1)
			cfgs := [2]Config{testConfig(), testConfig()}
			cfgs[0].LocalDiscr, cfgs[1].LocalDiscr = 1, 2
			cfgs[0].DesiredMinTxInterval, cfgs[0].RequiredMinRxInterval = c.tx, c.rx
			cfgs[1].DesiredMinTxInterval, cfgs[1].RequiredMinRxInterval = c.peerTX, c.peerRX
			for i := range cfgs {
				cfgs[i].Auth = testAuth(AuthMeticulousKeyedSHA1)
			}
			first := ResumedSeq(now, c.tx, c.rx)
			cfgs[0].Auth.FirstSeq = first
			p := newPair(t, cfgs, [2]float64{1, 1})
			p.fate = func(int) (bool, time.Duration) { return false, ms }
			for i := range p.ends {
				p.ends[i].s.SetAsking(true)
			}
			p.run(p.now.Add(lives), func() bool { return false })
			used := uint32(p.ends[0].s.Stats().Sent)
			if got := p.ends[0].s.auth.xmitSeq - first; got != used {
				t.Fatalf("%d packets took %d numbers", used, got)
			}
			if begins := ResumedSeq(now+lives+pause, c.tx, c.rx) - first; begins <= used {
				t.Errorf("begins %d above the first number after %d packets", begins, used)
			}
		})
	}
}
