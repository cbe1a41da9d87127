package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"baton/impl/trace"
	"baton/scenarios/check"
	"baton/scenarios/lab"
)

// board is a live view of a pair: roles, closed gates, gaps and losses of clients. It is safe for
// concurrent use.
type board struct {
	mu     sync.Mutex
	closed map[string]map[string]string // closed gates by node, and why they are closed
	gaps   map[string][]time.Duration   // by traffic line, the longest gap of each tick
	last   []string                     // the latest events
}

const (
	boardTicks = 40 // in a sparkline
	boardLast  = 5  // events shown
)

func newBoard() *board {
	return &board{closed: map[string]map[string]string{}, gaps: map[string][]time.Duration{}}
}

// record updates the view with an event.
func (b *board) record(e trace.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case e.Gate != nil && e.Gate.Open:
		delete(b.closed[e.Node], e.Gate.Name)
	case e.Gate != nil:
		if b.closed[e.Node] == nil {
			b.closed[e.Node] = map[string]string{}
		}
		b.closed[e.Node][e.Gate.Name] = e.Gate.Why
	case e.Gap != nil:
		ticks := b.gaps[e.Gap.Name]
		if len(ticks) == 0 {
			ticks = []time.Duration{0}
		}
		ticks[len(ticks)-1] = max(ticks[len(ticks)-1], e.Gap.To.Sub(e.Gap.From))
		b.gaps[e.Gap.Name] = ticks
	case e.Role != nil && e.Role.From != e.Role.To:
		b.tell("%s is %s (was %s): %s", e.Node, e.Role.To, e.Role.From, e.Role.Reason)
	case e.Fault != nil && e.Fault.Phase == "begin":
		b.tell("%s", e.Fault.What())
	}
}

func (b *board) tell(format string, args ...any) {
	b.last = append(b.last, fmt.Sprintf(format, args...))
	b.last = b.last[max(0, len(b.last)-boardLast):]
}

// tick begins a new point of the sparklines.
func (b *board) tick() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for name, ticks := range b.gaps { // each is independent: the order does not matter
		b.gaps[name] = append(ticks[max(0, len(ticks)+1-boardTicks):], 0)
	}
}

// lines renders a state.
func (b *board) lines(s *check.State) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var lines []string
	for _, name := range lab.Nodes() {
		lines = append(lines, b.node(s.Nodes[name]))
	}
	for _, cut := range s.Cuts {
		lines = append(lines, "cut  "+cut.String())
	}
	for _, name := range slices.Sorted(maps.Keys(s.Traffic)) {
		lines = append(lines, b.line(s.Traffic[name]))
	}
	lines = append(lines, fmt.Sprintf("RST %d  lost %d  corrupt %d", s.Tally.RST, sum(s.Tally.Lost), sum(s.Tally.Corrupt)))
	return append(lines, b.last...)
}

// node renders a node.
func (b *board) node(n *check.Node) string {
	role := stateOf(n)
	sync := "not in sync"
	if n.InSync {
		sync = fmt.Sprintf("in sync, %d entries", n.Sync.Entries)
	}
	var paths []string
	for _, name := range slices.Sorted(maps.Keys(n.Paths)) {
		paths = append(paths, name+" "+n.Paths[name].State)
	}
	closed := slices.Sorted(maps.Keys(b.closed[n.Name]))
	line := fmt.Sprintf("%s  %-18s %-24s BFD %s", n.Name, role, sync, strings.Join(paths, ", "))
	if n.Up && len(closed) > 0 {
		line += "  closed: " + strings.Join(closed, ", ")
	}
	return strings.TrimRight(line, " ")
}

// stateOf returns the role of a node, or why it has none.
func stateOf(n *check.Node) string {
	switch {
	case !n.Up:
		return "down"
	case n.Frozen:
		return n.Role + " (frozen)"
	}
	return n.Role
}

// line renders a traffic line.
func (b *board) line(t trace.Totals) string {
	ticks := b.gaps[t.Name]
	longest := time.Duration(0)
	for _, gap := range ticks {
		longest = max(longest, gap)
	}
	line := fmt.Sprintf("%-10s %-9s open %-6d received %-9d gap %s", t.Name, t.Kind, t.Sessions, t.Received, sparkline(ticks, longest))
	if longest > 0 {
		line += fmt.Sprintf(" up to %v", longest.Round(time.Millisecond))
	}
	return line
}

// sparkline draws durations as bars of eight heights, and none for 0.
func sparkline(ticks []time.Duration, longest time.Duration) string {
	const bars = "▁▂▃▄▅▆▇█"
	drawn := []rune(strings.Repeat(" ", max(0, boardTicks-len(ticks))))
	for _, gap := range ticks {
		bar := '·'
		if gap > 0 {
			bar = []rune(bars)[min(7, int(8*gap/(longest+1)))]
		}
		drawn = append(drawn, bar)
	}
	return string(drawn)
}

func sum(counts map[string]int) (total int) {
	for _, n := range counts { // a sum: the order does not matter
		total += n
	}
	return total
}
