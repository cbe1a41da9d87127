package bfd

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"math/rand/v2"
	"time"

	"baton/impl/clock"
)

// An echo packet holds LocalDiscr, a sequence number and a tag that only this session
// can compute. RFC 5880 section 5 leaves the payload to the sender, its only reader.
const (
	echoTagLen    = 16
	offsetEchoSeq = 4
	offsetEchoTag = 12
	echoLen       = offsetEchoTag + echoTagLen

	// echoTTL is the TTL after the peer has forwarded the packet back.
	echoTTL = maxTTL - 1
)

// echo is the Echo function of a session (RFC 5880 sections 6.4, 6.8.5, 6.8.8 and
// 6.8.9): the peer's forwarding plane returns our packets, which proves that it
// works without its BFD.
type echo struct {
	active     bool
	interval   time.Duration // in force, before jitter
	key        [sha256.Size]byte
	sent       uint64 // sequence number of the last one transmitted
	returned   uint64 // sequence number of the last one that came back
	lastReturn clock.Instant
	pace       pacer

	failures  int           // since an echo packet last came back
	holdUntil clock.Instant // see echoFails
}

// EchoDiscr returns the discriminator of a received echo packet, by which the owner
// finds its session.
func EchoDiscr(b []byte) (discr uint32, ok bool) {
	if len(b) != echoLen {
		return 0, false
	}
	return binary.BigEndian.Uint32(b), true
}

// EchoActive reports whether the session transmits echo packets: it is configured to, is
// Up, and the peer is willing to return them.
func (s *Session) EchoActive() bool { return s.echo.active }

// echoWanted reports whether the session should transmit echo packets.
func (s *Session) echoWanted() bool {
	return s.cfg.EchoInterval != 0 && s.state == Up && s.peer.minEchoRx != 0
}

// EchoTransmitInterval returns the interval of echo packets, before jitter: at least
// the peer's minimum (RFC 5880 section 6.8.9).
func (s *Session) EchoTransmitInterval() time.Duration {
	return max(s.cfg.EchoInterval, s.peer.minEchoRx)
}

// After a failure of the Echo function the session stays Down for echoHold. Each further
// failure without a returned echo packet doubles that, up to 1<<echoHoldDoublings times.
const (
	echoHold          = time.Second
	echoHoldDoublings = 4
)

// echoFails takes the session down. The peer's control packets still arrive and would
// bring it Up again at once, until the next echo packets are missed. So the session
// refuses to advance for a while (RFC 5880 section 6.2).
func (s *Session) echoFails(now clock.Instant) {
	e := &s.echo
	e.holdUntil = now.Add(echoHold << min(e.failures, echoHoldDoublings))
	e.failures++
	s.enter(now, Down, DiagEchoFailed)
	s.followEcho(now)
}

// held reports whether the session refuses to advance from Down.
func (s *Session) held(now clock.Instant) bool {
	return s.state == Down && now.Before(s.echo.holdUntil)
}

// EchoDetectionTime returns how long echo packets may fail to come back while they
// are sent (RFC 5880 section 6.8.5).
func (s *Session) EchoDetectionTime() time.Duration {
	return time.Duration(s.cfg.DetectMult) * s.EchoTransmitInterval()
}

// LastEcho returns when the last echo packet came back, or when the Echo function
// started or last changed its interval, if that is later.
func (s *Session) LastEcho() clock.Instant { return s.echo.lastReturn }

// followEcho starts, stops and re-times the Echo function. While it runs, control
// packets may be slow (RFC 5880 section 6.8.3), so the intervals are updated too.
func (s *Session) followEcho(now clock.Instant) {
	e := &s.echo
	wanted, interval := s.echoWanted(), s.EchoTransmitInterval()
	if wanted == e.active && interval == e.interval {
		return
	}
	e.interval = interval
	if wanted {
		e.lastReturn = now // packets sent at another interval do not count as missed
	}
	if wanted == e.active {
		return
	}
	e.active = wanted
	e.returned = e.sent // packets in flight prove nothing
	e.pace = pacer{start: now}
	s.setIntervals()
}

// echoDeadline returns when the last Detect Mult echo packets should have come back.
func (s *Session) echoDeadline() clock.Instant {
	if !s.echo.active {
		return clock.Never
	}
	return s.echo.lastReturn.Add(time.Duration(s.cfg.DetectMult) * s.echo.interval)
}

// echoDue is when the next echo packet is due.
func (s *Session) echoDue() clock.Instant {
	if !s.echo.active {
		return clock.Never
	}
	return s.echo.pace.due(s.echo.interval, s.cfg.DetectMult)
}

// transmitEcho sends the echo packet that is due.
func (s *Session) transmitEcho(now clock.Instant) {
	if now.Before(s.echoDue()) {
		return
	}
	s.echo.sent++
	s.echo.pace.transmitted(now, &s.random)
	s.out.echo = s.echo.packet(s.cfg.LocalDiscr, s.echo.sent)
	s.out.echoes = 1
	s.stats.EchoSent++
}

// packet makes the echo packet with a sequence number.
func (e *echo) packet(discr uint32, seq uint64) (b [echoLen]byte) {
	var keyed [sha256.Size + offsetEchoTag]byte
	head := keyed[copy(keyed[:], e.key[:]):]
	binary.BigEndian.PutUint32(head, discr)
	binary.BigEndian.PutUint64(head[offsetEchoSeq:], seq)
	tag := sha256.Sum256(keyed[:])
	copy(b[copy(b[:], head):], tag[:echoTagLen])
	return b
}

// newKey draws the key of the echo packets' tags.
func (e *echo) newKey(random *rand.PCG) {
	for i := 0; i < len(e.key); i += 8 {
		binary.BigEndian.PutUint64(e.key[i:], random.Uint64())
	}
}

// ReceiveEcho takes an echo packet that came back, with the TTL or hop limit of its
// IP header. It includes Advance. Packets that this session has not sent, or that have
// come back before, are discarded as by Receive.
func (s *Session) ReceiveEcho(now clock.Instant, b []byte, ttl uint8) error {
	s.out.begin()
	s.expire(now)
	accepted := s.processEcho(now, b, ttl)
	s.transmit(now)
	if !accepted {
		s.stats.Drops[s.drop.Reason]++
		return &s.drop
	}
	s.stats.EchoReceived++
	return nil
}

func (s *Session) processEcho(now clock.Instant, b []byte, ttl uint8) bool {
	discr, ok := EchoDiscr(b)
	if !ok || discr != s.cfg.LocalDiscr {
		return s.drop.set(DropEchoForged, 0, 0)
	}
	if ttl < echoTTL {
		return s.drop.set(DropTTL, int(ttl), echoTTL)
	}
	seq := binary.BigEndian.Uint64(b[offsetEchoSeq:])
	if want := s.echo.packet(discr, seq); subtle.ConstantTimeCompare(b, want[:]) == 0 {
		return s.drop.set(DropEchoForged, 0, 0)
	}
	if seq <= s.echo.returned {
		return s.drop.set(DropEchoStale, 0, 0)
	}
	s.echo.returned, s.echo.lastReturn, s.echo.failures = seq, now, 0
	return true
}
