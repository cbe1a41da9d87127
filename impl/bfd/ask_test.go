package bfd

import (
	"testing"
	"time"

	"baton/impl/clock"
)

// asking returns a rig that is Up and has begun to ask, and when its first Poll left.
func asking(t *testing.T) (*rig, clock.Instant) {
	r := newRig(t)
	r.up()
	r.s.SetAsking(true)
	return r, r.poll()
}

// poll runs until the next Poll and returns when it left.
func (r *rig) poll() clock.Instant {
	r.t.Helper()
	r.take()
	for range 100 {
		r.run(ms)
		for _, p := range r.take() {
			if p.Poll {
				return r.s.LastSent()
			}
		}
	}
	r.t.Fatal("no Poll leaves")
	return 0
}

func (r *rig) final() {
	r.t.Helper()
	p := peerPacket(Up)
	p.Final = true
	r.receive(p)
}

// One Poll Sequence follows another, each on the periodic packets. Each Final proves that
// the peer has heard a packet that left no earlier than the first Poll of its sequence.
func TestAskingIsOneSequenceAfterAnother(t *testing.T) {
	r, first := asking(t)
	if got := r.s.Acknowledged(); got >= first {
		t.Fatalf("acknowledged %v before the answer, asked at %v", got, first)
	}
	r.run(ms)
	r.final()
	if got := r.s.Acknowledged(); got != first {
		t.Errorf("acknowledged %v, want %v", got, first)
	}
	second := r.poll()
	if wait := second.Sub(first); wait < 37*ms || wait > 52*ms {
		t.Errorf("the next Poll comes after %v, want it on the next periodic packet", wait)
	}
	r.receive(peerPacket(Up))
	r.poll() // the sequence continues
	r.final()
	if got := r.s.Acknowledged(); got != second {
		t.Errorf("acknowledged %v: the Final may answer any Poll of the sequence, the first of which left at %v", got, second)
	}
}

// An unsolicited Final acknowledges nothing, and each Final ends at most one sequence.
func TestAFinalAcknowledgesItsSequenceAlone(t *testing.T) {
	r, first := asking(t)
	r.final()
	r.final()
	if got := r.s.Acknowledged(); got != first {
		t.Errorf("acknowledged %v, want %v", got, first)
	}
}

// A session that is not Up, or is in Demand mode, does not ask. One that stops asking
// completes the current sequence.
func TestOnlyAnUpSessionWithoutDemandModeAsks(t *testing.T) {
	r, _ := asking(t)
	r.s.SetAsking(false)
	r.final()
	r.take()
	r.keepUp(300 * ms)
	for _, p := range r.take() {
		if p.Poll {
			t.Fatalf("transmitted %+v after asking ended", p)
		}
	}
	r.s.SetAsking(true)
	r.run(time.Second) // the peer is silent
	if r.s.State() != Down {
		t.Fatalf("state %v", r.s.State())
	}
	r.finishPoll()
	r.take()
	r.run(3 * time.Second)
	for _, p := range r.take() {
		if p.Poll {
			t.Fatalf("transmitted %+v while Down", p)
		}
	}
}

// A change takes effect by the Final of the sequence that asking has begun.
func TestAskingDoesNotHoldUpAnotherSequence(t *testing.T) {
	r, _ := asking(t)
	mustSet(t, r, 80*ms, 50*ms)
	wantInterval(t, r, 50*ms)
	r.final()
	r.receive(peerPacket(Up))
	r.poll()
	r.final()
	wantInterval(t, r, 80*ms)
}

// The owner sees that the peer polls, until a packet of the peer does not.
func TestAPollOfThePeerIsSeen(t *testing.T) {
	r := newRig(t)
	r.up()
	p := peerPacket(Up)
	p.Poll = true
	r.receive(p)
	if !r.s.RemotePolls() {
		t.Error("the Poll is not seen")
	}
	if r.receive(peerPacket(Up)); r.s.RemotePolls() {
		t.Error("the Poll is seen after another packet")
	}
}
