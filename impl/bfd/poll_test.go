package bfd

import (
	"testing"
	"time"
)

// TestRFC5880_6_5_PollOnScheduledPackets: a change while Up is announced by the
// Poll bit on packets that carry it, periodic ones, until the Final comes.
//
// Conformance: RFC 5880 6.8.6/17 6.5/2 6.8.3/1
func TestRFC5880_6_5_PollOnScheduledPackets(t *testing.T) {
	r := newRig(t)
	r.up()
	mustSet(t, r, 80*ms, 50*ms)
	for range 20 {
		r.run(20 * ms)
		r.receive(peerPacket(Up))
	}
	polls := r.take()
	for _, p := range polls {
		if !p.Poll || p.DesiredMinTxInterval != 80*ms {
			t.Fatalf("transmitted %+v during the Poll Sequence", p)
		}
	}
	if n := len(polls); n < 8 || n > 12 {
		t.Errorf("%d packets in 400 ms, want the periodic ones of the old interval only", n)
	}
	final := peerPacket(Up)
	final.Final = true
	r.receive(final)
	r.keepUp(400 * ms)
	after := r.take()
	for _, p := range after {
		if p.Poll {
			t.Fatalf("transmitted %+v after the Final", p)
		}
	}
	if n := len(after); n < 4 || n > 7 {
		t.Errorf("%d packets in 400 ms, want those of the new interval", n)
	}
}

// TestRFC5880_6_8_3_TxIncreaseWaits: while Up, a longer transmit interval waits for
// the end of the Poll Sequence, a shorter one does not.
//
// Conformance: RFC 5880 6.8.3/2 6.8.3/8
func TestRFC5880_6_8_3_TxIncreaseWaits(t *testing.T) {
	r := newRig(t)
	r.up()
	mustSet(t, r, 200*ms, 50*ms)
	wantInterval(t, r, 50*ms)
	final := peerPacket(Up)
	final.Final = true
	r.receive(final)
	wantInterval(t, r, 200*ms)
	mustSet(t, r, 60*ms, 50*ms)
	wantInterval(t, r, 60*ms)
}

// TestRFC5880_6_8_3_RxDecreaseWaits: while Up, a shorter Detection Time waits for
// the end of the Poll Sequence, a longer one does not.
//
// Conformance: RFC 5880 6.8.3/3 6.8.3/8
func TestRFC5880_6_8_3_RxDecreaseWaits(t *testing.T) {
	r := newRig(t)
	r.up()
	fast := peerPacket(Up)
	fast.DesiredMinTxInterval = 10 * ms
	r.receive(fast)
	mustSet(t, r, 50*ms, 20*ms)
	if got := r.s.DetectionTime(); got != 150*ms {
		t.Fatalf("DetectionTime %v before the Final, want the old 150ms", got)
	}
	fast.Final = true
	r.receive(fast)
	if got := r.s.DetectionTime(); got != 60*ms {
		t.Fatalf("DetectionTime %v after the Final, want 60ms", got)
	}
	mustSet(t, r, 50*ms, 100*ms)
	if got := r.s.DetectionTime(); got != 300*ms {
		t.Fatalf("DetectionTime %v, want the longer 300ms at once", got)
	}
}

// TestRFC5880_6_8_3_ImmediateWhileNotUp: outside Up nothing waits.
//
// Conformance: RFC 5880 6.8.3/8 6.8.3/1
func TestRFC5880_6_8_3_ImmediateWhileNotUp(t *testing.T) {
	r := newRig(t)
	r.run(0)
	mustSet(t, r, 2*time.Second, 30*ms)
	wantInterval(t, r, 2*time.Second)
	if sent := r.take(); len(sent) != 2 || !sent[1].Poll || sent[1].DesiredMinTxInterval != 2*time.Second {
		t.Errorf("transmitted %+v, want the change with a Poll", sent)
	}
	mustSet(t, r, 50*ms, 30*ms)
	wantInterval(t, r, time.Second)
}

// TestRFC5880_6_8_3_UpPolls: coming Up shortens bfd.DesiredMinTxInterval, which is
// a change, so a Poll Sequence follows.
//
// Conformance: RFC 5880 6.8.3/1
func TestRFC5880_6_8_3_UpPolls(t *testing.T) {
	r := newRig(t)
	r.run(0)
	r.take()
	r.receive(peerPacket(Init))
	sent := r.take()
	if len(sent) != 1 || !sent[0].Poll || sent[0].State != Up || sent[0].DesiredMinTxInterval != 50*ms {
		t.Fatalf("transmitted %+v on coming Up", sent)
	}
}

// TestRFC5880_6_8_3_OneSequenceAtATime: a change that comes after the first Poll of
// a sequence gets a sequence of its own; the Final of the first is not taken for it.
//
// Conformance: RFC 5880 6.8.3/9
func TestRFC5880_6_8_3_OneSequenceAtATime(t *testing.T) {
	r := newRig(t)
	r.up()
	mustSet(t, r, 100*ms, 50*ms) // transmitted at once, with Poll
	r.run(60 * ms)               // and again
	mustSet(t, r, 200*ms, 50*ms)
	r.take()
	final := peerPacket(Up)
	final.Final = true
	r.receive(final)
	wantInterval(t, r, 50*ms)
	if r.s.poll.active {
		t.Fatal("the second sequence began while a Final of the first may be under way")
	}
	// Another Final of the first sequence, which had two Polls.
	r.receive(final)
	wantInterval(t, r, 50*ms)
	// A packet without Final: from here on a Final can only be the second's.
	r.receive(peerPacket(Up))
	r.run(50 * ms)
	sent := r.take()
	if last := sent[len(sent)-1]; !last.Poll || last.DesiredMinTxInterval != 200*ms {
		t.Fatalf("transmitted %+v, want the second Poll Sequence", sent)
	}
	r.receive(final)
	wantInterval(t, r, 200*ms)
}

