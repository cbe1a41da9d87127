package dataplane

import (
	"time"

	"baton/impl/flow"
)

// PressedLife is how long an entry of a flow that nobody has answered outlives its last
// packet while the table is under pressure.
const PressedLife = 2 * time.Second

// Pressed reports whether a table with so many entries is under pressure.
func Pressed(entries, capacity int) bool { return entries >= capacity-capacity/4 }

// Embryonic reports whether an entry is that of a flow that nobody has answered. An affinity,
// whose tuple has no client's port, is none.
func Embryonic(original *flow.Tuple, s flow.State) bool {
	return original.SrcPort != 0 && (s == flow.SynSent || s == flow.Unreplied)
}
