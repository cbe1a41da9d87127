package bfd

import (
	"testing"
	"time"
)

// demandRig returns a rig that is Up, with Demand mode active in the local system and acknowledged.
func demandRig(t *testing.T) *rig {
	t.Helper()
	r := newRig(t, func(c *Config) { c.Demand = true })
	r.up()
	if !r.s.demandActive() {
		t.Fatal("Demand mode is not active")
	}
	return r
}

func finalFrom(state State) Packet {
	p := peerPacket(state)
	p.Final = true
	return p
}

// TestRFC5880_6_6_DemandBit: set only while both sides are Up.
//
// Conformance: RFC 5880 6.6/1 6.6/2 6.8.7/10
func TestRFC5880_6_6_DemandBit(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Demand = true })
	r.run(0)
	r.receive(peerPacket(Down))
	r.receive(peerPacket(Init)) // Up, but the peer was last in Init
	for _, p := range r.take() {
		if p.Demand {
			t.Fatalf("Demand bit in %+v before both sides are Up", p)
		}
	}
	r.receive(peerPacket(Up))
	r.run(60 * ms)
	sent := r.take()
	if len(sent) == 0 || !sent[len(sent)-1].Demand || !sent[len(sent)-1].Poll {
		t.Fatalf("transmitted %+v, want the Demand bit with a Poll", sent)
	}
	r.receive(peerPacket(Down))
	if sent := r.take(); len(sent) != 1 || sent[0].Demand {
		t.Fatalf("transmitted %+v after the session went down", sent)
	}
}

// TestRFC5880_6_6_SilenceIsNoFailure: with Demand mode active the peer may be
// silent for as long as nobody polls.
func TestRFC5880_6_6_SilenceIsNoFailure(t *testing.T) {
	r := demandRig(t)
	r.run(time.Hour)
	r.wantState(Up, DiagNone)
	if !r.s.Heard() {
		t.Error("forgot the peer")
	}
	for _, p := range r.take() {
		if p.Poll || !p.Demand {
			t.Fatalf("transmitted %+v", p)
		}
	}
}

// TestRFC5880_6_8_4_DemandDetectionTime: our own multiplier and transmit interval
// decide how long after the first Poll the session fails.
//
// Conformance: RFC 5880 6.8.4/2
func TestRFC5880_6_8_4_DemandDetectionTime(t *testing.T) {
	r := demandRig(t)
	p := peerPacket(Up)
	p.DetectMult, p.RequiredMinRxInterval = 7, 80*ms
	r.receive(p)
	r.run(time.Second)
	r.take()
	r.s.Poll(r.now)
	r.collect()
	r.run(r.s.Deadline().Sub(r.now))
	first := r.s.poll.first
	if !r.s.poll.sent {
		t.Fatal("no Poll went out")
	}
	if got := r.s.DetectionTime(); got != 240*ms {
		t.Fatalf("DetectionTime %v, want 3 x 80ms", got)
	}
	r.run(first.Add(240*ms - 1).Sub(r.now))
	r.wantState(Up, DiagNone)
	r.run(1)
	r.wantState(Down, DiagDetectionTimeExpired)
	polls := 0
	for _, p := range r.take() {
		if p.Poll {
			polls++
		}
	}
	if polls < 3 || polls > 5 {
		t.Errorf("%d Polls in a Detection Time of three intervals", polls)
	}
}

// TestRFC5880_6_6_PollVerifies: a Final ends the verification, and the session
// stays Up.
func TestRFC5880_6_6_PollVerifies(t *testing.T) {
	r := demandRig(t)
	for range 10 {
		r.run(time.Second)
		r.s.Poll(r.now)
		r.collect()
		r.run(50 * ms)
		r.receive(finalFrom(Up))
	}
	r.run(time.Minute)
	r.wantState(Up, DiagNone)
}

// TestRFC5880_6_6_LeavingDemand: unanswered Polls count until the peer has
// acknowledged; from then on its silence counts.
//
// Conformance: RFC 5880 6.6/2
func TestRFC5880_6_6_LeavingDemand(t *testing.T) {
	r := demandRig(t)
	r.run(time.Minute)
	r.take()
	r.s.SetDemand(r.now, false)
	r.collect()
	r.wantState(Up, DiagNone)
	if sent := r.take(); len(sent) != 1 || sent[0].Demand || !sent[0].Poll {
		t.Fatalf("transmitted %+v, want no Demand bit, with a Poll", sent)
	}
	r.run(100 * ms)
	r.receive(finalFrom(Up))
	r.run(150*ms - 1)
	r.wantState(Up, DiagNone)
	r.run(1)
	r.wantState(Down, DiagDetectionTimeExpired)
}

// TestRFC5880_6_8_4_SilenceCountsOnceTheSessionHasLeftUp: Demand mode ends with Up, so the peer's multiplier and
// interval decide again, and a peer that sends is heard whether or not it answers the Poll that clears the bit.
func TestRFC5880_6_8_4_SilenceCountsOnceTheSessionHasLeftUp(t *testing.T) {
	r := demandRig(t)
	r.run(time.Minute)
	p := peerPacket(Down)
	p.DetectMult = 7
	r.receive(p)
	r.wantState(Down, DiagNeighborDown)
	r.run(7*time.Second - 1)
	if !r.s.Heard() {
		t.Fatal("forgot the peer within its Detection Time")
	}
	r.run(1)
	if r.s.Heard() {
		t.Error("the peer is still heard after its Detection Time")
	}
}

