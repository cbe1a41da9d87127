package dataplane

import (
	"fmt"

	"baton/impl/flow"
)

// DefaultMaxFlows is the default capacity of a table.
const DefaultMaxFlows = 1 << 20

// NoTable is Apply's error for IPv6 entries if the configuration has no IPv6 address.
func NoTable(entries int) error {
	return &flow.RefusedError{Why: "no table for IPv6: this node's configuration has no IPv6 address", Entries: entries}
}

// TableFull is Apply's error for entries that found no room in the table.
func TableFull(entries, capacity int) error {
	return &flow.RefusedError{Why: fmt.Sprintf("table full (%d flows)", capacity), Entries: entries}
}
