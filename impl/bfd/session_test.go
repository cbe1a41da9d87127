package bfd

import (
	"strings"
	"testing"
	"time"
)

// TestConfigValidate: what the RFC does not allow is refused by name and section.
//
// Conformance: RFC 5880 6.8.1/4 6.8.1/12
func TestConfigValidate(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*Config)
		want string
	}{
		{"Good", func(*Config) {}, ""},
		{"DiscriminatorZero", func(c *Config) { c.LocalDiscr = 0 }, "LocalDiscr is 0 (RFC 5880 6.8.1)"},
		{"MultiplierZero", func(c *Config) { c.DetectMult = 0 }, "DetectMult is 0 (RFC 5880 6.8.1)"},
		{"TxZero", func(c *Config) { c.DesiredMinTxInterval = 0 }, "DesiredMinTxInterval 0s is not between 1µs and 1h11m34.967295s (RFC 5880 4.1)"},
		{"TxNegative", func(c *Config) { c.DesiredMinTxInterval = -ms }, "DesiredMinTxInterval -1ms is not between"},
		{"RxZero", func(c *Config) { c.RequiredMinRxInterval = 0 }, "RequiredMinRxInterval 0s is not between"},
		{"RxAboveField", func(c *Config) { c.RequiredMinRxInterval = MaxInterval + time.Microsecond }, "RequiredMinRxInterval 1h11m34.967296s is not between"},
		{"RxLargest", func(c *Config) { c.RequiredMinRxInterval = MaxInterval }, ""},
		{"TxFraction", func(c *Config) { c.DesiredMinTxInterval = 1500 }, "DesiredMinTxInterval 1.5µs is not a whole number of microseconds"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := testConfig()
			c.edit(&cfg)
			_, err := New(cfg, 0)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), "bfd: config: "+c.want) {
				t.Errorf("New: %v, want %q", err, c.want)
			}
		})
	}
}

// TestRFC5880_6_8_1_Initial: the state variables of a new session.
//
// Conformance: RFC 5880 6.8.1/2 6.8.1/3 6.8.1/6 6.8.1/8 6.8.1/9 6.8.1/10 6.8.1/11
func TestRFC5880_6_8_1_Initial(t *testing.T) {
	r := newRig(t)
	r.wantState(Down, DiagNone)
	if r.s.RemoteState() != Down || r.s.RemoteDiscr() != 0 || r.s.Heard() || r.s.LastSent() != 0 {
		t.Errorf("remote state %v, discr %d, heard %v, last sent %v", r.s.RemoteState(), r.s.RemoteDiscr(), r.s.Heard(), r.s.LastSent())
	}
	if got := r.s.TransmitInterval(); got != time.Second {
		t.Errorf("TransmitInterval %v, want 1s", got)
	}
	if got := r.s.DetectionTime(); got != 150*ms {
		t.Errorf("DetectionTime %v, want what the configuration implies", got)
	}
	if r.s.Deadline() != r.now {
		t.Error("the first packet is not due at once")
	}
	r.run(0)
	want := Packet{
		State: Down, DetectMult: 3, MyDiscr: localDiscr,
		DesiredMinTxInterval: time.Second, RequiredMinRxInterval: 50 * ms,
	}
	if sent := r.take(); len(sent) != 1 || !samePacket(sent[0], want) {
		t.Errorf("first transmission %+v, want %+v", sent, want)
	}
	if r.s.LastSent() != r.now {
		t.Error("LastSent was not set")
	}
}

// TestRFC5880_6_8_6_Handshake brings a session Up from either side of the
// three-way handshake; each step is transmitted at once.
//
// Conformance: RFC 5880 6.8.7/11
func TestRFC5880_6_8_6_Handshake(t *testing.T) {
	for _, c := range []struct {
		name     string
		received []State
		states   []State
	}{
		{"PeerSecond", []State{Down, Init}, []State{Init, Up}},
		{"PeerFirst", []State{Down, Up}, []State{Init, Up}},
		{"PeerInInit", []State{Init}, []State{Up}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			r.run(0)
			r.take()
			for i, state := range c.received {
				r.receive(peerPacket(state))
				r.wantState(c.states[i], DiagNone)
				sent := r.take()
				if len(sent) == 0 || sent[0].State != c.states[i] || sent[0].YourDiscr != peerDiscr {
					t.Fatalf("after %v transmitted %+v", state, sent)
				}
			}
			if n := len(r.changes); n != len(c.states) || r.changes[n-1].To != Up || r.changes[n-1].At != r.now {
				t.Errorf("changes %v", r.changes)
			}
		})
	}
}

// TestRFC5880_6_2_NoUpBeforePeerLeaves: a session that went down stays down while
// the peer still says Up.
func TestRFC5880_6_2_NoUpBeforePeerLeaves(t *testing.T) {
	r := newRig(t)
	r.up()
	r.run(150 * ms)
	r.wantState(Down, DiagDetectionTimeExpired)
	for range 5 {
		r.receive(peerPacket(Up))
		r.wantState(Down, DiagDetectionTimeExpired)
	}
}

// TestRFC5880_6_8_16_AdminDown: down on command with diagnostic 7, deaf, but still
// transmitting; released into Down.
//
// Conformance: RFC 5880 6.8.16/1 6.8.16/2 6.8.6/2
func TestRFC5880_6_8_16_AdminDown(t *testing.T) {
	r := newRig(t)
	r.up()
	r.s.SetAdminDown(r.now, true)
	r.collect()
	r.wantState(AdminDown, DiagAdminDown)
	if sent := r.take(); len(sent) != 1 || sent[0].State != AdminDown || sent[0].Diag != DiagAdminDown {
		t.Fatalf("transmitted %+v", sent)
	}
	for state := AdminDown; state <= Up; state++ {
		p := peerPacket(state)
		if err := r.s.Receive(r.now, p.AppendTo(nil), maxTTL); err == nil {
			t.Errorf("accepted %v in AdminDown", state)
		}
		r.wantState(AdminDown, DiagAdminDown)
	}
	r.run(time.Minute)
	if sent := r.take(); len(sent) < 60 || len(sent) > 81 {
		t.Errorf("transmitted %d packets in a minute of AdminDown, want one each 0.75 to 1 s", len(sent))
	}
	r.changes = nil
	r.s.SetAdminDown(r.now, false)
	r.s.SetAdminDown(r.now, false)
	r.collect()
	r.wantState(Down, DiagAdminDown)
	if len(r.changes) != 1 || r.changes[0].From != AdminDown || r.changes[0].To != Down {
		t.Errorf("changes %v", r.changes)
	}
	r.receive(peerPacket(Down))
	r.receive(peerPacket(Init))
	r.wantState(Up, DiagAdminDown)
}

// TestTheCountersOfUpAndDownFollowUpAlone: a session that reaches only Init has neither come up nor gone down.
func TestTheCountersOfUpAndDownFollowUpAlone(t *testing.T) {
	r := newRig(t)
	count := func(ups, downs uint64) {
		t.Helper()
		if s := r.s.Stats(); s.Ups != ups || s.Downs != downs {
			t.Errorf("%d times up and %d times down, want %d and %d", s.Ups, s.Downs, ups, downs)
		}
	}
	r.run(0)
	r.receive(peerPacket(Down))
	r.run(time.Minute)
	r.wantState(Down, DiagDetectionTimeExpired)
	count(0, 0)
	r.up()
	count(1, 0)
	r.receive(peerPacket(Down))
	count(1, 1)
	r.up()
	count(2, 1)
}
