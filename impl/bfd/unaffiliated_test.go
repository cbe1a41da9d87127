package bfd

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"baton/impl/clock"

	"pgregory.net/rapid"
)

func testUnaffiliated() UnaffiliatedConfig {
	return UnaffiliatedConfig{LocalDiscr: localDiscr, Interval: 50 * ms, DetectMult: 3, Seed: 1}
}

// reflector is a neighbour that forwards our packets back.
type reflector struct {
	u       *Unaffiliated
	now     clock.Instant
	delay   time.Duration
	lost    func() bool
	wire    []flight
	sent    []Packet
	at      []clock.Instant
	changes []Change
}

func newReflector(t rapid.TB, cfg UnaffiliatedConfig) *reflector {
	u, err := NewUnaffiliated(cfg, 0)
	if err != nil {
		t.Fatalf("NewUnaffiliated: %v", err)
	}
	return &reflector{u: u, delay: ms, lost: never}
}

func (r *reflector) run(t rapid.TB, d time.Duration) {
	stuck := 0
	for end := r.now.Add(d); ; stuck++ {
		if stuck > 1000 {
			t.Fatal("the deadline does not move on")
		}
		next := r.u.Deadline()
		arrival := len(r.wire) > 0 && r.wire[0].at < next
		if arrival {
			next = r.wire[0].at
		}
		if next.After(end) {
			r.now = end
			return
		}
		if next.After(r.now) {
			stuck = 0
		}
		r.now = max(r.now, next)
		if arrival {
			if err := r.u.Receive(r.now, r.wire[0].data, echoTTL); err != nil {
				t.Fatalf("Receive: %v", err)
			}
			r.wire = r.wire[1:]
		} else {
			r.u.Advance(r.now)
		}
		ready := r.u.Ready()
		r.changes = append(r.changes, ready.Changes...)
		for _, b := range ready.Packets {
			p, err := Parse(b)
			if err != nil {
				t.Fatalf("transmitted %x: %v", b, err)
			}
			p.Auth = bytes.Clone(p.Auth)
			r.sent, r.at = append(r.sent, p), append(r.at, r.now)
			if !r.lost() {
				r.wire = append(r.wire, flight{at: r.now.Add(r.delay), data: bytes.Clone(b)})
			}
		}
	}
}

// TestRFC9747_2_StateMachine: Down, Init and Up by returning packets, then down with
// diagnostic 2 without them, and Up again.
//
// Conformance: RFC 9747 2/1 2/12
func TestRFC9747_2_StateMachine(t *testing.T) {
	r := newReflector(t, testUnaffiliated())
	r.run(t, time.Second)
	if r.u.State() != Up || len(r.changes) != 2 || r.changes[0].To != Init || r.changes[1].To != Up {
		t.Fatalf("state %v by %v", r.u.State(), r.changes)
	}
	r.lost = func() bool { return true }
	r.run(t, time.Second)
	if r.u.State() != Down || r.u.LocalDiag() != DiagEchoFailed {
		t.Fatalf("state %v (%v), want Down by the echo", r.u.State(), r.u.LocalDiag())
	}
	r.lost = never
	r.run(t, 2*time.Second)
	if r.u.State() != Up {
		t.Fatalf("state %v, want Up again", r.u.State())
	}
}

// TestRFC9747_2_Fields: what the packets carry, in each state.
//
// Conformance: RFC 9747 2/4 2/5 2/7 2/8 2/11 2/13 2/14 2/15 2/16 2/17 2/18 5/3
func TestRFC9747_2_Fields(t *testing.T) {
	r := newReflector(t, testUnaffiliated())
	r.run(t, time.Second)
	for i, p := range r.sent {
		want := Packet{
			State: p.State, DetectMult: 3, MyDiscr: localDiscr, YourDiscr: localDiscr,
			DesiredMinTxInterval: time.Second, RequiredMinRxInterval: time.Second,
		}
		if i == 0 {
			want.State, want.YourDiscr = Down, 0
		}
		if !samePacket(p, want) {
			t.Fatalf("packet %d: %+v, want %+v", i, p, want)
		}
	}
	if len(r.sent) < 10 {
		t.Fatalf("only %d packets", len(r.sent))
	}
}

// TestRFC9747_2_Rate: a packet a second at most until Up, the provisioned interval then.
//
// Conformance: RFC 9747 2/10
func TestRFC9747_2_Rate(t *testing.T) {
	r := newReflector(t, testUnaffiliated())
	r.lost = func() bool { return true }
	r.run(t, time.Minute)
	if n := len(r.sent); n < 60 || n > 81 {
		t.Errorf("%d packets in a minute of Down", n)
	}
	r.lost = never
	r.run(t, 2*time.Second)
	r.sent = nil
	r.run(t, time.Minute)
	if n := len(r.sent); n < 1200 || n > 1601 {
		t.Errorf("%d packets in a minute of Up", n)
	}
}

