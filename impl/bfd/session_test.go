package bfd

import (
	"strings"
	"testing"
	"time"

	"baton/impl/clock"
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

// TestRFC5880_6_8_4_DetectionTime: the remote multiplier counts, not ours, and the
// slower of what we can take and what the peer wants to send.
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

// TestRFC5880_6_8_18_RemoteMinRxReset: a peer that asked us to be quiet and then
// fell silent binds us no longer.
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

// TestRFC5880_6_8_7_RemoteMinRxZero: no periodic transmission, but a Poll is answered.
//
// Conformance: RFC 5880 6.8.7/6 6.8.7/8
func TestRFC5880_6_8_7_RemoteMinRxZero(t *testing.T) {
	r := newRig(t)
	r.up()
	p := peerPacket(Up)
	p.RequiredMinRxInterval = 0
	for range 50 {
		r.receive(p)
		r.run(40 * ms)
	}
	if sent := r.take(); len(sent) != 0 {
		t.Fatalf("transmitted %d packets, want none", len(sent))
	}
	p.Poll = true
	r.receive(p)
	if sent := r.take(); len(sent) != 1 || !sent[0].Final {
		t.Errorf("answered a Poll with %+v", sent)
	}
}

// TestRFC5880_6_1_Passive: a passive session is silent until it hears the peer,
// and again once it has forgotten it.
//
// Conformance: RFC 5880 6.1/2 6.8.7/5; RFC 5883 4.3/1
func TestRFC5880_6_1_Passive(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Passive = true })
	r.run(time.Minute)
	if sent := r.take(); len(sent) != 0 {
		t.Fatalf("transmitted %+v before it heard the peer", sent)
	}
	r.receive(peerPacket(Down))
	if sent := r.take(); len(sent) != 1 || sent[0].State != Init {
		t.Fatalf("answered with %+v", sent)
	}
	r.run(3 * time.Second)
	r.take()
	r.run(time.Minute)
	if sent := r.take(); len(sent) != 0 {
		t.Fatalf("transmitted %+v after it forgot the peer", sent)
	}
}

// TestRFC5880_6_8_3_SlowWhileNotUp: at least a second between packets, and the
// field says so, in every state but Up.
//
// Conformance: RFC 5880 6.8.3/4 7/1 7/2
func TestRFC5880_6_8_3_SlowWhileNotUp(t *testing.T) {
	for state := AdminDown; state <= Up; state++ {
		t.Run(state.String(), func(t *testing.T) {
			r := newRig(t)
			r.s = sessionIn(t, state)
			interval := r.s.TransmitInterval()
			want := time.Second
			if state == Up {
				want = 50 * ms
			}
			if interval != want {
				t.Errorf("TransmitInterval %v, want %v", interval, want)
			}
			p := r.s.contents()
			if p.DesiredMinTxInterval != want {
				t.Errorf("Desired Min TX Interval %v, want %v", p.DesiredMinTxInterval, want)
			}
		})
	}
}

// TestRFC5880_6_4_LowestIntervals: what a session can take it says in every state,
// though it transmits slowly itself in all but one.
//
// Conformance: RFC 5880 6.4/1
func TestRFC5880_6_4_LowestIntervals(t *testing.T) {
	for state := AdminDown; state <= Up; state++ {
		if p := sessionIn(t, state).contents(); p.RequiredMinRxInterval != 50*ms {
			t.Errorf("%v: advertised %v, want the 50ms of the configuration", state, p.RequiredMinRxInterval)
		}
	}
	r := newRig(t, func(cfg *Config) { cfg.RequiredMinEchoRxInterval = 20 * ms })
	for _, state := range []State{Down, Up} {
		if p := r.s.contents(); p.State != state || p.RequiredMinEchoRxInterval != 20*ms {
			t.Errorf("%v: advertised %v for echo packets, want the 20ms of the configuration", p.State, p.RequiredMinEchoRxInterval)
		}
		r.up()
	}
}