// TestRFC5880_6_8_7_RemoteDemand: a peer in Demand mode gets no periodic packets,
// unless there is a Poll Sequence; when it leaves Demand mode they resume at once.
//
// Conformance: RFC 5880 6.8.6/18 6.8.6/19 6.8.7/7 6.8.14/1
func TestRFC5880_6_8_7_RemoteDemand(t *testing.T) {
	r := newRig(t)
	r.up()
	quiet := peerPacket(Up)
	quiet.Demand = true
	silent := func(d time.Duration) (sent []Packet) {
		for end := r.now.Add(d); r.now.Before(end); {
			r.run(20 * ms)
			r.receive(quiet)
		}
		return r.take()
	}
	r.receive(quiet)
	r.take()
	if sent := silent(time.Second); len(sent) != 0 {
		t.Fatalf("transmitted %+v to a peer in Demand mode", sent)
	}
	mustSet(t, r, 60*ms, 50*ms)
	polls := silent(200 * ms)
	if len(polls) < 3 {
		t.Fatalf("%d packets in a Poll Sequence of 200 ms", len(polls))
	}
	for _, p := range polls {
		if !p.Poll {
			t.Fatalf("transmitted %+v to a peer in Demand mode", p)
		}
	}
	quiet.Final = true
	r.receive(quiet)
	quiet.Final = false
	if sent := silent(time.Second); len(sent) != 0 {
		t.Fatalf("transmitted %+v after the Final", sent)
	}
	r.receive(peerPacket(Up))
	if sent := r.take(); len(sent) != 1 {
		t.Errorf("transmitted %d packets when the peer left Demand mode, want one at once", len(sent))
	}
}

// TestRFC5880_6_6_ChangesArePolled: with Demand mode on either side, a Poll Sequence
// announces every change, even one that needs none otherwise.
//
// Conformance: RFC 5880 6.6/3 6.8.17/1
func TestRFC5880_6_6_ChangesArePolled(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(r *rig)
	}{
		{"DetectMult", func(r *rig) {
			if err := r.s.SetDetectMult(r.now, 5); err != nil {
				r.t.Fatal(err)
			}
		}},
		{"ConcatenatedPath", func(r *rig) {
			if err := r.s.SignalConcatenatedPath(r.now, DiagConcatenatedPathDown); err != nil {
				r.t.Fatal(err)
			}
		}},
	} {
		for _, demand := range []string{"Local", "Remote", "None"} {
			t.Run(c.name+"/"+demand, func(t *testing.T) {
				r := newRig(t)
				if demand == "Local" {
					r = demandRig(t)
				} else {
					r.up()
				}
				p := peerPacket(Up)
				p.Demand = demand == "Remote"
				r.receive(p)
				r.run(40 * ms)
				r.receive(p)
				r.take()
				c.change(r)
				r.collect()
				sent := r.take()
				if len(sent) != 1 || sent[0].Poll != (demand != "None") {
					t.Fatalf("transmitted %+v", sent)
				}
				r.wantState(Up, sent[0].Diag)
			})
		}
	}
}

// TestPairDemand: two sessions that both use Demand mode fall silent, verify by
// Polls that succeed, keep agreeing when one changes its intervals, and notice a
// cut link by a Poll within the Detection Time.
func TestPairDemand(t *testing.T) {
	p := symmetricPair(t, func(c *Config) { c.Demand = true })
	p.run(p.now.Add(10*time.Second), never)
	if !p.bothUp() || !p.ends[0].s.demandActive() || !p.ends[1].s.demandActive() {
		t.Fatal("not Up with Demand mode active on both sides")
	}
	before := p.ends[0].s.Stats().Sent + p.ends[1].s.Stats().Sent
	p.run(p.now.Add(time.Hour), never)
	if after := p.ends[0].s.Stats().Sent + p.ends[1].s.Stats().Sent; after != before {
		t.Errorf("%d packets in an hour of Demand mode", after-before)
	}
	s := p.ends[0].s
	s.Poll(p.local(0, p.now))
	p.collect(0)
	p.run(p.now.Add(time.Second), never)
	if err := s.SetIntervals(p.local(0, p.now), 200*ms, 100*ms); err != nil {
		t.Fatal(err)
	}
	p.collect(0)
	p.run(p.now.Add(10*time.Second), never)
	if !p.bothUp() || s.poll.active || s.TransmitInterval() != 200*ms || p.ends[1].s.TransmitInterval() != 100*ms {
		t.Fatalf("up %v, polling %v, intervals %v and %v", p.bothUp(), s.poll.active, s.TransmitInterval(), p.ends[1].s.TransmitInterval())
	}
	p.cut = [2]bool{true, true}
	at := p.now
	s.Poll(p.local(0, p.now))
	p.collect(0)
	p.run(p.now.Add(time.Minute), func() bool { return s.State() != Up })
	if took := p.now.Sub(at); took < 600*ms || took > 801*ms || s.LocalDiag() != DiagDetectionTimeExpired {
		t.Errorf("down by %v after %v, want a Detection Time after the first Poll", s.LocalDiag(), took)
	}
}
