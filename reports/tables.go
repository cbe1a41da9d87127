package reports

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"baton/impl/trace"
	"baton/reports/load"
	"baton/reports/model"
	"baton/reports/page"
	"baton/scenarios/evidence"
	"baton/scenarios/lab"

	"github.com/dustin/go-humanize/english"
)

// Numbers of flows that a page shows of each difference, and of those that are the same.
const (
	flowsOfDifference = 12
	flowsAlike        = 5
)

// sideTable is the stored table of one node.
type sideTable struct {
	node  string
	file  *evidence.File // nil if there is none
	flows map[string]evidence.Flow
	order []string // its flows in the order of the file
	// damaged says that the rest of the file cannot be read.
	damaged bool
}

// whole reports whether the file has the complete table of the node.
func (t sideTable) whole() bool { return t.file != nil && len(t.file.Cut) == 0 && !t.damaged }

// tables compares the connection tables of both nodes, nil if none was kept.
func tables(run *load.Run) (*page.Tables, []model.Problem) {
	var sides []sideTable
	var problems []model.Problem
	shown := &page.Tables{}
	for _, node := range lab.Nodes() {
		side, problem := readSide(run, node)
		problems = append(problems, problem...)
		sides = append(sides, side)
		shown.Nodes = append(shown.Nodes, about(run, side))
	}
	if !slices.ContainsFunc(sides, func(t sideTable) bool { return t.file != nil }) {
		return nil, problems
	}
	(&comparing{Tables: shown, sides: sides, harm: harmOf(run.Events)}).compare()
	return shown, problems
}

func readSide(run *load.Run, node string) (sideTable, []model.Problem) {
	side := sideTable{node: node, flows: map[string]evidence.Flow{}}
	i := slices.IndexFunc(run.Evidence.Files, func(f evidence.File) bool { return f.Kind == evidence.Table && f.Node == node })
	if i < 0 {
		return side, nil
	}
	side.file = &run.Evidence.Files[i]
	flows, err := evidence.ReadTable(run.Dir, *side.file)
	for _, f := range flows {
		if _, twice := side.flows[f.Original]; !twice {
			side.order = append(side.order, f.Original)
		}
		side.flows[f.Original] = f
	}
	if err != nil {
		side.damaged = true
		return side, []model.Problem{{File: filepath.Join(run.Dir, filepath.Base(side.file.File)), What: err.Error(), Kept: "the flows before"}}
	}
	return side, nil
}

// about says when a table was read, or why there is none.
func about(run *load.Run, side sideTable) page.NodeTable {
	t := page.NodeTable{Node: side.node}
	if side.file != nil {
		t.File = side.file.File
		t.What = strings.Join(append([]string{side.file.What + ": " + english.Plural(len(side.order), "flow", "")}, side.file.Cut...), "; ")
		if side.damaged {
			t.What += "; the rest cannot be read"
		}
		return t
	}
	t.What = "no table was kept"
	for _, m := range run.Evidence.Missing {
		if m.Kind == evidence.Table && m.Node == side.node {
			t.What = "no table: " + m.Why
		}
	}
	return t
}

// comparing compares the tables of both nodes.
type comparing struct {
	*page.Tables
	sides []sideTable
	harm  map[string]string
}

func (c *comparing) compare() {
	a, b := c.sides[0], c.sides[1]
	var all []string
	all = append(all, a.order...)
	for _, flow := range b.order {
		if _, both := a.flows[flow]; !both {
			all = append(all, flow)
		}
	}
	c.Of = len(all)
	lacks := func(t sideTable) func(string) bool {
		return func(flow string) bool { _, has := t.flows[flow]; return !has && t.whole() }
	}
	both := func(flow string) bool {
		_, inA := a.flows[flow]
		_, inB := b.flows[flow]
		return inA && inB
	}
	differ := func(flow string) bool { return both(flow) && entry(a, flow) != entry(b, flow) }
	c.say(all, lacks(a), "bad", flowsOfDifference, a.node+" lacks %s that "+b.node+" has")
	c.say(all, lacks(b), "bad", flowsOfDifference, b.node+" lacks %s that "+a.node+" has")
	c.say(all, differ, "warn", flowsOfDifference, "The nodes disagree on %s")
	c.say(all, func(flow string) bool { return both(flow) && !differ(flow) }, "", flowsAlike, "Both nodes have %s alike")
	if len(c.Rows) == 0 {
		c.say(all, func(string) bool { return true }, "", flowsOfDifference, "Only one table was kept: %s")
	}
}

// say adds the flows of one kind: a sentence with how many there are and how many of them broke for
// the client, and rows for the first most of them, broken ones first.
func (c *comparing) say(all []string, is func(string) bool, tone string, most int, sentence string) {
	of := slices.DeleteFunc(slices.Clone(all), func(flow string) bool { return !is(flow) })
	if len(of) == 0 {
		return
	}
	slices.SortStableFunc(of, func(x, y string) int { return cmp.Compare(c.unharmed(x), c.unharmed(y)) })
	harmed := 0
	for i, flow := range of {
		harmed += 1 - c.unharmed(flow)
		if i >= most {
			continue
		}
		row := page.FlowRow{Flow: flow, Harm: c.harm[flow], Tone: tone}
		for _, side := range c.sides {
			row.Entries = append(row.Entries, entry(side, flow))
		}
		c.Rows = append(c.Rows, row)
	}
	said := fmt.Sprintf(sentence, english.Plural(len(of), "flow", ""))
	if harmed > 0 {
		said += fmt.Sprintf("; %d of them broke for the client", harmed)
	}
	c.Says = append(c.Says, said+".")
}

func (c *comparing) unharmed(flow string) int {
	if c.harm[flow] != "" {
		return 0
	}
	return 1
}

// entry formats a node's entry of a flow without its remaining lifetime; "" if it has none.
func entry(t sideTable, flow string) string {
	f, ok := t.flows[flow]
	if !ok {
		return ""
	}
	return strings.TrimSpace(f.State + " " + f.Reply)
}

// harmOf returns the damage to clients by the flow's tuple as the client sends it.
func harmOf(events []trace.Event) map[string]string {
	harm := map[string]string{}
	for _, e := range events {
		switch {
		case e.Traffic != nil && e.Traffic.Tuple != "" && evidence.IsDamage(e):
			harm[e.Traffic.Tuple] = e.Traffic.Event
		case e.RST != nil && e.RST.Edge == lab.Clients:
			for _, tuple := range []string{e.RST.Flow, reversed(e.RST.Flow)} {
				if harm[tuple] == "" {
					harm[tuple] = "reset"
				}
			}
		}
	}
	return harm
}

// reversed is a tuple in the other direction: "tcp a>b" as "tcp b>a".
func reversed(tuple string) string {
	proto, ends, _ := strings.Cut(tuple, " ")
	from, to, ok := strings.Cut(ends, ">")
	if !ok {
		return tuple
	}
	return proto + " " + to + ">" + from
}
