package config

import "fmt"

// Error is a mistake in a configuration file: one line that says where it is and
// what would be right.
type Error struct {
	File string
	Line int // counts from 1; 0 where the file could not be read at all
	Text string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Text)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text)
}

// ExitCode is what the process exits with: 2, bad input.
func (e *Error) ExitCode() int { return 2 }