// TestRFC5880_6_8_3_NextSequenceAfterRoundTrip: without a packet that lacks Final,
// a round trip after the last Poll is enough.
//
// Conformance: RFC 5880 6.8.3/9
func TestRFC5880_6_8_3_NextSequenceAfterRoundTrip(t *testing.T) {
	var p pollSequence
	p.request()
	p.start(0)
	p.transmitted(0)
	p.transmitted(40)
	p.request()
	if p.received(50, true) {
		t.Fatal("nothing left to announce, though a change is waiting")
	}
	if p.deadline() != 90 {
		t.Fatalf("next sequence from %d on, want the last Poll plus a round trip, 90", p.deadline())
	}
	p.start(89)
	if p.active {
		t.Fatal("started too early")
	}
	p.start(90)
	if !p.active {
		t.Fatal("not started")
	}
}

// TestRFC5880_6_8_3_ChangesBeforeFirstPoll: changes before the first Poll of a sequence
// are part of it.
//
// Conformance: RFC 5880 6.8.3/9
func TestRFC5880_6_8_3_ChangesBeforeFirstPoll(t *testing.T) {
	r := newRig(t)
	r.up()
	r.s.Poll(r.now)
	r.collect()
	if r.s.poll.sent {
		t.Fatal("the Poll did not wait for the periodic packet")
	}
	mustSet(t, r, 200*ms, 50*ms)
	if sent := r.take(); len(sent) != 1 || !sent[0].Poll {
		t.Fatalf("transmitted %+v", sent)
	}
	final := peerPacket(Up)
	final.Final = true
	r.receive(final)
	wantInterval(t, r, 200*ms)
	if r.s.poll.wanted || r.s.poll.active {
		t.Error("a second sequence for what one Poll carried")
	}
}

// TestRFC5880_6_8_6_EarlyFinal: a Final that comes before the first Poll of a
// sequence answers an older one.
//
// Conformance: RFC 5880 6.8.6/17
func TestRFC5880_6_8_6_EarlyFinal(t *testing.T) {
	r := newRig(t)
	r.up()
	r.s.Poll(r.now)
	r.collect()
	final := peerPacket(Up)
	final.Final = true
	r.receive(final)
	if !r.s.poll.active {
		t.Error("ended a sequence of which no Poll was sent")
	}
}

// TestRFC5880_6_8_6_UnsolicitedFinal: a Final that answers no Poll ends nothing.
func TestRFC5880_6_8_6_UnsolicitedFinal(t *testing.T) {
	r := newRig(t)
	r.up()
	before := r.s.poll
	final := peerPacket(Up)
	final.Final = true
	r.receive(final)
	if r.s.poll != before {
		t.Errorf("poll sequence %+v, was %+v", r.s.poll, before)
	}
}

// TestRFC5880_6_5_PollFinalExclusive: a session that polls and is polled answers
// with a Final alone and polls in another packet.
//
// Conformance: RFC 5880 6.5/1
func TestRFC5880_6_5_PollFinalExclusive(t *testing.T) {
	r := newRig(t)
	r.up()
	mustSet(t, r, 80*ms, 50*ms)
	r.take()
	p := peerPacket(Up)
	p.Poll = true
	r.receive(p) // collect refuses both bits in one packet
	r.keepUp(50 * ms)
	var polls, finals int
	for _, p := range r.take() {
		if p.Poll {
			polls++
		}
		if p.Final {
			finals++
		}
	}
	if polls == 0 || finals != 1 {
		t.Errorf("%d Polls and %d Finals, want some and 1", polls, finals)
	}
}

// TestSetIntervalsRefuses: a bad interval changes nothing.
func TestSetIntervalsRefuses(t *testing.T) {
	r := newRig(t)
	r.up()
	before := r.s.contents()
	for _, bad := range []time.Duration{0, -ms, MaxInterval + time.Microsecond, 1} {
		if r.s.SetIntervals(r.now, bad, 50*ms) == nil || r.s.SetIntervals(r.now, 50*ms, bad) == nil {
			t.Errorf("accepted an interval of %v", bad)
		}
	}
	if after := r.s.contents(); !samePacket(before, after) {
		t.Errorf("contents %+v, were %+v", after, before)
	}
}

func mustSet(t *testing.T, r *rig, tx, rx time.Duration) {
	t.Helper()
	if err := r.s.SetIntervals(r.now, tx, rx); err != nil {
		t.Fatal(err)
	}
	r.collect()
}

func wantInterval(t *testing.T, r *rig, want time.Duration) {
	t.Helper()
	if got := r.s.TransmitInterval(); got != want {
		t.Fatalf("TransmitInterval %v, want %v", got, want)
	}
}
