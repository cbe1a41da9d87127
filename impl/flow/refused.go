package flow

import "fmt"

// RefusedError is the error of a write to a connection table that succeeded except for some
// entries.
type RefusedError struct {
	// Why is the reason in a few words; equal for all writes with the same cause.
	Why     string
	Entries int // that were refused
}

func (e *RefusedError) Error() string { return fmt.Sprintf("%s: %d entries refused", e.Why, e.Entries) }
