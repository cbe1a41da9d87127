package flow

import "fmt"

// RefusedError is the error of a write to a connection table that has taken hold but for
// some entries.
type RefusedError struct {
	// Why is the reason in a few words, the same for all writes that fail alike.
	Why     string
	Entries int // that were refused
}

func (e *RefusedError) Error() string { return fmt.Sprintf("%s: %d entries refused", e.Why, e.Entries) }
