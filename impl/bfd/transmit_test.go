package bfd

import (
	"testing"
	"time"

	"baton/impl/clock"
)

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

// TestRFC5880_6_4_LowestIntervals: a session announces its receive interval in every
// state, although it transmits slowly except in Up.
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

// TestRFC5880_6_8_7_TransmitInterval: the slower of our transmit interval and the peer's
// receive interval applies.
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
	if first, again := instants(7), instants(7); first != again {
		t.Error("one seed, two schedules")
	}
	if instants(7) == instants(8) {
		t.Error("two seeds, one schedule")
	}
}

// TestRFC5880_6_8_7_NewsAtOnce: changed contents are sent at once, unchanged contents
// periodically.
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

// TestRFC5880_6_1_Active: an active session, the default, transmits whether or not it
// ever hears the peer.
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

// A packet that did not leave is sent again at once, unchanged except for its sequence number.
func TestAPacketThatDidNotLeaveIsSentAgain(t *testing.T) {
	r := newRig(t)
	r.run(r.s.Deadline().Sub(r.now))
	before := r.s.Stats().Sent
	r.s.NotSent(r.now)
	if sent := r.s.Stats().Sent - before; sent != 1 {
		t.Errorf("%d packets, want 1", sent)
	}
	r.s.Advance(r.now)
	if sent := r.s.Stats().Sent - before; sent != 1 {
		t.Errorf("%d packets after a look, want no more", sent)
	}
}
