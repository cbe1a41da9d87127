package lab

import (
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/flow"
)

// Only the RST that RFC 9293 3.10.7.3 asks for answers a challenge. Every other one is evidence of a
// reset connection.
func TestOnlyTheRSTOfRFC9293AnswersAChallenge(t *testing.T) {
	client := flow.Tuple{Src: flow.IPv4(198, 18, 0, 11), Dst: flow.IPv4(198, 18, 0, 100), SrcPort: 40123, DstPort: 80, Proto: flow.TCP}
	other := client
	other.SrcPort++
	const number = 0x8000_1234
	challenge := Segment{Tuple: client.Reverse(), ByNode: true, ACK: true, Ack: number}
	answer := Segment{Tuple: client, Seq: number}
	with := func(s Segment, edit func(*Segment)) Segment { edit(&s); return s }
	const second = clock.Instant(time.Second)
	type sent struct {
		Segment
		at clock.Instant
	}
	for _, test := range []struct {
		name    string
		before  []sent
		rst     Segment
		answers bool
	}{
		{"its number", []sent{{challenge, second}}, answer, true},
		{"no challenge", nil, answer, false},
		{"another number", []sent{{challenge, second}}, with(answer, func(s *Segment) { s.Seq++ }), false},
		{"another connection", []sent{{challenge, second}}, with(answer, func(s *Segment) { s.Tuple = other }), false},
		{"a RST that acknowledges", []sent{{challenge, second}}, with(answer, func(s *Segment) { s.ACK = true }), false},
		{"a RST of a node", []sent{{challenge, second}}, with(answer, func(s *Segment) { s.ByNode = true }), false},
		{"an ACK of a connection", []sent{{with(challenge, func(s *Segment) { s.Seq = 77 }), second}}, answer, false},
		{"data", []sent{{with(challenge, func(s *Segment) { s.Payload = true }), second}}, answer, false},
		{"a FIN", []sent{{with(challenge, func(s *Segment) { s.FIN = true }), second}}, answer, false},
		{"an ACK that a backend sent itself", []sent{{with(challenge, func(s *Segment) { s.ByNode = false }), second}}, answer, false},
		{"a connection that has opened since", []sent{{challenge, second}, {with(challenge, func(s *Segment) { s.SYN = true }), second}}, answer, false},
		{"a challenge of before the last", []sent{{challenge, second}, {with(challenge, func(s *Segment) { s.Tuple = other.Reverse() }), 6 * second}}, answer, true},
		{"one that no node would accept", []sent{{challenge, second}, {with(challenge, func(s *Segment) { s.Tuple = other.Reverse() }), 6 * second},
			{with(challenge, func(s *Segment) { s.Tuple = other.Reverse() }), 11 * second}}, answer, false},
	} {
		var c Challenges
		for _, s := range test.before {
			c.Sees(s.Segment, s.at)
		}
		if got := c.Answers(test.rst); got != test.answers {
			t.Errorf("%s: %v, want %v", test.name, got, test.answers)
		}
	}
}
