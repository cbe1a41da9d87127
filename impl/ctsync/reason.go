package ctsync

import "fmt"

// A Reason says why a node is in sync, or why it is not. Its text is only built when
// somebody reads it, since a node evaluates its gates at each step.
type Reason struct {
	text string // the text itself, or one of the formats below
	what string
	term term
	a, b uint64
}

// Formats of Reasons with figures.
const (
	isSource    = "source of epoch %d"
	isEqual     = "equal to %s at change %d"
	isApplying  = "%d batches to apply"
	isBehind    = "lag %d > %d"
	isReceiving = "snapshot: %d of %d entries"
	isRefused   = "apply failed: %s: %d entries refused"
)

// Like reports whether two reasons differ at most in figures.
func (r Reason) Like(other Reason) bool { return r.text == other.text && r.what == other.what }

func (r Reason) String() string {
	switch r.text {
	case isSource, isApplying:
		return fmt.Sprintf(r.text, r.a)
	case isRefused:
		return fmt.Sprintf(r.text, r.what, r.a)
	case isEqual:
		return fmt.Sprintf(r.text, r.term, r.a)
	case isBehind, isReceiving:
		return fmt.Sprintf(r.text, r.a, r.b)
	}
	return r.text
}
