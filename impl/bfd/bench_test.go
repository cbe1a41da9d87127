package bfd

import (
	"testing"

	"baton/impl/clock"
)

// receiveLimit is the limit for Session.Receive in nanoseconds.
const receiveLimit = 300

// BenchmarkReceive measures one accepted packet in state Up, with Ready. It
// allocates nothing, see TestHotPathAllocates.
func BenchmarkReceive(b *testing.B) {
	s, packet, now := benchSession(b)
	b.ReportAllocs()
	for b.Loop() {
		now++
		if err := s.Receive(now, packet, maxTTL); err != nil {
			b.Fatal(err)
		}
		s.Ready()
	}
	b.ReportMetric(receiveLimit, "ns-limit")
}

// BenchmarkReceiveHostile measures one discarded packet.
func BenchmarkReceiveHostile(b *testing.B) {
	s, packet, now := benchSession(b)
	packet[11]++ // Your Discriminator
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Receive(now, packet, maxTTL); err == nil {
			b.Fatal("accepted")
		}
		s.Ready()
	}
}

// BenchmarkTransmit measures one periodic packet: Deadline, Advance and Ready.
func BenchmarkTransmit(b *testing.B) {
	s, _, _ := benchSession(b)
	s.peer.detectMult, s.peer.minTx = 255, 1<<55 // never expires
	b.ReportAllocs()
	for b.Loop() {
		s.Advance(s.Deadline())
		if len(s.Ready().Packets) != 1 {
			b.Fatal("nothing transmitted")
		}
	}
}

// BenchmarkReceiveAuth measures one accepted packet for each type of authentication.
func BenchmarkReceiveAuth(b *testing.B) {
	for _, typ := range allAuthTypes {
		b.Run(typ.String(), func(b *testing.B) {
			cfg := testConfig()
			cfg.Auth = testAuth(typ)
			s, err := New(cfg, 0)
			if err != nil {
				b.Fatal(err)
			}
			packet := sealed(peerPacket(Up), cfg.Auth, 1)
			b.ReportAllocs()
			for b.Loop() {
				s.auth.known = false // the same packet over and over
				if err := s.Receive(1, packet, maxTTL); err != nil {
					b.Fatal(err)
				}
				s.Ready()
			}
		})
	}
}

// BenchmarkThousandSessions measures the library's cost of 1,000 sessions at 100 ms,
// receiving and transmitting, as a share of one core.
func BenchmarkThousandSessions(b *testing.B) {
	const interval = 100 * ms
	var sessions [1000]*Session
	p := peerPacket(Init)
	p.DesiredMinTxInterval, p.RequiredMinRxInterval = interval, interval
	for i := range sessions {
		cfg := testConfig()
		cfg.Seed, cfg.DesiredMinTxInterval, cfg.RequiredMinRxInterval = uint64(i), interval, interval
		s, err := New(cfg, 0)
		if err != nil {
			b.Fatal(err)
		}
		sessions[i] = s
	}
	packet, now := p.AppendTo(nil), clock.Instant(0)
	b.ReportAllocs()
	for b.Loop() { // an iteration is one interval of all sessions
		for _, s := range sessions {
			if err := s.Receive(now, packet, maxTTL); err != nil {
				b.Fatal(err)
			}
			s.Ready()
			for s.Deadline().Before(now.Add(interval)) {
				s.Advance(s.Deadline())
				s.Ready()
			}
		}
		now = now.Add(interval)
	}
	b.ReportMetric(100*float64(b.Elapsed())/float64(b.N)/float64(interval), "%core")
}

// TestHotPathAllocates: receiving and transmitting allocate nothing, whether the
// packet is good or not.
func TestHotPathAllocates(t *testing.T) {
	s, packet, now := benchSession(t)
	bad := append([]byte(nil), packet...)
	bad[0] = 0
	if n := testing.AllocsPerRun(1000, func() {
		now = now.Add(10 * ms)
		_ = s.Receive(now, packet, maxTTL)
		s.Ready()
		_ = s.Receive(now, bad, maxTTL)
		s.Advance(now)
		s.Ready()
	}); n != 0 {
		t.Errorf("%v allocations for a good packet, a bad one and a transmission, want 0", n)
	}
	for _, typ := range allAuthTypes {
		s, p := sessionIn(t, Up, typ), peerPacket(Up)
		s.Ready()
		a, b, now := authenticator{Auth: testAuth(typ), xmitSeq: 1}, make([]byte, 0, maxPacketLen), clock.Instant(1_000_000)
		if n := testing.AllocsPerRun(100, func() {
			now = now.Add(10 * ms)
			if err := s.Receive(now, a.seal(p.AppendTo(b)), maxTTL); err != nil {
				t.Fatal(err)
			}
			s.Ready()
		}); n != 0 {
			t.Errorf("%v: %v allocations, want 0", typ, n)
		}
	}
	if s.State() != Up || s.Stats().Sent < 100 {
		t.Errorf("state %v, %d sent: the hot path was not measured", s.State(), s.Stats().Sent)
	}
}

// benchSession returns a session that is Up and a packet that it accepts.
func benchSession(tb testing.TB) (*Session, []byte, clock.Instant) {
	tb.Helper()
	s, err := New(testConfig(), 0)
	if err != nil {
		tb.Fatal(err)
	}
	p := peerPacket(Init)
	if err := s.Receive(0, p.AppendTo(nil), maxTTL); err != nil {
		tb.Fatal(err)
	}
	s.Ready()
	p = peerPacket(Up)
	return s, p.AppendTo(nil), 0
}