// TestRFC5880_6_8_7_TransmitInterval: the slower of what we want and what the peer
// can take decides.
//
// Conformance: RFC 5880 6.8.7/1 6.8.7/4
func TestRFC5880_6_8_7_TransmitInterval(t *testing.T) {
	for _, c := range []struct{ tx, remoteRx, want time.Duration }{
		{50 * ms, 20 * ms, 50 * ms},
		{50 * ms, 70 * ms, 70 * ms},
		{50 * ms, MaxInterval, MaxInterval},
	} {
		r := newRig(t, func(cfg *Config) { cfg.DesiredMinTxInterval = c.tx })
		r.up()
		p := peerPacket(Up)
		p.RequiredMinRxInterval = c.remoteRx
		r.receive(p)
		if got := r.s.TransmitInterval(); got != c.want {
			t.Errorf("TransmitInterval %v, want %v", got, c.want)
		}
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

// TestRFC5880_6_8_7_Jitter: each interval is drawn anew from 75 to 100 % of the
// negotiated one, from 75 to 90 % with a multiplier of 1, and fills that range.
//
// Conformance: RFC 5880 6.8.7/1 6.8.7/2 6.8.7/3
func TestRFC5880_6_8_7_Jitter(t *testing.T) {
	for _, c := range []struct {
		mult uint8
		most float64
	}{{1, 0.90}, {2, 1.00}, {3, 1.00}} {
		r := newRig(t, func(cfg *Config) { cfg.DetectMult = c.mult })
		r.up()
		p := peerPacket(Up)
		p.DetectMult = 255
		const interval, n = 50 * ms, 2000
		least, most, last := time.Hour, time.Duration(0), clock.Instant(0)
		for i := 0; i < n; i++ {
			if i%100 == 0 {
				r.receive(p)
			}
			r.run(r.s.Deadline().Sub(r.now))
			if last != 0 && r.now != last {
				gap := r.now.Sub(last)
				least, most = min(least, gap), max(most, gap)
			}
			last = r.s.LastSent()
		}
		low, high := float64(least)/float64(interval), float64(most)/float64(interval)
		if low < 0.75 || low > 0.76 || high > c.most || high < c.most-0.01 {
			t.Errorf("multiplier %d: intervals from %.3f to %.3f of the negotiated one, want 0.75 to %.2f", c.mult, low, high, c.most)
		}
	}
}

// TestJitterIsSeeded: the same seed gives the same instants, another seed others.
func TestJitterIsSeeded(t *testing.T) {
	instants := func(seed uint64) (at [20]clock.Instant) {
		r := newRig(t, func(c *Config) { c.Seed = seed })
		for i := range at {
			r.run(r.s.Deadline().Sub(r.now))
			at[i] = r.now
		}
		return at
	}
	if instants(7) != instants(7) {
		t.Error("one seed, two schedules")
	}
	if instants(7) == instants(8) {
		t.Error("two seeds, one schedule")
	}
}

// TestLateAdvance: an owner that was stalled transmits once, not once for each
// packet that it missed, and goes on from there.
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

// TestRFC5880_6_8_7_NewsAtOnce: contents that change go out at once, the same
// contents wait for their turn.
//
// Conformance: RFC 5880 6.8.7/11
func TestRFC5880_6_8_7_NewsAtOnce(t *testing.T) {
	r := newRig(t)
	r.up()
	r.run(10 * ms)
	r.take()
	r.receive(peerPacket(Up))
	if sent := r.take(); len(sent) != 0 {
		t.Fatalf("transmitted %+v without news", sent)
	}
	p := peerPacket(Up)
	p.MyDiscr++
	r.receive(p)
	if sent := r.take(); len(sent) != 1 || sent[0].YourDiscr != peerDiscr+1 {
		t.Fatalf("transmitted %+v, want the new Your Discriminator", sent)
	}
	r.receive(func() Packet { p.State = Down; return p }())
	if sent := r.take(); len(sent) != 1 || sent[0].State != Down || sent[0].Diag != DiagNeighborDown {
		t.Fatalf("transmitted %+v, want Down", sent)
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

// TestRFC5880_6_8_7_FinalInEveryState: a Poll is answered at once by a Final,
// whatever the state and the timers say, and never by a Poll.
//
// Conformance: RFC 5880 6.8.7/8 6.8.7/9
func TestRFC5880_6_8_7_FinalInEveryState(t *testing.T) {
	for state := AdminDown; state <= Up; state++ {
		t.Run(state.String(), func(t *testing.T) {
			r := newRig(t)
			r.s = sessionIn(t, state)
			r.s.Ready()
			p := peerPacket(state)
			p.Poll = true
			_ = r.s.Receive(r.now, p.AppendTo(nil), maxTTL) // AdminDown discards it, and yet owes the Final
			r.collect()
			sent := r.take()
			if len(sent) == 0 || !sent[0].Final {
				t.Fatalf("answered a Poll with %+v", sent)
			}
			if len(sent) > 1 {
				t.Errorf("%d packets in answer to one Poll", len(sent))
			}
		})
	}
}

// TestReadyIsTakenOnce: effects are handed out once, and unclaimed packets do not
// pile up.
func TestReadyIsTakenOnce(t *testing.T) {
	r := newRig(t)
	r.s.Advance(r.now)
	if ready := r.s.Ready(); len(ready.Packets) != 1 {
		t.Fatalf("%d packets, want 1", len(ready.Packets))
	}
	if ready := r.s.Ready(); len(ready.Packets) != 0 || len(ready.Changes) != 0 {
		t.Fatalf("handed out twice: %+v", ready)
	}
	poll := peerPacket(AdminDown)
	poll.Poll = true
	for i := range 100 {
		poll.MyDiscr = uint32(i + 1)
		if err := r.s.Receive(r.now, poll.AppendTo(nil), maxTTL); err != nil {
			t.Fatal(err)
		}
	}
	packets := r.s.Ready().Packets
	if len(packets) == 0 || len(packets) > outboxLen {
		t.Fatalf("%d packets kept, want some, at most %d", len(packets), outboxLen)
	}
	if p, err := Parse(packets[len(packets)-1]); err != nil || p.YourDiscr != 100 {
		t.Errorf("the last packet kept is %+v, %v; want the newest", p, err)
	}
}

// TestRFC5880_6_1_Active: an active session transmits whether or not it ever hears
// the peer; that is what a session does unless it is told otherwise.
//
// Conformance: RFC 5880 6.1/1 6.1/3; RFC 5881 3/1
func TestRFC5880_6_1_Active(t *testing.T) {
	r := newRig(t)
	r.run(time.Minute)
	sent := r.take()
	if n := len(sent); n < 60 || n > 81 {
		t.Errorf("transmitted %d packets in a minute to nobody, want one each 0.75 to 1 s", n)
	}
	for _, p := range sent {
		if p.YourDiscr != 0 || p.State != Down {
			t.Fatalf("transmitted %+v", p)
		}
	}
}

// TestRFC5880_6_8_7_Contents: every field of a transmitted packet.
//
// Conformance: RFC 5880 6.8.7/12
func TestRFC5880_6_8_7_Contents(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.ControlPlaneIndependent = true
		c.Demand = true
		c.DetectMult = 7
		c.RequiredMinRxInterval = 90 * ms
		c.RequiredMinEchoRxInterval = 30 * ms
	})
	r.run(0)
	r.receive(peerPacket(Init))
	r.run(100 * ms)
	r.take()
	if err := r.s.SignalConcatenatedPath(r.now, DiagConcatenatedPathDown); err != nil {
		t.Fatal(err)
	}
	poll := peerPacket(Up)
	poll.Poll = true
	r.collect()
	r.take()
	r.receive(poll)
	want := Packet{
		Diag: DiagConcatenatedPathDown, State: Up, Final: true, ControlPlaneIndependent: true, Demand: true,
		DetectMult: 7, MyDiscr: localDiscr, YourDiscr: peerDiscr,
		DesiredMinTxInterval: 50 * ms, RequiredMinRxInterval: 90 * ms, RequiredMinEchoRxInterval: 30 * ms,
	}
	if sent := r.take(); len(sent) == 0 || !samePacket(sent[0], want) {
		t.Errorf("transmitted %+v, want %+v first", sent, want)
	}
}
