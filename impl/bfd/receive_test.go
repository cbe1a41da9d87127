package bfd

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"baton/impl/clock"
)

// violations are the rules of section 6.8.6, in its order, each with a way to break it
// in an encoded packet. All of them can be broken at once.
var violations = []struct {
	reason Drop
	name   string
	apply  func(b []byte, ttl *uint8)
}{
	{DropVersion, "Version", func(b []byte, _ *uint8) { b[0] = b[0]&0x1f | 2<<5 }},
	{DropLength, "Length", func(b []byte, _ *uint8) { b[3] = 23 }},
	{DropDetectMult, "DetectMult", func(b []byte, _ *uint8) { b[2] = 0 }},
	{DropMultipoint, "Multipoint", func(b []byte, _ *uint8) { b[1] |= flagMultipoint }},
	{DropMyDiscr, "MyDiscriminator", func(b []byte, _ *uint8) { clear(b[4:8]) }},
	{DropYourDiscr, "YourDiscriminator", func(b []byte, _ *uint8) { b[11]++ }},
	{DropTTL, "TTL", func(_ []byte, ttl *uint8) { *ttl = 254 }},
	{DropAuthUnexpected, "Authentication", func(b []byte, _ *uint8) {
		b[1] |= flagAuth
		if b[3] == 24 {
			b[3] = 26
		}
	}},
}

// TestRFC5880_6_8_6_DiscardOrder breaks each rule together with all the later
// ones: the reason has to be the earliest rule's.
//
// Conformance: RFC 5880 6.8.6/1 6.8.6/2 6.8.6/3 6.8.6/4 6.8.6/6 6.8.6/7 6.8.6/8
// 6.8.6/10 6.8.6/13 4.1/1
func TestRFC5880_6_8_6_DiscardOrder(t *testing.T) {
	for i, first := range violations {
		t.Run(first.name, func(t *testing.T) {
			r := newRig(t)
			r.up()
			p := peerPacket(Down)
			b := append(p.AppendTo(nil), 0, 0)
			ttl := uint8(maxTTL)
			for _, v := range violations[i:] {
				v.apply(b, &ttl)
			}
			wantDrop(t, r, b, ttl, first.reason)
		})
	}
}

// TestRFC5880_6_8_6_Discard covers the rules that cannot be broken together.
//
// Conformance: RFC 5880 6.8.6/4 6.8.6/5 6.8.6/11
func TestRFC5880_6_8_6_Discard(t *testing.T) {
	for _, c := range []struct {
		name   string
		reason Drop
		edit   func(b []byte) []byte
	}{
		{"LengthBelow26WithAuthentication", DropLength, func(b []byte) []byte { b[1] |= flagAuth; b[3] = 25; return append(b, 0, 0) }},
		{"LengthBeyondPayload", DropTruncated, func(b []byte) []byte { b[3] = 25; return b }},
		{"Empty", DropLength, func(b []byte) []byte { return nil }},
		{"ThreeBytes", DropLength, func(b []byte) []byte { return b[:3] }},
		{"FourBytes", DropTruncated, func(b []byte) []byte { return b[:4] }},
		{"YourDiscriminatorZeroInInit", DropState, func(b []byte) []byte { clear(b[8:12]); b[1] = b[1]&0x3f | byte(Init)<<6; return b }},
		{"YourDiscriminatorZeroInUp", DropState, func(b []byte) []byte { clear(b[8:12]); b[1] = b[1]&0x3f | byte(Up)<<6; return b }},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			r.up()
			p := peerPacket(Down)
			wantDrop(t, r, c.edit(p.AppendTo(nil)), maxTTL, c.reason)
		})
	}
}

// wantDrop receives a bad packet and compares the session with one for which only time
// has passed.
func wantDrop(t *testing.T, r *rig, b []byte, ttl uint8, reason Drop) {
	t.Helper()
	before := snapshot(r.s)
	err := r.s.Receive(r.now, b, ttl)
	var drop *DropError
	if !errors.As(err, &drop) {
		t.Fatalf("Receive = %v, want a DropError", err)
	}
	if drop.Reason != reason {
		t.Fatalf("dropped for %v (%v), want %v", drop.Reason, drop, reason)
	}
	stats := r.s.Stats()
	if stats.Drops[reason] != 1 || stats.Dropped() != 1 {
		t.Errorf("counted as %v", stats.Drops)
	}
	if after := snapshot(r.s); !reflect.DeepEqual(before, after) {
		t.Errorf("the dropped packet changed the session:\nbefore %+v\nafter  %+v", before, after)
	}
}

// snapshot returns a session's state except its counters and outbox.
func snapshot(s *Session) Session {
	c := *s
	c.stats, c.drop, c.out = Stats{}, DropError{}, outbox{}
	clear(c.auth.scratch[:])
	return c
}

