package bfdbench

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// Write prints the results, a row for each implementation under each load.
func (r Result) Write(w io.Writer) error {
	fmt.Fprintf(w, "BFD %d × %v: %v a load, %d cores. Intervals between packets as the receiver's kernel stamps them;\n"+
		"jitter makes them 75 to 100 %% of %v, what is longer is late; the session is lost after %v.\n",
		r.DetectMult, r.Interval, r.Duration, r.Cores(), r.Interval, time.Duration(r.DetectMult)*r.Interval)
	if r.PacketsPerSecond > 0 {
		fmt.Fprintf(w, "Loaded: %d busy processes on %d cores, %.0f packets/s through the nodes' dataplane.\n",
			hogsPerCore*r.Cores()+flooders+1, r.Cores(), r.PacketsPerSecond)
	}
	if slices.Contains(r.Loads, Polls) {
		fmt.Fprintf(w, "Polls: %d a second under the peer's address, at one end of each; the row is what that end sends. The nodes authenticate, FRR does not.\n", pollRate)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "load\timplementation\tpackets\tp1 ms\tp50 ms\tp99 ms\tp99.9 ms\tmax gap ms\tlate by >1ms\tfinals/s\tflaps\t")
	for _, row := range r.Rows {
		v := row.Intervals
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%d\t%.0f\t%d\t\n", row.Load, row.Who, v.Count(),
			ms(v.Quantile(0.01)), ms(v.Quantile(0.5)), ms(v.Quantile(0.99)), ms(v.Quantile(0.999)), ms(v.Max()),
			v.Late(r.Interval+time.Millisecond), float64(row.Finals)/r.Duration.Seconds(), row.Flaps)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, r.about())
	return err
}

// about describes the compared FRR.
func (r Result) about() string {
	for _, row := range r.Rows {
		if row.Who != nodesName {
			return fmt.Sprintf("FRR %s at niceness %d, as Debian's frr.service runs it; the nodes as baton node runs.", r.FRR, frrNice)
		}
	}
	return r.FRR
}

// Held reports whether the nodes' sessions never went down.
func (r Result) Held() bool {
	for _, row := range r.Rows {
		if row.Who == nodesName && row.Flaps > 0 {
			return false
		}
	}
	return true
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f", float64(d)/float64(time.Millisecond)) }
