package bfd

import "time"

// Stats are a session's counters since it was created.
type Stats struct {
	Sent     uint64 // control packets handed out
	Received uint64 // control packets accepted
	Drops    [DropKinds]uint64

	Refused    uint64 // packets discarded since the last accepted one
	RefusedFor Drop   // why the last of them was

	EchoSent     uint64 // echo packets handed out
	EchoReceived uint64 // echo packets that came back

	Ups   uint64 // times the session came up
	Downs uint64 // times it left Up

	// ReceiveGapMax is the longest time between two accepted packets while Up.
	ReceiveGapMax time.Duration
	// AdvanceLateMax is how long after Deadline the owner called Advance at worst while Up.
	AdvanceLateMax time.Duration
}

// Dropped returns how many packets were discarded, for whatever reason.
func (s Stats) Dropped() uint64 {
	var n uint64
	for _, d := range s.Drops {
		n += d
	}
	return n
}

func (s *Stats) accept() {
	s.Received++
	s.Refused = 0
}

func (s *Stats) refuse(reason Drop) {
	s.Drops[reason]++
	s.Refused++
	s.RefusedFor = reason
}

func (s *Stats) count(from, to State) {
	if to == Up {
		s.Ups++
	}
	if from == Up {
		s.Downs++
	}
}
