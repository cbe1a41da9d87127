package bfd

import (
	"testing"
	"time"
)

// TestRFC5880_6_8_4_DetectionTime: it is the remote multiplier, not ours, times the
// slower of our receive interval and the peer's transmit interval.
//
// Conformance: RFC 5880 6.8.4/1
func TestRFC5880_6_8_4_DetectionTime(t *testing.T) {
	for _, c := range []struct {
		name   string
		rx, tx time.Duration
		mult   uint8
		want   time.Duration
	}{
		{"RemoteMultiplier", 50 * ms, 50 * ms, 5, 250 * ms},
		{"PeerSlower", 50 * ms, 80 * ms, 3, 240 * ms},
		{"WeSlower", 90 * ms, 80 * ms, 2, 180 * ms},
		{"One", 50 * ms, 10 * ms, 1, 50 * ms},
		{"Largest", MaxInterval, MaxInterval, 255, 255 * MaxInterval},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, func(cfg *Config) { cfg.RequiredMinRxInterval = c.rx })
			r.up()
			p := peerPacket(Up)
			p.DesiredMinTxInterval, p.DetectMult, p.RequiredMinRxInterval = c.tx, c.mult, MaxInterval
			r.receive(p)
			if got := r.s.DetectionTime(); got != c.want {
				t.Fatalf("DetectionTime %v, want %v", got, c.want)
			}
			r.now = r.now.Add(c.want - 1)
			r.s.Advance(r.now)
			r.wantState(Up, DiagNone)
			r.run(1)
			r.wantState(Down, DiagDetectionTimeExpired)
		})
	}
}

// TestRFC5880_6_8_4_Expiry: in Init and Up the session goes down with diagnostic 1
// and says so at once.
//
// Conformance: RFC 5880 6.8.4/1 7/1 7/2
func TestRFC5880_6_8_4_Expiry(t *testing.T) {
	for _, state := range []State{Init, Up} {
		t.Run(state.String(), func(t *testing.T) {
			r := newRig(t)
			r.s = sessionIn(t, state)
			detect := r.s.DetectionTime()
			r.run(detect - 1)
			r.wantState(state, DiagNone)
			r.take()
			r.run(1)
			r.wantState(Down, DiagDetectionTimeExpired)
			want := Change{From: state, To: Down, Diag: DiagDetectionTimeExpired, At: r.now}
			if len(r.changes) != 1 || r.changes[0] != want {
				t.Errorf("changes %v, want %v", r.changes, want)
			}
			sent := r.take()
			if len(sent) != 1 || sent[0].State != Down || sent[0].Diag != DiagDetectionTimeExpired || sent[0].YourDiscr != 0 {
				t.Errorf("transmitted %+v", sent)
			}
		})
	}
}

// TestRFC5880_6_8_1_RemoteDiscrForgotten: after a silent Detection Time the peer's
// discriminator is zero, in whatever state.
//
// Conformance: RFC 5880 6.8.1/7
func TestRFC5880_6_8_1_RemoteDiscrForgotten(t *testing.T) {
	for state := AdminDown; state <= Up; state++ {
		t.Run(state.String(), func(t *testing.T) {
			r := newRig(t)
			r.s = sessionIn(t, state)
			detect := r.s.DetectionTime()
			r.run(detect - 1)
			if !r.s.Heard() || r.s.RemoteDiscr() != peerDiscr {
				t.Fatal("forgotten before the Detection Time")
			}
			r.run(1)
			if r.s.Heard() || r.s.RemoteDiscr() != 0 {
				t.Fatal("not forgotten after the Detection Time")
			}
		})
	}
}

// TestRFC5880_6_8_18_RemoteMinRxReset: the request for silence of a peer that has
// itself fallen silent no longer applies.
//
// Conformance: RFC 5880 6.8.1/1 6.8.18/1 6.8.18/2 6.8.7/6
func TestRFC5880_6_8_18_RemoteMinRxReset(t *testing.T) {
	r := newRig(t)
	r.run(0)
	p := peerPacket(AdminDown)
	p.RequiredMinRxInterval = 0
	r.receive(p)
	r.take()
	r.run(3*time.Second - 1)
	if sent := r.take(); len(sent) != 0 {
		t.Fatalf("transmitted %+v to a peer that wants nothing", sent)
	}
	r.run(1)
	if sent := r.take(); len(sent) != 1 {
		t.Errorf("transmitted %d packets once the peer was silent, want 1", len(sent))
	}
}

// TestRFC5880_6_8_3_RemoteMinRxReduced: a shorter interval counts from the previous
// packet on; if it has passed already, the packet goes out at once.
//
// Conformance: RFC 5880 6.8.3/5 6.8.3/6 6.8.7/4
func TestRFC5880_6_8_3_RemoteMinRxReduced(t *testing.T) {
	r := newRig(t)
	r.up()
	slow := peerPacket(Up)
	slow.RequiredMinRxInterval = time.Minute
	r.receive(slow)
	r.run(100 * ms)
	r.take()
	r.receive(peerPacket(Up))
	if sent := r.take(); len(sent) != 1 {
		t.Errorf("transmitted %d packets when the interval fell below what had passed, want 1", len(sent))
	}
	r.receive(slow)
	r.run(10 * ms)
	r.receive(peerPacket(Up))
	if sent := r.take(); len(sent) != 0 {
		t.Errorf("transmitted %+v though the shorter interval has not passed", sent)
	}
	r.run(40 * ms)
	if sent := r.take(); len(sent) != 1 {
		t.Errorf("transmitted %d packets within the shorter interval, want 1", len(sent))
	}
}

// TestLateAdvance: an owner that was stalled transmits once, not once for each
// missed packet, and continues from there.
func TestLateAdvance(t *testing.T) {
	r := newRig(t)
	r.up()
	p := peerPacket(Up)
	p.DetectMult = 100
	r.receive(p)
	r.take()
	r.now = r.now.Add(time.Second)
	r.s.Advance(r.now)
	r.collect()
	if sent := r.take(); len(sent) != 1 {
		t.Errorf("transmitted %d packets after a stall, want 1", len(sent))
	}
	if next := r.s.Deadline().Sub(r.now); next < 37*ms || next > 50*ms {
		t.Errorf("next transmission after %v, want one interval", next)
	}
	if late := r.s.Stats().AdvanceLateMax; late < 950*ms || late > time.Second {
		t.Errorf("AdvanceLateMax %v", late)
	}
}
