package mutants

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Header writes the first lines of the table.
func Header(w io.Writer) {
	fmt.Fprintf(w, "%-38s %-9s %-40s %-36s %7s\n", "MUTANT", "OUTCOME", "BY CHECK", "IN", "TIME")
}

// Write writes the outcome as a line of the table.
func (o Outcome) Write(w io.Writer) {
	outcome, check, where := "survived", "", ""
	switch {
	case o.Err != nil:
		outcome = "error"
	case o.Kill != nil:
		outcome, check, where = "killed", o.Kill.Check, o.Kill.Where
	case strings.HasPrefix(o.Name, noMutant):
		outcome = "clean"
	}
	fmt.Fprintf(w, "%-38s %-9s %-40s %-36s %6.1fs\n", o.Name, outcome, check, where, o.Took.Seconds())
	if o.Err != nil {
		fmt.Fprintln(w, o.Err)
	}
}

// Sum counts the outcomes of mutants.
type Sum struct{ Killed, Survived, Errors int }

// Add counts one.
func (s *Sum) Add(o Outcome) {
	switch {
	case o.Err != nil:
		s.Errors++
	case o.Kill != nil:
		s.Killed++
	default:
		s.Survived++
	}
}

// OK reports whether every mutant was killed.
func (s Sum) OK() bool { return s.Survived == 0 && s.Errors == 0 && s.Killed > 0 }

// Write writes the last line.
func (s Sum) Write(w io.Writer, took time.Duration) {
	fmt.Fprintf(w, "%d mutants: %d killed, %d survived, %d in error, in %.0fs\n",
		s.Killed+s.Survived+s.Errors, s.Killed, s.Survived, s.Errors, took.Seconds())
}
