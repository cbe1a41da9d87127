package bfd

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"baton/impl/clock"
)

// echoRig returns a rig that is Up with the Echo function running: 20 ms desired, of
// which the peer accepts one per 30 ms.
func echoRig(t *testing.T) (*rig, Packet) {
	t.Helper()
	r := newRig(t, func(c *Config) { c.EchoInterval = 20 * ms })
	r.up()
	p := peerPacket(Up)
	p.RequiredMinEchoRxInterval = 30 * ms
	p.DetectMult = 200
	r.receive(p)
	if !r.s.EchoActive() {
		t.Fatal("the Echo function is not active")
	}
	return r, p
}

// echoes lets time pass and returns when echo packets were sent. Those for which back
// is true come back after a delay.
func (r *rig) echoes(d time.Duration, back func(n int) bool, delay time.Duration) (at []clock.Instant) {
	r.t.Helper()
	type flight struct {
		at   clock.Instant
		data []byte
	}
	var wire []flight
	take := func() {
		ready := r.s.Ready()
		r.changes = append(r.changes, ready.Changes...)
		for _, b := range ready.Echoes {
			if back(len(at)) {
				wire = append(wire, flight{r.now.Add(delay), bytes.Clone(b)})
			}
			at = append(at, r.now)
		}
	}
	take()
	stuck := 0
	for end := r.now.Add(d); ; stuck++ {
		if stuck > 1000 {
			r.t.Fatal("the deadline does not move on")
		}
		next := r.s.Deadline()
		if len(wire) > 0 && wire[0].at <= next {
			next = wire[0].at
		}
		if next.After(end) {
			r.now = end
			return at
		}
		if next.After(r.now) {
			stuck = 0
		}
		r.now = max(r.now, next)
		if len(wire) > 0 && wire[0].at <= r.now {
			if err := r.s.ReceiveEcho(r.now, wire[0].data, echoTTL); err != nil {
				r.t.Fatalf("ReceiveEcho: %v", err)
			}
			wire = wire[1:]
		} else {
			r.s.Advance(r.now)
		}
		take()
	}
}

func all(int) bool  { return true }
func none(int) bool { return false }

// TestRFC5880_6_8_9_EchoTransmission: only while Up and while the peer is willing,
// and no faster than it accepts.
//
// Conformance: RFC 5880 6.8.9/1 6.8.9/2 6.8.9/3
func TestRFC5880_6_8_9_EchoTransmission(t *testing.T) {
	r := newRig(t, func(c *Config) { c.EchoInterval = 20 * ms })
	willing := func(state State) Packet {
		p := peerPacket(state)
		p.RequiredMinEchoRxInterval, p.DetectMult = 30*ms, 200
		return p
	}
	r.run(0)
	r.receive(willing(Down))
	if at := r.echoes(100*ms, all, ms); len(at) != 0 {
		t.Fatal("echo packets in Init")
	}
	refusing := willing(Up)
	refusing.RequiredMinEchoRxInterval = 0
	if err := r.s.Receive(r.now, refusing.AppendTo(nil), maxTTL); err != nil {
		t.Fatal(err)
	}
	if at := r.echoes(100*ms, all, ms); len(at) != 0 {
		t.Fatal("echo packets though the peer refuses them")
	}
	p := willing(Up)
	if err := r.s.Receive(r.now, p.AppendTo(nil), maxTTL); err != nil {
		t.Fatal(err)
	}
	at := r.echoes(10*time.Second, all, ms)
	least, most := time.Hour, time.Duration(0)
	for i := 1; i < len(at); i++ {
		gap := at[i].Sub(at[i-1])
		least, most = min(least, gap), max(most, gap)
	}
	if least < 22500*time.Microsecond || most > 30*ms {
		t.Errorf("echo packets each %v to %v, want 75 to 100 %% of the peer's 30ms", least, most)
	}
	r.s.SetAdminDown(r.now, true)
	if at := r.echoes(time.Second, all, ms); len(at) != 0 || r.s.EchoActive() {
		t.Error("echo packets in AdminDown")
	}
}

// TestRFC5880_6_8_6_EchoRefused: when the peer's Required Min Echo RX Interval becomes
// zero, echo packets cease, and the session continues without them.
//
// Conformance: RFC 5880 6.8.6/16 6.8.9/2
func TestRFC5880_6_8_6_EchoRefused(t *testing.T) {
	r, p := echoRig(t)
	r.echoes(200*ms, all, ms)
	p.RequiredMinEchoRxInterval = 0
	if err := r.s.Receive(r.now, p.AppendTo(nil), maxTTL); err != nil {
		t.Fatal(err)
	}
	if at := r.echoes(time.Second, all, ms); len(at) != 0 {
		t.Errorf("%d echo packets after the peer refused them", len(at))
	}
	r.wantState(Up, DiagNone)
}

