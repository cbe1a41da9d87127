package bfd_test

import (
	"fmt"
	"time"

	"baton/impl/bfd"
	"baton/impl/clock"
)

// Two sessions come Up over a cable, and one detects that the other has fallen silent. The
// owner of a session moves packets and time; the session itself does neither.
func Example() {
	now := clock.Instant(time.Second)
	config := bfd.Config{DesiredMinTxInterval: 50 * time.Millisecond, RequiredMinRxInterval: 50 * time.Millisecond, DetectMult: 3}
	open := func(discriminator uint32, seed uint64) *bfd.Session {
		config.LocalDiscr, config.Seed = discriminator, seed
		s, err := bfd.New(config, now)
		if err != nil {
			panic(err)
		}
		return s
	}
	ours, theirs := open(7, 1), open(9, 2)

	// step brings a session to an instant and its packets to the other.
	step := func(s, other *bfd.Session) {
		s.Advance(now)
		ready := s.Ready()
		for _, packet := range ready.Packets {
			if other != nil {
				_ = other.Receive(now, packet, 255) // an error is a packet that was discarded, and why
			}
		}
		for _, change := range ready.Changes {
			if s == ours {
				fmt.Println(change.From, "to", change.To, "because of", change.Diag)
			}
		}
	}
	for ours.State() != bfd.Up || theirs.State() != bfd.Up {
		now = min(ours.Deadline(), theirs.Deadline())
		step(ours, theirs)
		step(theirs, ours)
	}
	// The other is switched off: it is no longer stepped.
	for ours.State() == bfd.Up {
		now = ours.Deadline()
		step(ours, nil)
	}

	// Output:
	// Down to Up because of No Diagnostic
	// Up to Down because of Control Detection Time Expired
}
