package timeline

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"baton/impl/trace"
)

// roleTones are the tones of roles.
var roleTones = map[string]string{"Master": Good, "Claiming": Warn, "Yielding": Warn, "Fault": Bad}

func (b *builder) role(at At, node string, r *trace.Role) {
	if r.From == r.To {
		b.mark(RoleLane, node, "", Mark{At: at, Tone: Warn, What: r.Reason})
		return
	}
	what := fmt.Sprintf("%s, from %s, epoch %d: %s", r.To, r.From, r.Epoch, r.Reason)
	if r.Degraded {
		what += " (degraded)"
	}
	state := r.To
	if r.Epoch > 0 {
		state += fmt.Sprintf(" · epoch %d", r.Epoch)
	}
	b.turn(RoleLane, node, "", Span{From: at, State: state, What: what, Tone: roleTones[r.To]})
}

// ended ends the role, gates and sessions of a node whose process has ended.
func (b *builder) ended(at At, node string) {
	for key := range b.open { // in any order: each has a lane of its own
		if key.of == node && slices.Contains([]string{RoleLane, Gates, BFD, Sync}, key.kind) {
			b.turn(key.kind, key.of, key.name, Span{From: at})
		}
	}
	if l := b.lanes[laneKey{Sync, node, ""}]; l != nil {
		for i := range l.Curves {
			l.Curves[i].add(at, 0)
		}
	}
	delete(b.gates, node)
}

// gates has the states of a node's gates, with their reasons.
type gates struct {
	open map[string]bool
	why  map[string]string
}

func (b *builder) gate(at At, node string, g *trace.Gate) {
	if b.gates == nil {
		b.gates = map[string]*gates{}
	}
	s := b.gates[node]
	if s == nil {
		s = &gates{open: map[string]bool{}, why: map[string]string{}}
		b.gates[node] = s
	}
	s.open[g.Name], s.why[g.Name] = g.Open, g.Why
	closed := s.blocking()
	if len(closed) == 0 {
		b.turn(Gates, node, "", Span{From: at, State: "open", What: "nothing keeps " + node + " from claiming", Tone: Good})
		return
	}
	var whys []string
	for _, name := range closed {
		whys = append(whys, fmt.Sprintf("%s: %s", name, s.why[name]))
	}
	b.turn(Gates, node, "", Span{From: at, State: strings.Join(closed, ", "), What: strings.Join(whys, "; ")})
}

// blocking lists the closed gates that keep the node from claiming. A claim needs links, dataplane,
// targets and arbiter. Without a grant it also needs that there is no other MASTER, that the
// recovery delay has passed, and that the table is in sync or no node can complete it.
func (g *gates) blocking() []string {
	closed := func(names ...string) (list []string) {
		for _, name := range names {
			if open, known := g.open[name]; known && !open {
				list = append(list, name)
			}
		}
		return list
	}
	base := closed("LinksUp", "DataplaneReady", "Reachable", "Arbitrated")
	if g.open["Granted"] {
		return base
	}
	list := append(base, closed("NoMaster", "HoldDown")...)
	if !g.open["Degraded"] {
		list = append(list, closed("InSync")...)
	}
	return list
}

func (b *builder) bfd(at At, node string, s *trace.BFD) {
	tone := map[string]string{"Up": Good, "Down": Bad}[s.To]
	what := fmt.Sprintf("%s since %s", s.To, s.From)
	if s.Diag != "" && s.Diag != "No Diagnostic" {
		what += ": " + s.Diag
	}
	if s.Detect > 0 {
		what += fmt.Sprintf(", detection in %v", time.Duration(s.Detect))
	}
	b.turn(BFD, node, s.Path, Span{From: at, State: s.To, What: what, Tone: tone})
}

func (b *builder) sync(at At, node string, s *trace.Sync) {
	tone := map[string]string{"insync": Good, "lost": Bad, "snapshot": Warn}[s.Phase]
	b.turn(Sync, node, "", Span{From: at, State: s.Phase, What: s.Why, Tone: tone})
	l := b.lane(Sync, node, "")
	if l.Curves == nil {
		l.Curves = []Curve{{Name: "complete", Unit: "%"}, {Name: "lag"}, {Name: "entries"}}
	}
	for i, v := range []float64{s.Percent, float64(s.Lag), float64(s.Entries)} {
		l.Curves[i].add(at, v)
	}
}

func (c *Curve) add(at At, v float64) {
	c.At, c.Values = append(c.At, at), append(c.Values, v)
}

// lease extends the span in which a node may forward, or ends it.
func (b *builder) lease(at At, node string, until At) {
	if b.leases == nil {
		b.leases = map[string]*Span{}
	}
	held := b.leases[node]
	if held != nil && held.To >= at && until > at {
		held.To = until
		return
	}
	if held != nil {
		b.endLease(node, min(held.To, at))
	}
	if until > at {
		b.leases[node] = &Span{From: at, To: until, State: "may forward", Tone: Good}
	}
}

func (b *builder) endLease(node string, at At) {
	s := b.leases[node]
	s.To = at
	s.What = fmt.Sprintf("%s may forward for %v", node, short((s.To - s.From).Duration()))
	l := b.lane(Lease, node, "")
	l.Spans = append(l.Spans, *s)
	delete(b.leases, node)
}

func (b *builder) finishLeases() {
	for _, node := range sortedKeys(b.leases) {
		b.endLease(node, min(b.leases[node].To, b.run.To))
	}
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