// TestRFC9747_2_Detection: Detect Mult intervals after the last packet came back;
// fewer losses in a row, at whatever delay below an interval, do not matter.
//
// Conformance: RFC 9747 2/12
func TestRFC9747_2_Detection(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := testUnaffiliated()
		cfg.Interval = time.Duration(rapid.IntRange(3_000, 2_000_000).Draw(t, "µs")) * time.Microsecond
		cfg.DetectMult = uint8(rapid.IntRange(2, 8).Draw(t, "mult"))
		cfg.Seed = rapid.Uint64().Draw(t, "seed")
		r := newReflector(t, cfg)
		r.delay = cfg.Interval / 3
		r.run(t, 10*time.Second)
		if r.u.State() != Up {
			t.Fatalf("state %v", r.u.State())
		}
		row := 0
		rng := cfg.Seed
		r.changes = nil
		r.lost = func() bool {
			rng = rng*6364136223846793005 + 1442695040888963407
			if row < int(cfg.DetectMult)-2 && rng>>40&1 == 0 {
				row++
				return true
			}
			row = 0
			return false
		}
		r.run(t, 200*cfg.Interval)
		if len(r.changes) != 0 {
			t.Fatalf("changes %v", r.changes)
		}
		r.lost = func() bool { return true }
		r.run(t, r.delay) // packets in flight
		want := r.u.lastRx.Add(time.Duration(cfg.DetectMult) * cfg.Interval)
		r.run(t, time.Minute)
		if len(r.changes) != 1 || r.changes[0].At != want {
			t.Fatalf("changes %v, want one at %v", r.changes, want)
		}
	})
}

// TestRFC9747_2_Discard: only what this session sent and one forwarder returned
// counts, with a TTL of 254 exactly; the interval fields are ignored.
//
// Conformance: RFC 9747 2/3 2/6 2/9
func TestRFC9747_2_Discard(t *testing.T) {
	looped := func() Packet {
		return Packet{State: Down, DetectMult: 3, MyDiscr: localDiscr, YourDiscr: localDiscr}
	}
	for _, c := range []struct {
		name   string
		ttl    uint8
		reason Drop
		edit   func(*Packet)
	}{
		{"Good", 254, dropKinds, func(*Packet) {}},
		{"GoodIntervalsIgnored", 254, dropKinds, func(p *Packet) {
			p.DesiredMinTxInterval, p.RequiredMinRxInterval, p.RequiredMinEchoRxInterval = MaxInterval, MaxInterval, MaxInterval
		}},
		{"NotForwarded", 255, DropTTL, func(*Packet) {}},
		{"ForwardedTwice", 253, DropTTL, func(*Packet) {}},
		{"Foreign", 254, DropNotLooped, func(p *Packet) { p.MyDiscr = peerDiscr }},
		{"YourDiscriminator", 254, DropYourDiscr, func(p *Packet) { p.YourDiscr = peerDiscr }},
		{"AdminDown", 254, DropState, func(p *Packet) { p.State = AdminDown }},
		{"UpWithoutYourDiscriminator", 254, DropState, func(p *Packet) { p.State, p.YourDiscr = Up, 0 }},
		{"Authentication", 254, DropAuthUnexpected, func(p *Packet) { p.Auth = []byte{1, 4, 1, 'x'} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newReflector(t, testUnaffiliated())
			r.run(t, time.Second)
			interval, detect := r.u.TransmitInterval(), r.u.DetectionTime()
			before := *r.u
			p := looped()
			p.State = Up
			c.edit(&p)
			err := r.u.Receive(r.now, p.AppendTo(nil), c.ttl)
			var drop *DropError
			if (err == nil) != (c.reason == dropKinds) || err != nil && (!errors.As(err, &drop) || drop.Reason != c.reason) {
				t.Fatalf("Receive: %v, want %v", err, c.reason)
			}
			if r.u.State() != Up || r.u.TransmitInterval() != interval || r.u.DetectionTime() != detect {
				t.Errorf("state %v, interval %v, Detection Time %v", r.u.State(), r.u.TransmitInterval(), r.u.DetectionTime())
			}
			after := *r.u
			for _, u := range []*Unaffiliated{&before, &after} {
				u.stats, u.drop, u.out = Stats{}, DropError{}, outbox{}
			}
			if err != nil && !reflect.DeepEqual(before, after) {
				t.Errorf("the dropped packet changed the session:\nbefore %+v\nafter  %+v", before, after)
			}
		})
	}
}

