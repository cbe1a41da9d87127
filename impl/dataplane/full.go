package dataplane

import (
	"fmt"

	"baton/impl/flow"
)

// DefaultMaxFlows is the capacity of a table if the configuration names none.
const DefaultMaxFlows = 1 << 20

// TableFull is the error of Apply when so many entries found no room in a table of a capacity.
func TableFull(entries, capacity int) error {
	return &flow.RefusedError{Why: fmt.Sprintf("table full (%d flows)", capacity), Entries: entries}
}
