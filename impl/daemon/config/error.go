package config

import "fmt"

// Error is a mistake in a configuration file: one line with its place and the correction.
type Error struct {
	File string
	Line int // counts from 1; 0 if the file could not be read
	// Key is the path of the key at fault, such as services[0].affinity; "" if it is none.
	Key  string
	Text string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Text)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text)
}

// ExitCode returns the exit code of the process: 2, bad input.
func (e *Error) ExitCode() int { return 2 }