// TestRFC9747_5_Authentication: our own packets come back authenticated, others
// do not count.
//
// Conformance: RFC 9747 5/1 5/2
func TestRFC9747_5_Authentication(t *testing.T) {
	for _, typ := range allAuthTypes {
		cfg := testUnaffiliated()
		cfg.Auth = testAuth(typ)
		r := newReflector(t, cfg)
		r.run(t, 10*time.Second)
		if r.u.State() != Up {
			t.Fatalf("%v: state %v", typ, r.u.State())
		}
		p := Packet{State: Down, DetectMult: 3, MyDiscr: localDiscr, YourDiscr: localDiscr}
		if err := r.u.Receive(r.now, p.AppendTo(nil), echoTTL); err == nil || r.u.State() != Up {
			t.Errorf("%v: a packet without authentication: %v, state %v", typ, err, r.u.State())
		}
	}
}

// TestTheFirstSequenceNumberIsDrawn: by both kinds of session, so that a packet of an earlier one is rarely in the
// window of its successor.
func TestTheFirstSequenceNumberIsDrawn(t *testing.T) {
	for name, first := range map[string]func(seed uint64) []byte{
		"Session": func(seed uint64) []byte {
			r := newRig(t, func(c *Config) { c.Auth, c.Seed = testAuth(AuthKeyedSHA1), seed })
			r.run(0)
			return r.sent[0].Auth
		},
		"Unaffiliated": func(seed uint64) []byte {
			cfg := testUnaffiliated()
			cfg.Auth, cfg.Seed = testAuth(AuthKeyedSHA1), seed
			r := newReflector(t, cfg)
			r.run(t, 0)
			return r.sent[0].Auth
		},
	} {
		seen := map[uint32]bool{}
		for seed := range uint64(8) {
			seq := binary.BigEndian.Uint32(first(seed)[offsetSeq:])
			if seq < 1<<16 {
				t.Errorf("%s: first sequence number %d with seed %d", name, seq, seed)
			}
			seen[seq] = true
		}
		if len(seen) != 8 {
			t.Errorf("%s: %d first sequence numbers with 8 seeds", name, len(seen))
		}
	}
}

// TestUnaffiliatedValidate: refused by name and section.
func TestUnaffiliatedValidate(t *testing.T) {
	for want, edit := range map[string]func(*UnaffiliatedConfig){
		"LocalDiscr is 0 (RFC 5880 6.8.1)":              func(c *UnaffiliatedConfig) { c.LocalDiscr = 0 },
		"DetectMult is 0 (RFC 5880 6.8.1)":              func(c *UnaffiliatedConfig) { c.DetectMult = 0 },
		"Interval 0s is not between":                    func(c *UnaffiliatedConfig) { c.Interval = 0 },
		"Auth.Type 6 is none of 1 to 5 (RFC 5880 4.1)":  func(c *UnaffiliatedConfig) { c.Auth.Type = 6 },
		"Auth.SendKey 0 is none of Auth.Keys (RFC 5880": func(c *UnaffiliatedConfig) { c.Auth.Type = 5 },
	} {
		cfg := testUnaffiliated()
		edit(&cfg)
		if _, err := NewUnaffiliated(cfg, 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("NewUnaffiliated: %v, want %q", err, want)
		}
	}
}

// FuzzReceiveUnaffiliated: only a packet with both discriminators of this session, or
// with none of its own, has an effect; a discarded one has none.
func FuzzReceiveUnaffiliated(f *testing.F) {
	for _, typ := range append([]AuthType{AuthNone}, allAuthTypes...) {
		for state := AdminDown; state <= Up; state++ {
			p := Packet{State: state, DetectMult: 3, MyDiscr: localDiscr, YourDiscr: localDiscr}
			f.Add(uint8(typ), sealed(p, testAuth(typ), 1), uint8(echoTTL))
			f.Add(uint8(typ), p.AppendTo(nil), uint8(echoTTL-1))
		}
	}
	f.Fuzz(func(t *testing.T, auth uint8, b []byte, ttl uint8) {
		cfg := testUnaffiliated()
		if typ := AuthType(auth % uint8(len(authTypes))); typ != AuthNone {
			cfg.Auth = testAuth(typ)
		}
		session := func() *Unaffiliated {
			u, err := NewUnaffiliated(cfg, 0)
			if err != nil {
				t.Fatal(err)
			}
			u.Advance(0)
			u.Ready()
			return u
		}
		u, twin := session(), session()
		err := u.Receive(1, b, ttl)
		twin.Advance(1)
		if err == nil {
			if p, err := Parse(b); err != nil || p.MyDiscr != localDiscr || ttl != echoTTL {
				t.Fatalf("took %x with a TTL of %d: %v", b, ttl, err)
			}
			return
		}
		for _, u := range []*Unaffiliated{u, twin} {
			u.stats, u.drop, u.out = Stats{}, DropError{}, outbox{}
			clear(u.auth.scratch[:])
		}
		if !reflect.DeepEqual(u, twin) {
			t.Fatalf("%v changed the session:\ngot  %+v\nwant %+v", err, u, twin)
		}
	})
}
