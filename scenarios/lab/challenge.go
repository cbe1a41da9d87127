package lab

import (
	"fmt"
	"time"

	"baton/impl/clock"
	"baton/impl/flow"
)

// Challenges tells the RSTs by which clients answer the challenges of a load balancer from those
// that end a connection. A challenged SYN gets a bare ACK that the load balancer makes itself. The
// client has no use for its number, and answers with a RST of that number and repeats its SYN
// (RFC 9293 3.10.7.3). A RST after the SYN-ACK, or of another number, is none.
//
// The ACK has the sequence number 0 and no payload. One that comes from a backend has the
// connection's own numbers. The zero value is ready.
type Challenges struct {
	recent, earlier map[flow.Tuple]uint32 // the numbers by the client's tuple
	since           clock.Instant         // of recent
}

// challengeLife is how long a challenge is remembered at least; a node accepts an answer for
// twice this time.
const challengeLife = 4300 * time.Millisecond

// Sees takes a segment that a host sent to the clients' side or from it, other than a RST.
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

// ChallengesAnswered is the note of a trace on the RSTs of a run that answered challenges.
func ChallengesAnswered(n int) string {
	return fmt.Sprintf("%d RSTs at the %s edge answered a challenge of their SYN: not counted", n, Clients)
}

// Segment is what Challenges must know of a TCP segment.
type Segment struct {
	Tuple         flow.Tuple
	ByNode        bool // a load balancer sent the frame
	SYN, ACK, FIN bool
	Seq, Ack      uint32
	Payload       bool
}
