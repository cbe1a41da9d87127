package evidence

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"baton/impl/clock"
	"baton/scenarios/stored"
)

// Flow is an entry of a connection table, as text.
type Flow struct {
	Original, Reply string // tuples
	State, Origin   string
	Remaining       time.Duration
}

// FlowBytes is the approximate size of an entry in a file.
const FlowBytes = 160

// Connections is the connection table of a node at one moment.
type Connections struct {
	Node  string
	At    clock.Instant
	When  string // the moment in words
	Total int    // entries of the table
	Flows []Flow // the stored entries; fewer than Total if the limit does not suffice
}

// PutTable stores a connection table. It sorts the flows.
func (s *Store) PutTable(c Connections, ask Ask) error {
	when := ask.At(c.At) + ", " + c.When
	f := File{File: TableFile(c.Node), Kind: Table, Node: c.Node, Count: len(c.Flows), Span: &Span{From: c.At, To: c.At},
		What: fmt.Sprintf("connection table of %s at %s", c.Node, when)}
	if more := c.Total - len(c.Flows); more > 0 {
		share, _, _ := Shares(ask.Limit, 1)
		f.Cut = append(f.Cut, fmt.Sprintf("%d of %d entries: the limit is %s", more, c.Total, Size(share)))
	}
	slices.SortFunc(c.Flows, func(a, b Flow) int { return cmp.Compare(a.Original, b.Original) })
	return s.Put(f, func(w io.Writer) error {
		fmt.Fprintf(w, "# %s: %d entries\n", f.What, c.Total)
		columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(columns, "# "+strings.Join(tableColumns, "\t"))
		for _, flow := range c.Flows {
			fmt.Fprintf(columns, "%s\t%s\t%s\t%s\t%s\n", flow.Original, flow.Reply, flow.State, flow.Origin, flow.Remaining.Round(time.Millisecond))
		}
		return columns.Flush()
	})
}

// tableColumns are the columns of a stored table, in their order.
var tableColumns = []string{"original", "reply", "state", "origin", "remaining"}

// Bounds on reading a stored table.
const (
	tableMost     = 64 << 20 // bytes
	tableLineMost = 64 << 10
)

// ReadTable reads a connection table of a run's folder. If it is damaged, ReadTable returns the flows
// before the damage, with the error.
func ReadTable(dir string, f File) ([]Flow, error) {
	file, err := stored.Open(filepath.Join(dir, filepath.Base(f.File)))
	if err != nil {
		return nil, fmt.Errorf("evidence: %w", err)
	}
	defer file.Close()
	var flows []Flow
	var begins []int // of the columns
	lines := bufio.NewScanner(io.LimitReader(file, tableMost))
	lines.Buffer(nil, tableLineMost)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if strings.HasPrefix(line, "#") {
			begins = columnsOf(line)
			continue
		}
		cells, ok := cut(line, begins)
		if !ok {
			return flows, fmt.Errorf("evidence: read %s: line %d is not a flow: %.40q", f.File, n, line)
		}
		remaining, err := time.ParseDuration(cells[4])
		if err != nil {
			return flows, fmt.Errorf("evidence: read %s: line %d: %w", f.File, n, err)
		}
		flows = append(flows, Flow{Original: cells[0], Reply: cells[1], State: cells[2], Origin: cells[3], Remaining: remaining})
	}
	if err := lines.Err(); err != nil {
		return flows, fmt.Errorf("evidence: read %s: %w", f.File, err)
	}
	return flows, nil
}

// columnsOf returns the offsets of the columns, given the line with their names, nil for another line.
func columnsOf(line string) []int {
	begins := []int{0} // the first heading follows a "# "
	for _, name := range tableColumns[1:] {
		i := strings.Index(line, "  "+name)
		if i < begins[len(begins)-1] {
			return nil
		}
		begins = append(begins, i+2)
	}
	return begins
}

// cut divides a line into the cells of its columns.
func cut(line string, begins []int) ([]string, bool) {
	if begins == nil || len(line) < begins[len(begins)-1] {
		return nil, false
	}
	cells := make([]string, len(begins))
	for i, begin := range begins {
		end := len(line)
		if i+1 < len(begins) {
			end = begins[i+1]
		}
		cells[i] = strings.TrimSpace(line[begin:end])
	}
	return cells, true
}