// TestRFC5880_6_8_6_AcceptLongerPayload: bytes after Length are no reason to
// discard, they are ignored.
func TestRFC5880_6_8_6_AcceptLongerPayload(t *testing.T) {
	r := newRig(t)
	r.run(0)
	p := peerPacket(Down)
	if err := r.s.Receive(r.now, append(p.AppendTo(nil), 1, 2, 3), maxTTL); err != nil {
		t.Fatal(err)
	}
	r.wantState(Init, DiagNone)
}

// TestRFC5880_6_8_6_AcceptUnknownDiscriminator: a peer that has just started does
// not know our discriminator; its Down and AdminDown are still accepted.
func TestRFC5880_6_8_6_AcceptUnknownDiscriminator(t *testing.T) {
	for _, state := range []State{Down, AdminDown} {
		r := newRig(t)
		r.up()
		p := peerPacket(state)
		p.MyDiscr, p.YourDiscr = 0x33333333, 0
		r.receive(p)
		r.wantState(Down, DiagNeighborDown)
		if r.s.RemoteDiscr() != 0x33333333 {
			t.Errorf("RemoteDiscr %#x, want the new one", r.s.RemoteDiscr())
		}
	}
}

// TestRFC5880_6_8_6_StateVariables: an accepted packet sets what mirrors the peer.
func TestRFC5880_6_8_6_StateVariables(t *testing.T) {
	r := newRig(t)
	r.run(0)
	p := peerPacket(Down)
	p.Diag, p.RequiredMinRxInterval = DiagPathDown, 2*time.Second
	r.receive(p)
	if r.s.RemoteDiscr() != peerDiscr || r.s.RemoteState() != Down || r.s.RemoteDiag() != DiagPathDown || !r.s.Heard() {
		t.Errorf("discr %#x state %v diag %v heard %v", r.s.RemoteDiscr(), r.s.RemoteState(), r.s.RemoteDiag(), r.s.Heard())
	}
	if got := r.s.TransmitInterval(); got != 2*time.Second {
		t.Errorf("TransmitInterval %v, want bfd.RemoteMinRxInterval", got)
	}
	if got := r.s.DetectionTime(); got != 3*time.Second {
		t.Errorf("DetectionTime %v, want 3 x the received Desired Min TX Interval", got)
	}
}

// TestRFC5880_6_8_6_LateAdvance: the session is down before a packet that comes after the
// Detection Time is processed, even if Advance was not called in between.
func TestRFC5880_6_8_6_LateAdvance(t *testing.T) {
	for _, c := range []struct {
		state State
		want  State
	}{{Up, Down}, {Down, Init}} {
		r := newRig(t)
		r.up()
		r.now = r.now.Add(150 * ms)
		r.receive(peerPacket(c.state))
		if len(r.changes) == 0 || r.changes[0].To != Down || r.changes[0].Diag != DiagDetectionTimeExpired {
			t.Fatalf("changes %v, want expiry first", r.changes)
		}
		r.wantState(c.want, DiagDetectionTimeExpired)
	}
}

// TestRFC5881_5_TTL: single hop accepts 255 only, a lower MinTTL is for multihop.
//
// Conformance: RFC 5880 9/1; RFC 5881 5/2
func TestRFC5881_5_TTL(t *testing.T) {
	for _, c := range []struct {
		multihop bool
		min, ttl uint8
		ok       bool
	}{
		{false, 0, 255, true}, {false, 0, 254, false}, {false, 0, 0, false}, {false, 255, 255, true},
		{true, 250, 250, true}, {true, 250, 249, false}, {true, 0, 0, true},
	} {
		r := newRig(t, func(cfg *Config) { cfg.MultiHop, cfg.MinTTL = c.multihop, c.min })
		p := peerPacket(Down)
		if err := r.s.Receive(r.now, p.AppendTo(nil), c.ttl); (err == nil) != c.ok {
			t.Errorf("MinTTL %d, TTL %d: %v", c.min, c.ttl, err)
		}
	}
}

