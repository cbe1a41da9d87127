package mutants

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Header writes the first lines of the table.
func Header(w io.Writer) {
	fmt.Fprintf(w, "%-38s %-9s %-40s %-36s %7s %10s\n", "MUTANT", "OUTCOME", "BY CHECK", "IN", "TIME", "PROCESSOR")
}

// Write writes the outcome as a line of the table.
func (o Outcome) Write(w io.Writer) {
	r := o.Result()
	if test, sub, ok := strings.Cut(r.Check, "/"); ok && sub != "" {
		r.Check = test + "/…"
	}
	fmt.Fprintf(w, "%-38s %-9s %-40s %-36s %6.1fs %9.1fs\n", o.Name, r.Outcome, r.Check, r.Where, r.Seconds, r.Processor)
	if o.Err != nil {
		fmt.Fprintln(w, o.Err)
	}
}

// slowest is how many of the slowest mutants and suites Sum lists.
const slowest = 10

// Sum writes the last lines: the slowest mutants, the processor time and the number of mutants by
// outcome.
func (r *Results) Sum(w io.Writer) {
	slow := slices.Concat(r.Mutants, r.Bare)
	slices.SortStableFunc(slow, func(a, b Result) int { return cmp.Compare(b.Seconds, a.Seconds) })
	fmt.Fprintln(w, "the slowest:")
	for _, m := range slow[:min(slowest, len(slow))] {
		fmt.Fprintf(w, "%7.1fs %7.1fs of processor time  %s\n", m.Seconds, m.Processor, m.Name)
	}
	count := map[string]int{}
	for _, m := range r.Mutants {
		count[m.Outcome]++
	}
	fmt.Fprintf(w, "%.0fs of processor time, %.0fs of it for the shared builds\n", r.Processor, r.Build)
	fmt.Fprintf(w, "%d mutants: %d killed, %d survived, %d stale, %d not run, %d in error, in %.0fs\n",
		len(r.Mutants), count[Killed], count[Survived], count[Stale], count[NotRun], count[Failed], r.Seconds)
}
