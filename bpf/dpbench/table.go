package dpbench

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Result is what a run has measured.
type Result struct {
	rows   []*row
	rounds int
}

// Write prints a line for each row. The first row is a packet that its program drops:
// what the source of the packets costs.
func (r Result) Write(w io.Writer) error {
	base := r.rows[0].best
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "way\tns a packet\twith its source\trounds\t")
	for _, row := range r.rows {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d/%d\t\n", row.name, (row.best - base).Nanoseconds(), row.best.Nanoseconds(), row.valid, r.rounds)
	}
	return table.Flush()
}
