package bfd

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"

	"baton/impl/clock"
)

// forge receives an attacker's packet at the instant of the session's last packet. It
// requires that the packet is discarded for one of the reasons, that only that reason's
// counter changes in the whole session, and that nothing is sent.
func forge(t *testing.T, s *Session, b []byte, ttl uint8, reasons ...Drop) {
	t.Helper()
	now := s.peer.lastRx
	before, stats := snapshot(s), s.Stats()
	err := s.Receive(now, b, ttl)
	var drop *DropError
	if !errors.As(err, &drop) {
		t.Fatalf("Receive(%x, %d) = %v, want a DropError", b, ttl, err)
	}
	wanted := false
	for _, r := range reasons {
		wanted = wanted || drop.Reason == r
	}
	if !wanted {
		t.Fatalf("%x dropped for %v, want one of %v", b, drop.Reason, reasons)
	}
	if after := snapshot(s); !reflect.DeepEqual(before, after) {
		t.Fatalf("%x changed the session:\nbefore %+v\nafter  %+v", b, before, after)
	}
	stats.Drops[drop.Reason]++
	stats.Refused++
	stats.RefusedFor = drop.Reason
	if got := s.Stats(); got != stats {
		t.Fatalf("counted as %+v, want %+v", got, stats)
	}
	if ready := s.Ready(); len(ready.Packets)+len(ready.Echoes)+len(ready.Changes) != 0 {
		t.Fatalf("%x was answered by %+v", b, ready)
	}
}

// TestForgeryFromAfar: an attacker who is not on the link cannot deliver a TTL of 255, and
// with a lower one even an otherwise valid packet has no effect.
//
// Conformance: RFC 5881 5/2
func TestForgeryFromAfar(t *testing.T) {
	for _, typ := range append([]AuthType{AuthNone}, allAuthTypes...) {
		for state := Down; state <= Up; state++ {
			s := sessionIn(t, state, typ)
			s.Ready()
			p := peerPacket(Down)
			p.Poll = true
			genuine := sealed(p, s.auth.Auth, 2)
			for ttl := range maxTTL {
				forge(t, s, genuine, uint8(ttl), DropTTL)
			}
		}
	}
}

// TestForgedDiscriminator: an attacker on the link who does not know the session's
// discriminator cannot affect a session that is Up, except by a Down without a
// discriminator, as from a restarted peer, which authentication prevents.
func TestForgedDiscriminator(t *testing.T) {
	s := sessionIn(t, Up)
	s.Ready()
	for state := AdminDown; state <= Up; state++ {
		p := peerPacket(state)
		p.Poll = true
		for bit := range 32 {
			p.YourDiscr = localDiscr ^ 1<<bit
			forge(t, s, p.AppendTo(nil), maxTTL, DropYourDiscr)
		}
	}
	for _, state := range []State{Init, Up} {
		p := peerPacket(state)
		p.YourDiscr = 0
		forge(t, s, p.AppendTo(nil), maxTTL, DropState)
	}
	s = sessionIn(t, Up, AuthKeyedSHA1)
	s.Ready()
	p := peerPacket(Down)
	p.YourDiscr = 0
	forge(t, s, p.AppendTo(nil), maxTTL, DropAuthMissing)
	forge(t, s, sealed(p, Auth{Type: AuthKeyedSHA1, Keys: []Key{{ID: 7, Secret: []byte("guess")}}, SendKey: 7}, 2), maxTTL, DropAuthDigest)
}

// TestRefusedInARow: packets refused before an accepted one say nothing about why the
// session goes down afterwards.
func TestRefusedInARow(t *testing.T) {
	s := sessionIn(t, Up, AuthKeyedSHA1)
	s.Ready()
	p := peerPacket(Up)
	for range 2 {
		forge(t, s, p.AppendTo(nil), maxTTL, DropAuthMissing)
	}
	if st := s.Stats(); st.Refused != 2 || st.RefusedFor != DropAuthMissing {
		t.Errorf("after two forgeries: %d refused in a row, the last for %v", st.Refused, st.RefusedFor)
	}
	if err := s.Receive(s.peer.lastRx, sealed(p, s.auth.Auth, 2), maxTTL); err != nil {
		t.Fatal(err)
	}
	if n := s.Stats().Refused; n != 0 {
		t.Errorf("%d refused in a row after an accepted packet", n)
	}
}

