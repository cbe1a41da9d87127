package timeline

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
)

// Build lays out the events of one run. They must be sorted by time.
func Build(events []trace.Event) Run {
	if len(events) == 0 {
		return Run{}
	}
	b := &builder{lanes: map[laneKey]*Lane{}, open: map[laneKey]Span{}}
	b.start = Start(events)
	b.run = Run{From: b.at(events[0].At), To: b.at(events[len(events)-1].At)}
	for _, e := range events {
		b.take(e)
	}
	b.finish()
	b.run.Failovers = failovers(b.axis, events)
	return b.run
}

// Start is the instant from which the times of a Run count: the first step, or the first event if
// there is no step.
func Start(events []trace.Event) clock.Instant {
	if i := slices.IndexFunc(events, func(e trace.Event) bool { return e.Step != nil }); i >= 0 {
		return events[i].At
	}
	return events[0].At
}

// builder collects the lanes.
type builder struct {
	axis
	run   Run
	lanes map[laneKey]*Lane
	open  map[laneKey]Span // spans that have not ended

	faults  faults
	gates   map[string]*gates
	leases  map[string]*Span
	totals  map[string]totals
	waits   map[string][]Span
	tuples  map[string]string // damaged sessions by their tuple
	dropped int               // number of RSTs beyond maxRSTs
}

// laneKey identifies a lane.
type laneKey struct{ kind, of, name string }

// lane returns a lane, and creates it if it does not exist.
func (b *builder) lane(kind, of, name string) *Lane {
	key := laneKey{kind, of, name}
	if l := b.lanes[key]; l != nil {
		return l
	}
	l := &Lane{Kind: kind, Of: of, Name: name}
	b.lanes[key] = l
	return l
}

// turn ends the open span of a lane and begins another, or none if its state is "".
func (b *builder) turn(kind, of, name string, next Span) {
	key := laneKey{kind, of, name}
	if last, ok := b.open[key]; ok {
		if last.State == next.State && last.What == next.What && last.Tone == next.Tone {
			return
		}
		last.To = next.From
		delete(b.open, key)
		// Gates are reported one by one at the same instant; keep only the last state.
		if l := b.lane(kind, of, name); kind != Gates || last.To > last.From {
			l.Spans = append(l.Spans, last)
		}
	}
	if next.State != "" {
		b.open[key] = next
	}
}

func (b *builder) mark(kind, of, name string, m Mark) {
	l := b.lane(kind, of, name)
	l.Marks = append(l.Marks, m)
}

// take adds one event.
func (b *builder) take(e trace.Event) {
	at := b.at(e.At)
	switch {
	case e.Meta != nil:
		b.run.Detect = At(time.Duration(e.Meta.Detect).Microseconds())
	case e.Fault != nil:
		b.fault(at, e.Fault)
	case e.Step != nil:
		b.step(at, e.Step)
	case e.Stall != nil:
		took := time.Duration(e.Stall.Took)
		l := b.lane(Stalls, "", "")
		l.Spans = append(l.Spans, Span{From: at - At(took.Microseconds()), To: at, State: "stall", Tone: Warn,
			What: fmt.Sprintf("%s for %v", e.Stall.Of(), short(took))})
	case e.Refused != nil:
		b.mark(Damage, e.Refused.Service, "", Mark{At: at, Tone: Warn, What: fmt.Sprintf("%s refused %d new flows of %s: %s", e.Node, e.Refused.Count, e.Refused.Service, e.Refused.Why)})
	case e.Died != nil:
		b.mark(RoleLane, e.Node, "", Mark{At: at, Tone: Bad, What: "ended by itself: " + e.Died.Why})
		b.ended(at, e.Node)
	case e.Role != nil:
		b.role(at, e.Node, e.Role)
	case e.Gate != nil:
		b.gate(at, e.Node, e.Gate)
	case e.BFD != nil:
		b.bfd(at, e.Node, e.BFD)
	case e.Sync != nil:
		b.sync(at, e.Node, e.Sync)
	case e.Lease != nil:
		b.lease(at, e.Node, b.at(e.Lease.Until))
	case e.Announce != nil:
		b.mark(Announced, e.Node, "", Mark{At: at, What: fmt.Sprintf("%s announces, %d of its burst", e.Node, e.Announce.Count)})
	case e.GARP != nil:
		b.mark(Announced, e.Node, "", Mark{At: at, Tone: Good, What: e.GARP.String() + " by " + e.Node})
	case e.Forwarder != nil:
		b.forwarder(at, e.Node, e.Forwarder)
	case e.RST != nil:
		b.rst(at, e.RST)
	case e.Totals != nil:
		b.total(at, e.Totals)
	case e.Gap != nil:
		b.gap(e.Gap)
	case e.Traffic != nil:
		b.traffic(at, e.Traffic)
	}
}

// finish ends the open spans, merges, and sorts the lanes.
func (b *builder) finish() {
	for key, span := range b.open { // in any order: each goes to a lane of its own
		span.To = b.run.To
		l := b.lane(key.kind, key.of, key.name)
		l.Spans = append(l.Spans, span)
	}
	b.finishFaults()
	b.finishLeases()
	b.finishGaps()
	b.nameSessions()
	for _, l := range b.lanes { // in any order: they are sorted below
		b.run.Lanes = append(b.run.Lanes, *l)
	}
	slices.SortFunc(b.run.Lanes, compareLanes)
	for i := range b.run.Lanes {
		b.bound(&b.run.Lanes[i])
	}
	b.run.Latency = latencyTable(&b.run)
	if b.dropped > 0 {
		b.cut("%d RSTs beyond the first %d are counted in their marks only", b.dropped, maxRSTs)
	}
}

func (b *builder) cut(format string, args ...any) {
	b.run.Cut = append(b.run.Cut, fmt.Sprintf(format, args...))
}

// order is the order of the kinds of lanes. The lanes of one node are grouped.
var order = []string{Faults, Steps, Stalls, Forwarder, RSTLane, RoleLane, Gates, BFD, Sync, Lease, Announced, Damage, Goodput, Connects, Latency, Gaps}

func compareLanes(a, b Lane) int {
	node := func(l Lane) string {
		if slices.Contains([]string{RoleLane, Gates, BFD, Sync, Lease, Announced}, l.Kind) {
			return l.Of
		}
		return ""
	}
	group := func(l Lane) int {
		switch i := slices.Index(order, l.Kind); {
		case node(l) != "":
			return 1
		case i < slices.Index(order, RoleLane):
			return 0
		default:
			return 2
		}
	}
	return cmp.Or(cmp.Compare(group(a), group(b)), cmp.Compare(node(a), node(b)),
		cmp.Compare(slices.Index(order, a.Kind), slices.Index(order, b.Kind)), cmp.Compare(a.Of, b.Of), cmp.Compare(a.Name, b.Name))
}

// short rounds a duration for display.
func short(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }
