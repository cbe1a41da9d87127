package bfd

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"baton/impl/clock"
)

// UnaffiliatedConfig configures an Unaffiliated session.
type UnaffiliatedConfig struct {
	// LocalDiscr as in Config: unique among all sessions of this system.
	LocalDiscr uint32
	// Interval is the transmit interval while Up; otherwise it is at least a second.
	// Whole microseconds.
	Interval time.Duration
	// DetectMult is how many consecutive packets may fail to come back.
	DetectMult uint8
	// Auth authenticates the packets that we send to ourselves. It is recommended, since
	// packets may be spoofed (RFC 9747 section 5).
	Auth Auth
	// Seed as in Config.
	Seed uint64
}

// Validate reports the first value that violates the RFCs, by name and section.
func (c UnaffiliatedConfig) Validate() error {
	if c.LocalDiscr == 0 {
		return fmt.Errorf("bfd: config: LocalDiscr is 0 (RFC 5880 6.8.1)")
	}
	if err := validateDetectMult(c.DetectMult); err != nil {
		return err
	}
	if err := validateInterval("Interval", c.Interval); err != nil {
		return err
	}
	return c.Auth.Validate()
}

// Unaffiliated is a session of Unaffiliated BFD Echo (RFC 9747): it sends control
// packets that its neighbour, which does not run BFD, forwards back as plain IP
// packets. So it proves that the neighbour's forwarding works, whatever its userspace
// does. It is driven like a Session; its packets are sent to UDP port 3785 with a TTL
// of 255 and one of our own addresses as destination.
type Unaffiliated struct {
	cfg    UnaffiliatedConfig
	random rand.PCG

	state State
	diag  Diag
	heard bool // a packet of ours came back within the last Detection Time

	lastRx clock.Instant
	pace   pacer
	sent   header
	auth   authenticator
	out    outbox
	stats  Stats
	drop   DropError
}

// UnaffiliatedDiscr returns the discriminator of a packet to the echo port, by which the
// owner finds its Unaffiliated session. It is not ok for an echo packet of a Session; see
// EchoDiscr.
func UnaffiliatedDiscr(b []byte) (discr uint32, ok bool) {
	if len(b) < headerLen {
		return 0, false
	}
	discr = binary.BigEndian.Uint32(b[offsetMyDiscr:])
	return discr, discr != 0 // at the place of the upper half of an echo packet's sequence number
}

// unaffiliatedFill is the content of interval fields that nobody reads (RFC 9747 section 2).
const unaffiliatedFill = time.Second

// NewUnaffiliated returns a session in state Down whose first packet is due at once.
func NewUnaffiliated(cfg UnaffiliatedConfig, now clock.Instant) (*Unaffiliated, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	u := &Unaffiliated{cfg: cfg, state: Down, pace: pacer{start: now}}
	u.random = *rand.NewPCG(cfg.Seed, uint64(cfg.LocalDiscr))
	u.auth.Auth = cfg.Auth
	u.auth.xmitSeq = uint32(u.random.Uint64())
	return u, nil
}

// State returns the state; AdminDown does not occur.
func (u *Unaffiliated) State() State { return u.state }

// LocalDiag returns why the session last went down.
func (u *Unaffiliated) LocalDiag() Diag { return u.diag }

// LastReceived returns when the last accepted packet came back, the zero Instant before
// the first.
func (u *Unaffiliated) LastReceived() clock.Instant { return u.lastRx }

// Stats returns the counters.
func (u *Unaffiliated) Stats() Stats { return u.stats }

// TransmitInterval returns the interval before jitter: the provisioned one while
// Up, at least a second otherwise.
func (u *Unaffiliated) TransmitInterval() time.Duration {
	if u.state == Up {
		return u.cfg.Interval
	}
	return max(u.cfg.Interval, slowTxInterval)
}

// DetectionTime returns how long packets may fail to come back.
func (u *Unaffiliated) DetectionTime() time.Duration {
	return time.Duration(u.cfg.DetectMult) * u.TransmitInterval()
}

// Deadline returns when Advance must be called next.
func (u *Unaffiliated) Deadline() clock.Instant {
	return min(u.detectionDeadline(), u.pace.due(u.TransmitInterval(), u.cfg.DetectMult))
}

