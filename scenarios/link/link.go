// Package link decides the fate of a packet on an impaired link: when it arrives, and whether it
// is lost, duplicated, reordered or damaged. Both worlds use it. It moves no packets, reads no
// clock, and draws from its own seeded source, so that a seed replays a link packet by packet.
//
// A Model is one direction of a link. The directions of a link are independent.
package link

import (
	"fmt"
	"math/rand/v2"
	"time"

	"baton/impl/clock"
)

// Params describes one direction. The zero value is a perfect wire. Probabilities are from 0 to 1
// and apply to each packet independently, except in Burst.
type Params struct {
	// Delay is how long a packet travels. Jitter varies it uniformly by up to that much in
	// both directions, and is at most Delay. Jitter never reorders packets.
	Delay, Jitter time.Duration

	Loss  float64 // lost independently
	Burst Burst

	Duplicate float64 // arrives twice

	// Reorder is the share of packets that are delayed by HoldBack, so that later packets
	// overtake them.
	Reorder  float64
	HoldBack time.Duration

	Corrupt float64 // arrives with one bit flipped

	// Rate is in bits a second, 0 for unlimited. A packet that would wait longer than Queue is
	// dropped; a Queue of 0 has no limit.
	Rate  int64
	Queue time.Duration
	// Packets is a rate in packets a second, which applies in addition to Rate.
	Packets float64

	// MTU is the length of the longest IP packet that passes, 0 for any. Tell says that the
	// world answers a longer one by ICMP (RFC 1191).
	MTU  int
	Tell bool
}

// Burst is the model of Gilbert and Elliott: a link that is good loses each packet with
// probability Good, a link that is bad with probability Loss. Before each packet it
// turns bad with probability Begin (p), or good again with End (r): bursts last 1/End
// packets on average, and the share of packets in them is Begin/(Begin+End).
type Burst struct{ Begin, End, Loss, Good float64 }

// Bursts returns the model in which a share of all packets is lost. A burst lasts length packets on
// average; a packet is lost with probability bad in a burst, and with probability good outside. The
// share must be between good and bad.
func Bursts(share, length, bad, good float64) Burst {
	if share == 0 || length == 0 {
		return Burst{}
	}
	within := (share - good) / (bad - good) // the share of packets in bursts
	return Burst{Begin: within / (length * (1 - within)), End: 1 / length, Loss: bad, Good: good}
}

// Validate returns an error for invalid parameters.
func (p Params) Validate() error {
	for _, share := range []struct {
		name  string
		value float64
	}{
		{"loss", p.Loss}, {"burst begin", p.Burst.Begin}, {"burst end", p.Burst.End}, {"burst loss", p.Burst.Loss}, {"loss outside of bursts", p.Burst.Good},
		{"duplicate", p.Duplicate}, {"reorder", p.Reorder}, {"corrupt", p.Corrupt},
	} {
		if !(share.value >= 0 && share.value <= 1) {
			return fmt.Errorf("link: %s %v is not from 0 to 1", share.name, share.value)
		}
	}
	switch {
	case p.Delay < 0 || p.Queue < 0 || p.HoldBack < 0 || p.Rate < 0 || p.Packets < 0 || p.MTU < 0:
		return fmt.Errorf("link: delay %v, queue %v, hold-back %v, rate %d, %v packets a second or MTU %d is negative",
			p.Delay, p.Queue, p.HoldBack, p.Rate, p.Packets, p.MTU)
	case p.Jitter < 0 || p.Jitter > p.Delay:
		return fmt.Errorf("link: jitter %v is not from 0 to the delay %v", p.Jitter, p.Delay)
	case p.Reorder > 0 && p.HoldBack == 0:
		return fmt.Errorf("link: reorder %v without a time to hold back", p.Reorder)
	case p.Burst.Begin > 0 && p.Burst.End == 0:
		return fmt.Errorf("link: burst begins (%v) but never ends", p.Burst.Begin)
	}
	return nil
}

// Delivery is one arrival of a packet.
type Delivery struct {
	At clock.Instant
	// Corrupt says that bit Bit of the packet (bit 0 is the lowest of the first
	// byte) arrives flipped.
	Corrupt bool
	Bit     int
}

// Stats counts the fates of packets.
type Stats struct {
	Packets                          uint64
	Lost, LostInBurst, LostToQueue   uint64
	TooLong                          uint64 // longer than the MTU
	Duplicated, Reordered, Corrupted uint64
}

