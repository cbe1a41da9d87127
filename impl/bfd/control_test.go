package bfd

import (
	"testing"
	"time"
)

// TestRFC5880_6_8_15_ForwardingPlaneReset: down with diagnostic 4, from any state
// but AdminDown.
//
// Conformance: RFC 5880 6.8.15/1
func TestRFC5880_6_8_15_ForwardingPlaneReset(t *testing.T) {
	for state := AdminDown; state <= Up; state++ {
		t.Run(state.String(), func(t *testing.T) {
			r := newRig(t)
			r.s = sessionIn(t, state)
			r.s.ResetForwardingPlane(r.now)
			r.collect()
			if state == AdminDown {
				r.wantState(AdminDown, DiagAdminDown)
				return
			}
			r.wantState(Down, DiagForwardingPlaneReset)
			if sent := r.take(); len(sent) != 1 || sent[0].State != Down || sent[0].Diag != DiagForwardingPlaneReset {
				t.Errorf("transmitted %+v", sent)
			}
		})
	}
}

// TestRFC5880_6_8_16_PathDown: held down with diagnostic 5.
//
// Conformance: RFC 5880 6.8.16/1
func TestRFC5880_6_8_16_PathDown(t *testing.T) {
	r := newRig(t)
	r.up()
	r.s.SetPathDown(r.now, true)
	r.collect()
	r.wantState(AdminDown, DiagPathDown)
	r.s.SetPathDown(r.now, false)
	r.wantState(Down, DiagPathDown)
}

// TestRFC5880_6_8_17_ConcatenatedPath: the diagnostic travels, the session stays
// Up; the next failure overwrites it.
func TestRFC5880_6_8_17_ConcatenatedPath(t *testing.T) {
	r := newRig(t)
	r.up()
	for _, diag := range []Diag{DiagConcatenatedPathDown, DiagReverseConcatenatedPathDown, DiagNone} {
		if err := r.s.SignalConcatenatedPath(r.now, diag); err != nil {
			t.Fatal(err)
		}
		r.collect()
		r.wantState(Up, diag)
		if sent := r.take(); len(sent) != 1 || sent[0].Diag != diag || sent[0].State != Up {
			t.Errorf("transmitted %+v, want %v", sent, diag)
		}
	}
	if err := r.s.SignalConcatenatedPath(r.now, DiagEchoFailed); err == nil {
		t.Error("took a diagnostic of another meaning")
	}
	if err := r.s.SignalConcatenatedPath(r.now, DiagConcatenatedPathDown); err != nil {
		t.Fatal(err)
	}
	r.run(150 * ms)
	r.wantState(Down, DiagDetectionTimeExpired)
}

// TestRFC5880_6_8_12_DetectMult: the next packet carries it, without a Poll, and
// zero is refused.
//
// Conformance: RFC 5880 6.8.1/12
func TestRFC5880_6_8_12_DetectMult(t *testing.T) {
	r := newRig(t)
	r.up()
	if err := r.s.SetDetectMult(r.now, 0); err == nil {
		t.Error("took a multiplier of 0")
	}
	if err := r.s.SetDetectMult(r.now, 9); err != nil {
		t.Fatal(err)
	}
	r.collect()
	if sent := r.take(); len(sent) != 1 || sent[0].DetectMult != 9 || sent[0].Poll {
		t.Errorf("transmitted %+v", sent)
	}
	if got := r.s.DetectionTime(); got != 150*ms {
		t.Errorf("DetectionTime %v: our own multiplier does not decide it", got)
	}
}

// TestRFC7419_3_CommonIntervals: every interval that implementations should have in
// common is accepted, transmitted exactly, and kept.
func TestRFC7419_3_CommonIntervals(t *testing.T) {
	for _, interval := range []time.Duration{
		3300 * time.Microsecond, 10 * ms, 20 * ms, 50 * ms, 100 * ms, time.Second, 10 * time.Second,
	} {
		r := newRig(t, func(c *Config) {
			c.DesiredMinTxInterval, c.RequiredMinRxInterval, c.DetectMult = interval, interval, 255
		})
		r.run(0)
		p := peerPacket(Init)
		p.DesiredMinTxInterval, p.RequiredMinRxInterval, p.DetectMult = interval, interval, 255
		r.receive(p)
		sent := r.take()
		last := sent[len(sent)-1]
		if last.DesiredMinTxInterval != interval || last.RequiredMinRxInterval != interval {
			t.Errorf("transmitted %+v, want %v", last, interval)
		}
		if r.s.TransmitInterval() != interval || r.s.DetectionTime() != 255*interval {
			t.Errorf("%v: interval %v, Detection Time %v", interval, r.s.TransmitInterval(), r.s.DetectionTime())
		}
	}
}

// A path signal outlives a failure of the session, whose reason stays known here.
func TestAPathSignalIsKept(t *testing.T) {
	s, err := New(Config{LocalDiscr: 1, DesiredMinTxInterval: 50 * time.Millisecond, RequiredMinRxInterval: 50 * time.Millisecond, DetectMult: 3}, 1)
	if err != nil {
		t.Fatal(err)
	}
	diags := func() (all []Diag) {
		for _, b := range s.Ready().Packets {
			p, err := Parse(b)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, p.Diag)
		}
		return all
	}
	s.Advance(1)
	diags()
	if err := s.SetPathSignal(2, DiagReverseConcatenatedPathDown); err != nil {
		t.Fatal(err)
	}
	if got := diags(); len(got) != 1 || got[0] != DiagReverseConcatenatedPathDown {
		t.Errorf("a new signal sends %v", got)
	}
	s.ResetForwardingPlane(3)
	if got := diags(); len(got) != 0 {
		t.Errorf("a failure sends %v, although the packet is the same", got)
	}
	if s.LocalDiag() != DiagForwardingPlaneReset {
		t.Errorf("LocalDiag is %v", s.LocalDiag())
	}
	if err := s.SetPathSignal(4, DiagAdminDown); err == nil {
		t.Error("a diagnostic that is no path signal is accepted")
	}
}