// Advance does what is due at now.
func (u *Unaffiliated) Advance(now clock.Instant) {
	u.out.begin()
	u.expire(now)
	u.transmit(now)
}

// Receive takes a packet that came to the echo port for this session, with its TTL
// or hop limit. It includes Advance, and discards like Session.Receive.
func (u *Unaffiliated) Receive(now clock.Instant, b []byte, ttl uint8) error {
	u.out.begin()
	u.expire(now)
	accepted := u.process(now, b, ttl)
	u.transmit(now)
	if !accepted {
		u.stats.Drops[u.drop.Reason]++
		return &u.drop
	}
	u.stats.Received++
	return nil
}

// Ready returns the effects of the calls since the last Ready, like Session.Ready.
func (u *Unaffiliated) Ready() Ready { return u.out.ready() }

// process applies the state machine to the state that we sent ourselves. The interval
// fields are ignored.
func (u *Unaffiliated) process(now clock.Instant, b []byte, ttl uint8) bool {
	var p Packet
	if !p.decode(b, &u.drop) || !u.admit(b, &p, ttl) {
		return false
	}
	if u.state == Up {
		u.stats.ReceiveGapMax = max(u.stats.ReceiveGapMax, now.Sub(u.lastRx))
	}
	u.heard, u.lastRx = true, now
	if to, why := next(u.state, p.State); to != u.state {
		u.enter(now, to, why)
	}
	return true
}

// admit accepts only packets that this session has sent and a single forwarder has returned.
func (u *Unaffiliated) admit(b []byte, p *Packet, ttl uint8) bool {
	if p.MyDiscr != u.cfg.LocalDiscr {
		u.drop = DropError{Reason: DropNotLooped, Got: p.MyDiscr, Want: u.cfg.LocalDiscr}
		return false
	}
	if p.YourDiscr != 0 && p.YourDiscr != u.cfg.LocalDiscr {
		u.drop = DropError{Reason: DropYourDiscr, Got: p.YourDiscr, Want: u.cfg.LocalDiscr}
		return false
	}
	if p.State == AdminDown || p.YourDiscr == 0 && p.State != Down {
		return u.drop.set(DropState, int(p.State), int(Down))
	}
	if ttl != echoTTL {
		return u.drop.set(DropTTL, int(ttl), echoTTL)
	}
	return u.auth.verify(b, p, &u.drop)
}

func (u *Unaffiliated) detectionDeadline() clock.Instant {
	if !u.heard {
		return clock.Never
	}
	return u.lastRx.Add(u.DetectionTime())
}

// expire declares the session down if its packets have not come back.
func (u *Unaffiliated) expire(now clock.Instant) {
	if u.auth.known && !now.Before(u.lastRx.Add(2*u.DetectionTime())) {
		u.auth.known = false
	}
	if now.Before(u.detectionDeadline()) {
		return
	}
	u.heard = false
	switch u.state {
	case Up:
		u.enter(now, Down, DiagEchoFailed)
	case Init:
		u.enter(now, Down, DiagDetectionTimeExpired)
	}
}

func (u *Unaffiliated) enter(now clock.Instant, to State, why Diag) {
	if why != DiagNone {
		u.diag = why
	}
	u.stats.count(u.state, to)
	u.out.changes = append(u.out.changes, Change{From: u.state, To: to, Diag: why, At: now})
	u.state = to
}

// transmit sends a packet when it is due or says something new.
func (u *Unaffiliated) transmit(now clock.Instant) {
	p := Packet{
		Diag:                  u.diag,
		State:                 u.state,
		DetectMult:            u.cfg.DetectMult,
		MyDiscr:               u.cfg.LocalDiscr,
		DesiredMinTxInterval:  unaffiliatedFill,
		RequiredMinRxInterval: unaffiliatedFill,
	}
	if u.heard {
		p.YourDiscr = u.cfg.LocalDiscr
	}
	var h header
	p.header(&h)
	if h == u.sent && now.Before(u.pace.due(u.TransmitInterval(), u.cfg.DetectMult)) {
		return
	}
	u.sent = h
	u.pace.transmitted(now, &u.random)
	u.out.commit(u.auth.seal(append(u.out.next(), h[:]...)))
	u.stats.Sent++
}
