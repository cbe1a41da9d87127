package dataplane

import (
	"time"

	"baton/impl/flow"
)

// PressedLife is how long an unanswered entry outlives its last packet while the table is
// under pressure.
const PressedLife = 2 * time.Second

// Pressed reports whether a table with this number of entries is under pressure.
func Pressed(entries, capacity int) bool { return entries >= capacity-capacity/4 }

// Embryonic reports whether an entry belongs to an unanswered flow. An affinity, whose
// tuple has client port 0, is not embryonic.
func Embryonic(original *flow.Tuple, s flow.State) bool {
	return original.SrcPort != 0 && (s == flow.SynSent || s == flow.Unreplied)
}