// TestRFC5880_6_8_5_EchoFailure: Detect Mult intervals after the last echo packet
// came back the session is down with diagnostic 2; fewer losses do not matter.
//
// Conformance: RFC 5880 6.8.5/1 6.8.8/2
func TestRFC5880_6_8_5_EchoFailure(t *testing.T) {
	r, _ := echoRig(t)
	lossy := func(n int) bool { return n%3 == 2 } // two lost in a row
	r.echoes(5*time.Second, lossy, ms)
	r.wantState(Up, DiagNone)
	r.echoes(100*ms, all, 0)
	last := r.s.echo.lastReturn
	r.echoes(last.Add(90*ms-1).Sub(r.now), none, 0)
	r.wantState(Up, DiagNone)
	r.echoes(1, none, 0)
	r.wantState(Down, DiagEchoFailed)
}

// TestRFC5880_6_8_3_SedateWhileEchoing: with the Echo function running we ask for a
// control packet a second, and no longer when it stops.
//
// Conformance: RFC 5880 6.8.3/7
func TestRFC5880_6_8_3_SedateWhileEchoing(t *testing.T) {
	r, p := echoRig(t)
	if got := r.s.contents().RequiredMinRxInterval; got != time.Second {
		t.Errorf("Required Min RX Interval %v while echoing, want 1s", got)
	}
	p.RequiredMinEchoRxInterval = 0
	r.receive(p)
	if got := r.s.contents().RequiredMinRxInterval; got != 50*ms {
		t.Errorf("Required Min RX Interval %v after echoing, want 50ms", got)
	}
}

// TestRFC5880_6_8_8_ReceiveEcho: only our own packets count, each once.
//
// Conformance: RFC 5880 5/1 6.8.8/1
func TestRFC5880_6_8_8_ReceiveEcho(t *testing.T) {
	r, p := echoRig(t)
	r.run(30 * ms)
	r.s.Ready()
	own := r.s.echo.packet(localDiscr, r.s.echo.sent)
	old := r.s.echo.packet(localDiscr, r.s.echo.sent-1)
	mangle := func(i int) []byte { b := bytes.Clone(own[:]); b[i] ^= 1; return b }
	for _, c := range []struct {
		name   string
		b      []byte
		ttl    uint8
		reason Drop
	}{
		{"Empty", nil, echoTTL, DropEchoForged},
		{"Short", own[:echoLen-1], echoTTL, DropEchoForged},
		{"Discriminator", mangle(3), echoTTL, DropEchoForged},
		{"Sequence", mangle(11), echoTTL, DropEchoForged},
		{"Tag", mangle(echoLen - 1), echoTTL, DropEchoForged},
		{"TTL", own[:], 253, DropTTL},
		{"Good", own[:], echoTTL, dropKinds},
		{"Replay", own[:], echoTTL, DropEchoStale},
		{"Overtaken", old[:], echoTTL, DropEchoStale},
	} {
		err := r.s.ReceiveEcho(r.now, c.b, c.ttl)
		var drop *DropError
		if (err == nil) != (c.reason == dropKinds) || err != nil && (!errors.As(err, &drop) || drop.Reason != c.reason) {
			t.Errorf("%s: %v, want %v", c.name, err, c.reason)
		}
	}
	r.run(30 * ms)
	r.s.Ready()
	own = r.s.echo.packet(localDiscr, r.s.echo.sent) // in flight
	p.RequiredMinEchoRxInterval = 0
	r.receive(p)
	if err := r.s.ReceiveEcho(r.now, own[:], echoTTL); err == nil {
		t.Error("took an echo packet after the Echo function stopped")
	}
	if discr, ok := EchoDiscr(own[:]); !ok || discr != localDiscr {
		t.Errorf("EchoDiscr %#x, %v", discr, ok)
	}
}

// TestTheEchoPortTellsTheTwoKindsOfPacketsApart: the echo packets of a Session and those of an Unaffiliated
// session come back to the same port.
func TestTheEchoPortTellsTheTwoKindsOfPacketsApart(t *testing.T) {
	r, _ := echoRig(t)
	affiliated := r.s.echo.packet(localDiscr, 1<<32-1)
	if discr, ok := UnaffiliatedDiscr(affiliated[:]); ok {
		t.Errorf("an echo packet of a Session is taken for one of the Unaffiliated session %#x", discr)
	}
	control := peerPacket(Up)
	if discr, ok := UnaffiliatedDiscr(control.AppendTo(nil)); !ok || discr != peerDiscr {
		t.Errorf("a control packet is one of the Unaffiliated session %#x, %v; want %#x", discr, ok, peerDiscr)
	}
}

