package dataplane

import (
	"fmt"

	"baton/impl/flow"
)

// DefaultMaxFlows is the capacity of a table if the configuration names none.
const DefaultMaxFlows = 1 << 20

// NoTable is the error of Apply for IPv6 entries where the configuration names no IPv6 address.
func NoTable(entries int) error {
	return &flow.RefusedError{Why: "no table for IPv6: this node's configuration names no IPv6 address", Entries: entries}
}

// TableFull is the error of Apply when so many entries found no room in a table of a capacity.
func TableFull(entries, capacity int) error {
	return &flow.RefusedError{Why: fmt.Sprintf("table full (%d flows)", capacity), Entries: entries}
}
