package lab

import (
	"fmt"
	"time"

	"baton/impl/clock"
	"baton/impl/flow"
)

// Challenges distinguishes RSTs by which clients answer a load balancer's SYN challenge from RSTs
// that end a connection. A challenged SYN gets a bare ACK from the load balancer itself. Its
// acknowledgement number is unacceptable, so the client answers with a RST of that sequence number
// and repeats its SYN (RFC 9293 3.10.7.3). A RST after the SYN-ACK, or with another sequence
// number, is no such answer.
//
// The challenge has the sequence number 0 and no payload; an ACK from a backend has the connection's
// own numbers. The zero value is ready.
type Challenges struct {
	recent, earlier map[flow.Tuple]uint32 // acknowledgement numbers of challenges, by the client's tuple
	since           clock.Instant         // of recent
}

// challengeLife is the minimum time for which a challenge is remembered; a node accepts an answer for
// twice this time.
const challengeLife = 4300 * time.Millisecond

// Sees notes a segment at the clients' edge that is not a RST.
func (c *Challenges) Sees(s Segment, at clock.Instant) {
	switch toClient := s.Tuple.Reverse(); {
	case s.SYN && s.ACK:
		delete(c.recent, toClient)
		delete(c.earlier, toClient)
	case s.ByNode && s.ACK && !s.SYN && !s.FIN && s.Seq == 0 && !s.Payload:
		if c.recent == nil || at.Sub(c.since) > challengeLife {
			c.recent, c.earlier, c.since = map[flow.Tuple]uint32{}, c.recent, at
		}
		c.recent[toClient] = s.Ack
	}
}

// Answers reports whether a RST answers a challenge.
func (c *Challenges) Answers(s Segment) bool {
	for _, numbers := range []map[flow.Tuple]uint32{c.recent, c.earlier} {
		if number, challenged := numbers[s.Tuple]; challenged && !s.ByNode && !s.ACK && s.Seq == number {
			return true
		}
	}
	return false
}

// ChallengesAnswered is the trace note about the RSTs of a run that answered challenges.
func ChallengesAnswered(n int) string {
	return fmt.Sprintf("%d RSTs at the %s edge answered a challenge of their SYN: not counted", n, Clients)
}

// Segment has the fields of a TCP segment that Challenges needs.
type Segment struct {
	Tuple         flow.Tuple
	ByNode        bool // a load balancer sent the frame
	SYN, ACK, FIN bool
	Seq, Ack      uint32
	Payload       bool
}
