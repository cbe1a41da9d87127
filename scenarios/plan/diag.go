package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Severity says whether a scenario can run in spite of a Diagnostic.
type Severity uint8

const (
	Error   Severity = iota // the scenario must not run
	Warning                 // it can run, but is probably a mistake
)

// Diagnostic is one problem of a scenario.
type Diagnostic struct {
	File     string
	Pos      Pos
	Severity Severity
	Message  string
	// Suggestion is the word that was probably meant, "" if none is near.
	Suggestion string
	// Unsafe marks a setting that re-creates a historical bug in a scenario that is not a
	// control. A caller that allows unsafe settings ignores it.
	Unsafe bool

	word string // the wrong word; Check moves Pos to it
}

// String prints the diagnostic as compilers do:
//
//	crash.scn:9:10: unknown node "lb3"; did you mean "lb1"?
func (d Diagnostic) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d:%d: ", d.File, d.Pos.Line, d.Pos.Column)
	if d.Severity == Warning {
		b.WriteString("warning: ")
	}
	return b.String() + d.Said()
}

// Said is the diagnostic without its position.
func (d Diagnostic) Said() string {
	if d.Suggestion == "" {
		return d.Message
	}
	return fmt.Sprintf("%s; did you mean %q?", d.Message, d.Suggestion)
}

// Diagnostics are the problems of a scenario in the order of their positions.
type Diagnostics []Diagnostic

// Error prints one diagnostic a line.
func (d Diagnostics) Error() string {
	lines := make([]string, len(d))
	for i := range d {
		lines[i] = d[i].String()
	}
	return strings.Join(lines, "\n")
}

// Errors returns the diagnostics of severity Error, without unsafe settings if they are allowed.
func (d Diagnostics) Errors(allowUnsafe bool) Diagnostics {
	var errs Diagnostics
	for _, one := range d {
		if one.Severity == Error && !(one.Unsafe && allowUnsafe) {
			errs = append(errs, one)
		}
	}
	return errs
}

// err returns d as an error, nil if it is empty.
func (d Diagnostics) err() error {
	if len(d) == 0 {
		return nil
	}
	return d
}

// sorted orders by position, then text, and drops duplicates: the same problem may be found in each
// world.
func (d Diagnostics) sorted() Diagnostics {
	slices.SortStableFunc(d, func(a, b Diagnostic) int {
		return cmp.Or(cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Pos.Column, b.Pos.Column),
			cmp.Compare(a.Message, b.Message))
	})
	return slices.Compact(d)
}

// Record is a Diagnostic in machine-readable form.
type Record struct {
	File       string `json:"file"`
	Line       int    `json:"line"` // from 1
	Column     int    `json:"column"`
	Severity   string `json:"severity"` // error, warning
	Message    string `json:"message"`
	Suggestion string `json:"suggestion,omitempty"`
}

// Records returns the diagnostics in machine-readable form, never nil.
func (d Diagnostics) Records() []Record {
	records := make([]Record, len(d))
	for i, one := range d {
		severity := "error"
		if one.Severity == Warning {
			severity = "warning"
		}
		records[i] = Record{File: one.File, Line: one.Pos.Line, Column: one.Pos.Column, Severity: severity, Message: one.Message, Suggestion: one.Suggestion}
	}
	return records
}
