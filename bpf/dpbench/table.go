package dpbench

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// Result is what a run has measured.
type Result struct {
	rows   []*row
	rounds int
}

// Write prints a line for each row. The first row is a packet that its program drops: what
// the source of the packets costs. Of the rows from the wire it is the XDP program's drop, so
// that what the kernel makes of a frame counts for those who have it made.
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
