package dpbench

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// Result is the result of a run.
type Result struct {
	rows   []*row
	rounds int
}

// Write prints a line for each row. The first row is a packet that its program drops, which
// measures the cost of the packet source; it is subtracted from the others. For rows from the
// wire it is a drop by an XDP program, so that the cost of an sk_buff counts for the rows that
// need one.
func (r Result) Write(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "way\tns a packet\twith its source\trounds\t")
	var base time.Duration
	for _, row := range r.rows {
		if row.way == dropWay || row.way == wireDropWay {
			base = row.best
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%d/%d\t\n", row.name, (row.best - base).Nanoseconds(), row.best.Nanoseconds(), row.valid, r.rounds)
	}
	return table.Flush()
}