// Model is one direction of a link.
type Model struct {
	params Params
	rand   *rand.Rand
	bad    bool          // in a burst
	free   clock.Instant // when the sender's queue is empty
	last   clock.Instant // when the previous packet arrives
	stats  Stats
	out    [2]Delivery
}

// New returns a direction that draws from the seed.
func New(p Params, seed uint64) (*Model, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	return &Model{params: p, rand: rand.New(rand.NewPCG(seed, 0x6c696e6b))}, nil
}

// Stats returns the counts so far.
func (m *Model) Stats() Stats { return m.stats }

// Dropped is how many packets did not arrive.
func (s Stats) Dropped() uint64 { return s.Lost + s.LostInBurst + s.LostToQueue + s.TooLong }

// Params returns the parameters.
func (m *Model) Params() Params { return m.params }

// TooLong reports whether an IP packet of that length is longer than the MTU, and counts it. For a
// GSO frame, pass the length of its longest segment.
func (m *Model) TooLong(length int) bool {
	if m.params.MTU == 0 || length <= m.params.MTU {
		return false
	}
	m.stats.Packets++
	m.stats.TooLong++
	return true
}

// draws are the random numbers of one packet. Each packet draws all of them, in this order, whatever
// the parameters. So the same packets are lost if another parameter changes, and a failure can be
// shrunk.
type draws struct{ turn, burst, loss, jitter, duplicate, reorder, corrupt, bit float64 }

func (m *Model) draw() (d draws) {
	for _, v := range []*float64{&d.turn, &d.burst, &d.loss, &d.jitter, &d.duplicate, &d.reorder, &d.corrupt, &d.bit} {
		*v = m.rand.Float64()
	}
	return d
}

// Fate returns the deliveries of a packet of size bytes that is sent at now: none if it is lost, two
// if it is duplicated. Calls come in the order of now. The result is valid until the next call.
func (m *Model) Fate(now clock.Instant, size int) []Delivery {
	m.stats.Packets++
	d := m.draw()
	sent, ok := m.transmit(now, size)
	switch inBurst := m.turn(d.turn); {
	case !ok:
		m.stats.LostToQueue++
		return nil
	case inBurst && d.burst < m.params.Burst.Loss:
		m.stats.LostInBurst++
		return nil
	case !inBurst && d.burst < m.params.Burst.Good:
		m.stats.Lost++
		return nil
	case d.loss < m.params.Loss:
		m.stats.Lost++
		return nil
	}
	first := Delivery{At: m.arrival(sent, d)}
	if d.corrupt < m.params.Corrupt && size > 0 {
		m.stats.Corrupted++
		first.Corrupt, first.Bit = true, int(d.bit*float64(8*size))
	}
	m.out[0] = first
	if d.duplicate < m.params.Duplicate {
		m.stats.Duplicated++
		m.out[1] = first
		return m.out[:2]
	}
	return m.out[:1]
}

// transmit queues the packet and returns when its last bit leaves, false if it would wait longer than
// Queue.
func (m *Model) transmit(now clock.Instant, size int) (clock.Instant, bool) {
	if m.params.Rate == 0 && m.params.Packets == 0 {
		return now, true
	}
	begin := max(now, m.free)
	if m.params.Queue > 0 && begin.Sub(now) > m.params.Queue {
		return 0, false
	}
	sent := begin
	if m.params.Rate > 0 {
		sent = begin.Add(seconds(float64(8*size) / float64(m.params.Rate)))
	}
	if m.free = sent; m.params.Packets > 0 { // a rate in packets does not delay this packet, only the next
		m.free = max(sent, begin.Add(seconds(1/m.params.Packets)))
	}
	return sent, true
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// turn advances the burst state by one packet and reports whether the link is bad.
func (m *Model) turn(draw float64) bool {
	if m.bad {
		m.bad = draw >= m.params.Burst.End
	} else {
		m.bad = draw < m.params.Burst.Begin
	}
	return m.bad
}

// arrival is when a packet that left at sent arrives.
func (m *Model) arrival(sent clock.Instant, d draws) clock.Instant {
	jitter := time.Duration((2*d.jitter - 1) * float64(m.params.Jitter))
	at := max(sent.Add(m.params.Delay+jitter), m.last)
	if d.reorder < m.params.Reorder {
		m.stats.Reordered++
		return at.Add(m.params.HoldBack) // later packets do not wait for it
	}
	m.last = at
	return at
}
