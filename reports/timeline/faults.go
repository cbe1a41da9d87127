package timeline

import (
	"fmt"
	"slices"

	"baton/impl/trace"
	"baton/scenarios/fault"
	"baton/scenarios/lab"
)

// faults has the faults that are still in effect, by ID.
type faults map[int]open

// open is a fault in effect.
type open struct {
	trace.Fault
	Span
}

func (b *builder) fault(at At, f *trace.Fault) {
	if b.faults == nil {
		b.faults = faults{}
	}
	what := f.What()
	lasts := fault.UndoOf(f.Verb) != ""
	switch {
	case f.Phase == "begin" && lasts:
		b.faults[f.ID] = open{*f, Span{From: at, State: what, What: what, Tone: Bad}}
	case f.Phase == "begin":
		b.mark(Faults, "", "", Mark{At: at, What: what})
		b.undo(at, f)
	case lasts:
		b.effect(at, f)
		if o, ok := b.faults[f.ID]; ok {
			o.Span.What = fmt.Sprintf("%s: %s %v after the begin: %s", what, f.Phase, short((at - o.From).Duration()), f.Receipt)
			if f.Phase == "failed" {
				o.Tone = Warn
			}
			b.faults[f.ID] = o
		}
	case f.Phase == "failed":
		b.mark(Faults, "", "", Mark{At: at, Tone: Warn, What: what + " failed: " + f.Receipt})
	}
}

// effect ends the spans of a process that is gone. After a crash its lease ends too; after a kill its
// programs forward until the end of the lease.
func (b *builder) effect(at At, f *trace.Fault) {
	if f.Phase != "receipt" || !fault.Ends(f.Verb) {
		return
	}
	for _, node := range lab.Nodes() {
		if !slices.Contains(f.Hosts, node) {
			continue
		}
		b.ended(at, node)
		if s := b.leases[node]; s != nil && f.Verb == fault.Crash {
			b.endLease(node, min(s.To, at))
		}
	}
}

// undo ends the spans of the faults that another one undoes: those with a common host or direction.
func (b *builder) undo(at At, f *trace.Fault) {
	l := b.lane(Faults, "", "")
	for _, id := range sortedKeys(b.faults) {
		o := b.faults[id]
		if fault.UndoOf(o.Verb) != f.Verb || !share(o.Hosts, f.Hosts) && !share(o.Directions, f.Directions) {
			continue
		}
		o.To = at
		l.Spans = append(l.Spans, o.Span)
		delete(b.faults, id)
	}
}

// share reports whether two lists have a common element.
func share[T comparable](a, b []T) bool {
	return slices.ContainsFunc(a, func(x T) bool { return slices.Contains(b, x) })
}

func (b *builder) finishFaults() {
	for _, id := range sortedKeys(b.faults) {
		o := b.faults[id]
		o.To = b.run.To
		l := b.lane(Faults, "", "")
		l.Spans = append(l.Spans, o.Span)
	}
}

func (b *builder) step(at At, s *trace.Step) {
	switch s.Phase {
	case "begin":
		b.mark(Steps, "", "", Mark{At: at, What: s.Text})
	case "timeout":
		b.mark(Steps, "", "", Mark{At: at, What: "timed out: " + s.Text, Tone: Bad})
	}
}