// TestEchoIntervalChange: when the peer accepts a shorter interval, packets that were
// never sent do not count as lost.
func TestEchoIntervalChange(t *testing.T) {
	r, p := echoRig(t)
	p.RequiredMinEchoRxInterval = 2 * time.Second
	r.receive(p)
	r.echoes(1900*ms, all, ms)
	p.RequiredMinEchoRxInterval = 10 * ms
	if err := r.s.Receive(r.now, p.AppendTo(nil), maxTTL); err != nil {
		t.Fatal(err)
	}
	r.echoes(time.Second, all, ms)
	r.wantState(Up, DiagNone)
	if got := r.s.EchoTransmitInterval(); got != 20*ms {
		t.Errorf("EchoTransmitInterval %v, want our own 20ms", got)
	}
}

// TestRFC5880_6_8_13_SetEcho: both directions can be switched at any time.
func TestRFC5880_6_8_13_SetEcho(t *testing.T) {
	r, p := echoRig(t)
	if err := r.s.SetEcho(r.now, 0, 70*ms); err != nil {
		t.Fatal(err)
	}
	r.collect()
	if r.s.EchoActive() || r.s.contents().RequiredMinEchoRxInterval != 70*ms {
		t.Error("the change did not take hold")
	}
	if err := r.s.SetEcho(r.now, 1, 0); err == nil {
		t.Error("took an interval of a nanosecond")
	}
	if err := r.s.SetEcho(r.now, 20*ms, 0); err != nil {
		t.Fatal(err)
	}
	r.collect()
	r.receive(p)
	if !r.s.EchoActive() {
		t.Error("not active again")
	}
}

// TestRFC5883_3_NoEchoOverMultipleHops: refused by name and section.
//
// Conformance: RFC 5883 3/1
func TestRFC5883_3_NoEchoOverMultipleHops(t *testing.T) {
	for _, edit := range []func(*Config){
		func(c *Config) { c.EchoInterval = 50 * ms },
		func(c *Config) { c.RequiredMinEchoRxInterval = 50 * ms },
	} {
		cfg := testConfig()
		cfg.MultiHop = true
		edit(&cfg)
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "Echo function with MultiHop (RFC 5883 3)") {
			t.Errorf("Validate: %v", err)
		}
	}
	cfg := testConfig()
	cfg.MinTTL = 250
	if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "MinTTL 250 without MultiHop (RFC 5881 5)") {
		t.Errorf("Validate: %v", err)
	}
}

// FuzzReceiveEcho: only our own bytes are accepted as an echo packet.
func FuzzReceiveEcho(f *testing.F) {
	f.Add(make([]byte, echoLen), uint8(echoTTL))
	f.Add(append([]byte{0x11, 0x11, 0x11, 0x11, 0, 0, 0, 0, 0, 0, 0, 1}, make([]byte, echoTagLen)...), uint8(255))
	f.Fuzz(func(t *testing.T, b []byte, ttl uint8) {
		r, _ := echoRig(t)
		if r.s.ReceiveEcho(r.now, b, ttl) == nil {
			t.Fatalf("took %x", b)
		}
	})
}

// TestRFC5880_6_2_HeldDownAfterEchoFailed: while the peer's BFD works and its
// forwarding does not, the session does not flap at the rate of its control packets. The
// wait doubles each time, and starts over once an echo packet has come back.
func TestRFC5880_6_2_HeldDownAfterEchoFailed(t *testing.T) {
	r, _ := echoRig(t)
	willing := peerPacket(Init)
	willing.RequiredMinEchoRxInterval, willing.DetectMult = 30*ms, 200
	fail := func() {
		t.Helper()
		for r.s.State() == Up {
			r.run(r.s.Deadline().Sub(r.now))
		}
		r.wantState(Down, DiagEchoFailed)
	}
	held := func(want time.Duration) {
		t.Helper()
		r.run(want - ms)
		r.receive(willing)
		r.wantState(Down, DiagEchoFailed)
		r.run(ms)
		r.receive(willing)
		r.wantState(Up, DiagEchoFailed)
	}
	fail()
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 16} {
		held(want * time.Second)
		fail()
	}
	r.run(16 * time.Second)
	r.receive(willing)
	r.echoes(100*ms, all, ms)
	fail()
	held(time.Second)
}
