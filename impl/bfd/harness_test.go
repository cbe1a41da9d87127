package bfd

import (
	"testing"
	"time"

	"baton/impl/clock"
)

const (
	ms = time.Millisecond

	localDiscr = 0x11111111
	peerDiscr  = 0x22222222
)

func testConfig() Config {
	return Config{
		LocalDiscr:            localDiscr,
		DesiredMinTxInterval:  50 * ms,
		RequiredMinRxInterval: 50 * ms,
		DetectMult:            3,
		Seed:                  1,
	}
}

// rig drives one session by hand: the test plays the peer.
type rig struct {
	t   *testing.T
	s   *Session
	now clock.Instant

	sent    []Packet // transmitted since the last call of take
	at      []clock.Instant
	changes []Change
}

func newRig(t *testing.T, edit ...func(*Config)) *rig {
	t.Helper()
	cfg := testConfig()
	for _, e := range edit {
		e(&cfg)
	}
	const start = clock.Instant(1_000_000)
	s, err := New(cfg, start)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return &rig{t: t, s: s, now: start}
}

// collect takes the session's effects.
func (r *rig) collect() {
	r.t.Helper()
	ready := r.s.Ready()
	for _, b := range ready.Packets {
		p, err := Parse(b)
		if err != nil {
			r.t.Fatalf("the session transmitted a bad packet: %v", err)
		}
		if p.Poll && p.Final {
			r.t.Fatal("Poll and Final in one packet (RFC 5880 6.5)")
		}
		p.Auth = append([]byte(nil), p.Auth...)
		r.sent = append(r.sent, p)
		r.at = append(r.at, r.now)
	}
	r.changes = append(r.changes, ready.Changes...)
}

// run lets time pass, calling Advance at every deadline.
func (r *rig) run(d time.Duration) {
	r.t.Helper()
	end := r.now.Add(d)
	for calls := 0; !r.s.Deadline().After(end); calls++ {
		if calls > 100_000 {
			r.t.Fatal("the deadline does not move on")
		}
		r.now = max(r.now, r.s.Deadline())
		r.s.Advance(r.now)
		r.collect()
	}
	r.now = end
}

// take returns what was transmitted since the last take.
func (r *rig) take() []Packet {
	sent := r.sent
	r.sent, r.at = nil, nil
	return sent
}

// peerPacket is a packet of a well-behaved peer in the given state.
func peerPacket(state State) Packet {
	p := Packet{
		State: state, DetectMult: 3, MyDiscr: peerDiscr, YourDiscr: localDiscr,
		DesiredMinTxInterval: 50 * ms, RequiredMinRxInterval: 50 * ms,
	}
	if state != Up {
		p.DesiredMinTxInterval = time.Second
	}
	return p
}

// receive gives the session a packet of the peer that must be accepted.
func (r *rig) receive(p Packet) {
	r.t.Helper()
	if err := r.s.Receive(r.now, p.AppendTo(nil), maxTTL); err != nil {
		r.t.Fatalf("Receive: %v", err)
	}
	r.collect()
}

// up brings the session Up, completes the resulting Poll Sequence, and forgets the
// transmitted packets.
func (r *rig) up() {
	r.t.Helper()
	r.run(0)
	r.receive(peerPacket(Down))
	r.receive(peerPacket(Init))
	r.finishPoll()
	if r.s.State() != Up {
		r.t.Fatalf("state %v, want Up", r.s.State())
	}
	r.take()
	r.changes = nil
}

// finishPoll plays a peer that answers until no Poll Sequence is left.
func (r *rig) finishPoll() {
	r.t.Helper()
	for i := 0; r.s.poll.active || r.s.poll.wanted; i++ {
		if i > 100 {
			r.t.Fatal("the Poll Sequence does not end")
		}
		r.run(r.s.Deadline().Sub(r.now))
		if r.s.poll.sent {
			final := peerPacket(Up)
			final.Final = true
			r.receive(final)
		}
	}
	r.receive(peerPacket(Up)) // no other Final is in flight
}

// keepUp lets time pass with a packet of the peer every 20 ms.
func (r *rig) keepUp(d time.Duration) {
	r.t.Helper()
	for end := r.now.Add(d); r.now.Before(end); {
		r.run(min(20*ms, end.Sub(r.now)))
		r.receive(peerPacket(Up))
	}
}

func (r *rig) wantState(want State, diag Diag) {
	r.t.Helper()
	if r.s.State() != want || r.s.LocalDiag() != diag {
		r.t.Fatalf("state %v (%v), want %v (%v)", r.s.State(), r.s.LocalDiag(), want, diag)
	}
}
