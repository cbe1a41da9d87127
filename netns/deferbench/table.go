package deferbench

import (
	"fmt"
	"io"
	"runtime"
	"text/tabwriter"
	"time"
)

// Write prints the results, a row for each rate with and without deferral.
func (r Result) Write(w io.Writer) error {
	fmt.Fprintf(w, "%v a row, %d cores with generator, nodes and backends. Microseconds; an answer is a connection with its first echo.\n"+
		"CPU: of both nodes' processes, for each connection.\n"+
		"held: the SYN-ACK in the MASTER. stream: from the SYN to a frame of the stream; peer: from there to its answer; release: from there to the SYN-ACK.\n",
		r.Duration, runtime.NumCPU())
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "connects/s\tdefer\tanswer p50\tp99\tfailed\tSYN-ACKs\tCPU\theld p50\tp99\tstream\tpeer\trelease\tTLS p50\tp99\t")
	for _, row := range r.Rows {
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%d\t%d\t%s\t%s\t%s", row.Rate, map[bool]string{false: "none", true: "established"}[row.Deferred],
			us(row.AnswerP50), us(row.AnswerP99), row.Failed, len(row.Stages), us(row.CPU/time.Duration(len(row.Stages))), row.stage(0.5, held), row.stage(0.99, held))
		if row.Deferred {
			fmt.Fprintf(table, "\t%s\t%s\t%s\t\t\t\n", row.stage(0.5, sent), row.stage(0.5, peer), row.stage(0.5, released))
			continue
		}
		self := func(d time.Duration) time.Duration { return d }
		fmt.Fprintf(table, "\t\t\t\t%s\t%s\t\n", us(quantile(row.Floor, 0.5, self)), us(quantile(row.Floor, 0.99, self)))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for i := 0; i+1 < len(r.Rows); i += 2 {
		without, with := r.Rows[i], r.Rows[i+1]
		fmt.Fprintf(w, "%d connects/s: the median answer takes %s µs longer with deferral; a TLS round trip takes %s.\n", with.Rate,
			us(with.AnswerP50-without.AnswerP50), us(quantile(without.Floor, 0.5, func(d time.Duration) time.Duration { return d })))
	}
	return nil
}

func held(s Stages) time.Duration     { return s.Held }
func sent(s Stages) time.Duration     { return s.Sent }
func peer(s Stages) time.Duration     { return s.Peer }
func released(s Stages) time.Duration { return s.Released }

func (r Row) stage(q float64, figure func(Stages) time.Duration) string {
	return us(quantile(r.Stages, q, figure))
}

func us(d time.Duration) string { return fmt.Sprint(d.Round(time.Microsecond).Microseconds()) }
