package evidence

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"baton/impl/clock"
)

// Flow is an entry of a connection table, in words.
type Flow struct {
	Original, Reply string // tuples
	State, Origin   string
	Remaining       time.Duration
}

// FlowBytes is about what an entry takes in a file.
const FlowBytes = 160

// Connections is the connection table of a node at one moment.
type Connections struct {
	Node  string
	At    clock.Instant
	When  string // the moment in words
	Total int    // entries of the table
	Flows []Flow // those of them that there is room for
}

// PutTable stores a connection table, whose flows it orders.
func (s *Store) PutTable(c Connections, ask Ask) error {
	when := ask.At(c.At) + ", " + c.When
	f := File{File: TableFile(c.Node), Kind: Table, Node: c.Node, Count: len(c.Flows), Span: &Span{From: c.At, To: c.At},
		What: fmt.Sprintf("connection table of %s at %s", c.Node, when)}
	if more := c.Total - len(c.Flows); more > 0 {
		share, _, _ := Shares(ask.Limit, 1)
		f.Cut = append(f.Cut, fmt.Sprintf("%d of %d entries: they did not fit into %s", more, c.Total, Size(share)))
	}
	slices.SortFunc(c.Flows, func(a, b Flow) int { return cmp.Compare(a.Original, b.Original) })
	return s.Put(f, func(w io.Writer) error {
		fmt.Fprintf(w, "# %s: %d entries\n", f.What, c.Total)
		columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(columns, "# original\treply\tstate\torigin\tremaining")
		for _, flow := range c.Flows {
			fmt.Fprintf(columns, "%s\t%s\t%s\t%s\t%s\n", flow.Original, flow.Reply, flow.State, flow.Origin, flow.Remaining.Round(time.Millisecond))
		}
		return columns.Flush()
	})
}
