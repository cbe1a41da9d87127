package mutants

import (
	"fmt"
	"io"
	"strings"
)

// Header writes the first lines of the table.
func Header(w io.Writer) {
	fmt.Fprintf(w, "%-38s %-9s %-40s %-36s %7s\n", "MUTANT", "OUTCOME", "BY CHECK", "IN", "TIME")
}

// Write writes the outcome as a line of the table.
func (o Outcome) Write(w io.Writer) {
	r := o.Result()
	if o.Err == nil && strings.HasPrefix(o.Name, noMutant) {
		r.Outcome = "clean"
	}
	fmt.Fprintf(w, "%-38s %-9s %-40s %-36s %6.1fs\n", o.Name, r.Outcome, r.Check, r.Where, r.Seconds)
	if o.Err != nil {
		fmt.Fprintln(w, o.Err)
	}
}

// Sum writes the last line.
func (r *Results) Sum(w io.Writer) {
	count := map[string]int{}
	for _, m := range r.Mutants {
		count[m.Outcome]++
	}
	fmt.Fprintf(w, "%d mutants: %d killed, %d survived, %d stale, %d not run, %d in error, in %.0fs\n",
		len(r.Mutants), count[Killed], count[Survived], count[Stale], count[NotRun], count[Failed], r.Seconds)
}