// TestEveryTruncation: every prefix of an otherwise effective packet is discarded:
// unchanged, with a Length that fits, and with a fitting Auth Len too.
func TestEveryTruncation(t *testing.T) {
	for _, typ := range append([]AuthType{AuthNone}, allAuthTypes...) {
		for state := Down; state <= Up; state++ {
			s := sessionIn(t, state, typ)
			s.Ready()
			p := peerPacket(Down)
			p.Poll = true
			whole := sealed(p, s.auth.Auth, 2)
			for n := range whole {
				forge(t, s, whole[:n], maxTTL, DropLength, DropTruncated)
				if n > offsetLength {
					cut := bytes.Clone(whole[:n])
					cut[offsetLength] = byte(n)
					forge(t, s, cut, maxTTL, DropLength, DropAuthLen)
				}
				if n > headerLen+offsetAuthLen {
					cut := bytes.Clone(whole[:n])
					cut[offsetLength], cut[headerLen+offsetAuthLen] = byte(n), byte(n-headerLen)
					forge(t, s, cut, maxTTL, DropAuthLen)
				}
			}
			if err := s.Receive(s.peer.lastRx, whole, maxTTL); err != nil {
				t.Fatalf("%v in %v: the whole packet: %v", typ, state, err)
			}
		}
	}
}

// TestReplay: every packet ever heard from the peer is replayed while the session is Up.
// A meticulous type discards all of them. The other digests discard packets from before
// the last change; the current contents may be repeated, which changes nothing (RFC 5880
// sections 6.7.3 and 6.7.4). A password does not protect against anyone who has heard it
// (section 6.7.2).
func TestReplay(t *testing.T) {
	for _, typ := range allAuthTypes {
		t.Run(typ.String(), func(t *testing.T) {
			heard := []Packet{peerPacket(Down), peerPacket(Init), peerPacket(Up), peerPacket(Up), peerPacket(Up)}
			heard[2].Poll = true
			heard[3].RequiredMinRxInterval = 100 * ms
			heard[4].RequiredMinRxInterval = 50 * ms
			r := newRig(t, withAuth(typ))
			peer := authenticator{Auth: testAuth(typ), xmitSeq: 1000}
			var wire [][]byte
			for _, p := range heard {
				r.run(ms)
				b := peer.seal(p.AppendTo(nil))
				if err := r.s.Receive(r.now, b, maxTTL); err != nil {
					t.Fatal(err)
				}
				r.collect()
				wire = append(wire, bytes.Clone(b))
			}
			r.wantState(Up, DiagNone)
			if typ == AuthSimplePassword {
				if err := r.s.Receive(r.now, wire[0], maxTTL); err != nil || r.s.State() != Down {
					t.Errorf("the peer's Down again: %v, state %v", err, r.s.State())
				}
				return
			}
			said := r.s.peer
			for i, b := range wire {
				if typ.meticulous() || i != len(wire)-1 {
					forge(t, r.s, b, maxTTL, DropAuthSeq)
					continue
				}
				if err := r.s.Receive(said.lastRx, b, maxTTL); err != nil {
					t.Fatalf("the last packet again: %v", err)
				}
				if r.s.State() != Up || r.s.peer != said {
					t.Errorf("the peer said %+v, after the replay %+v", said, r.s.peer)
				}
			}
		})
	}
}

// TestHostileDatagrams: a hundred thousand datagrams of an attacker who knows
// everything except the secret (truncated, mangled, replayed, forged and random ones)
// leave a session unchanged, and each is counted.
func TestHostileDatagrams(t *testing.T) {
	const n = 100_000
	random := rand.New(rand.NewPCG(1, 2))
	s := sessionIn(t, Up, AuthMeticulousKeyedSHA1)
	s.Ready()
	replay := sealed(peerPacket(Down), s.auth.Auth, 1)
	forged := sealed(peerPacket(Down), testAuthWith("another"), 2)
	before := snapshot(s)
	buf := make([]byte, 64)
	for i := range n {
		b, ttl := buf, uint8(maxTTL)
		switch i % 5 {
		case 0:
			b = replay[:random.IntN(len(replay))]
		case 1:
			b = append(buf[:0], sealed(peerPacket(Down), s.auth.Auth, 2)...)
			b[random.IntN(len(b))] ^= 1 << random.IntN(8)
		case 2:
			b = replay
		case 3:
			b, ttl = forged, uint8(random.IntN(256))
		default:
			for j := range buf {
				buf[j] = byte(random.Uint32())
			}
		}
		if s.Receive(clock.Instant(1_000_000), b, ttl) == nil {
			t.Fatalf("accepted %x", b)
		}
	}
	if after := snapshot(s); !reflect.DeepEqual(before, after) {
		t.Errorf("changed:\nbefore %+v\nafter  %+v", before, after)
	}
	if got := s.Stats().Dropped(); got != n {
		t.Errorf("%d of %d counted as dropped", got, n)
	}
}

func testAuthWith(secret string) Auth {
	a := testAuth(AuthMeticulousKeyedSHA1)
	a.Keys = []Key{{ID: 7, Secret: []byte(secret)}}
	return a
}