// TestDropErrors: each reason says what was wrong and which rule.
func TestDropErrors(t *testing.T) {
	for want, e := range map[string]DropError{
		"bfd: receive: length 20 < 24 (RFC 5880 6.8.6)":                                         {DropLength, 20, 24},
		"bfd: receive: length 60 > 24 bytes received (RFC 5880 6.8.6)":                          {DropTruncated, 60, 24},
		"bfd: receive: Detect Mult is 0 (RFC 5880 6.8.6)":                                       {DropDetectMult, 0, 1},
		"bfd: receive: TTL 64 < 255 (RFC 5881 5)":                                               {DropTTL, 64, 255},
		"bfd: receive: sequence number 4294967295 is outside the window after 3 (RFC 5880 6.7)": {DropAuthSeq, 1<<32 - 1, 3},
		"bfd: receive: wrong password or digest (RFC 5880 6.7)":                                 {DropAuthDigest, 0, 0},
		"bfd: receive: Your Discriminator 7 is not this session's 9 (RFC 5880 6.8.6)":           {DropYourDiscr, 7, 9},
		"bfd: receive: Your Discriminator is 0 in state 3, which is above 1 (RFC 5880 6.8.6)":   {DropState, 3, 1},
		"bfd: receive: Drop(200)":                                                               {200, 0, 0},
		"bfd: receive: My Discriminator 4 is not this session's 5 (RFC 9747 2)":                 {DropNotLooped, 4, 5},
		"bfd: receive: authenticated, but no authentication is in use (RFC 5880 6.8.6)":         {DropAuthUnexpected, 0, 0},
		"bfd: receive: Auth Key ID 3 is not configured, transmitting with 1 (RFC 5880 6.7)":     {DropAuthKeyID, 3, 1},
		"bfd: receive: echo packet came back before, or too late (RFC 5880 6.8.8)":              {DropEchoStale, 0, 0},
	} {
		if got := e.Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// FuzzReceive feeds a session, with and without authentication, any bytes at any
// rate. A dropped packet has no other effect than the passing of time; nothing panics;
// transmitted packets are well formed.
func FuzzReceive(f *testing.F) {
	add := func(state State, edit func(b []byte) []byte) {
		p := peerPacket(state)
		f.Add(uint8(state), uint8(AuthNone), edit(p.AppendTo(nil)), uint8(maxTTL), uint32(10_000))
	}
	same := func(b []byte) []byte { return b }
	for state := AdminDown; state <= Up; state++ {
		add(state, same)
	}
	for _, v := range violations {
		ttl := uint8(maxTTL)
		add(Up, func(b []byte) []byte { b = append(b, 0, 0); v.apply(b, &ttl); return b })
	}
	add(Up, func(b []byte) []byte { b[1] |= flagPoll; return b })
	add(Up, func(b []byte) []byte { b[1] |= flagFinal | flagPoll; return b })
	add(Up, func(b []byte) []byte { clear(b[12:24]); return b })
	for _, typ := range allAuthTypes {
		f.Add(uint8(Up), uint8(typ), sealed(peerPacket(Down), testAuth(typ), 2), uint8(maxTTL), uint32(10_000))
		f.Add(uint8(Up), uint8(typ), sealed(peerPacket(Down), testAuth(typ), 2)[:30], uint8(maxTTL), uint32(10_000))
	}
	f.Fuzz(func(t *testing.T, local, auth uint8, b []byte, ttl uint8, wait uint32) {
		state, typ := State(local%4), AuthType(auth%uint8(len(authTypes)))
		s, twin := sessionIn(t, state, typ), sessionIn(t, state, typ)
		now := clock.Instant(1_000_000).Add(time.Duration(wait) * time.Microsecond)
		err := s.Receive(now, b, ttl)
		var drop *DropError
		if errors.As(err, &drop) && drop.Reason != DropAdminDown {
			twin.Advance(now)
			if a, b := snapshot(s), snapshot(twin); !reflect.DeepEqual(a, b) {
				t.Fatalf("%v changed the session:\ngot  %+v\nwant %+v", err, a, b)
			}
		}
		for _, packet := range s.Ready().Packets {
			if _, err := Parse(packet); err != nil {
				t.Fatalf("transmitted %x: %v", packet, err)
			}
		}
		if !s.Deadline().After(now) {
			t.Fatalf("deadline %v is not after %v", s.Deadline(), now)
		}
	})
}

// sessionIn returns a session in the given state, which heard the peer just now.
func sessionIn(t *testing.T, state State, auth ...AuthType) *Session {
	r := newRig(t)
	if len(auth) > 0 && auth[0] != AuthNone {
		r = newRig(t, withAuth(auth[0]))
	}
	receive := func(p Packet) {
		if err := r.s.Receive(r.now, sealed(p, r.s.auth.Auth, 1), maxTTL); err != nil {
			t.Fatal(err)
		}
	}
	r.run(0)
	switch state {
	case AdminDown:
		receive(peerPacket(AdminDown))
		r.s.SetAdminDown(r.now, true)
	case Down:
		receive(peerPacket(AdminDown))
	case Init:
		receive(peerPacket(Down))
	case Up:
		receive(peerPacket(Init))
	}
	r.collect()
	if r.s.State() != state {
		t.Fatalf("state %v, want %v", r.s.State(), state)
	}
	return r.s
}
