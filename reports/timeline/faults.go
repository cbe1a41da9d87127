package timeline

import (
	"fmt"
	"strings"

	"baton/impl/trace"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// faults are those that have not been undone yet, by what undoes them.
type faults map[string]Span

// undoneBy names the verb that ends what another began.
var undoneBy = map[string]string{
	plan.VerbCrash: plan.VerbRestore, plan.VerbKill: plan.VerbRestore, plan.VerbStop: plan.VerbRestore,
	plan.VerbFreeze: plan.VerbThaw, plan.VerbCut: plan.VerbHeal,
}

func (b *builder) fault(at At, f *trace.Fault) {
	if b.faults == nil {
		b.faults = faults{}
	}
	what := strings.TrimSpace(f.Verb + " " + f.Target)
	key := f.Verb + " " + f.Target
	switch {
	case f.Phase == "begin" && undoneBy[f.Verb] != "":
		b.faults[key] = Span{From: at, State: what, What: what, Tone: Bad}
	case f.Phase == "begin":
		b.mark(Faults, "", "", Mark{At: at, What: what})
		b.undo(at, f)
	case undoneBy[f.Verb] != "":
		b.effect(at, f)
		if s, ok := b.faults[key]; ok {
			s.What = fmt.Sprintf("%s: %s %v after the begin: %s", what, f.Phase, short((at - s.From).Duration()), f.Receipt)
			if f.Phase == "failed" {
				s.Tone = Warn
			}
			b.faults[key] = s
		}
	case f.Phase == "failed":
		b.mark(Faults, "", "", Mark{At: at, Tone: Warn, What: what + " failed: " + f.Receipt})
	}
}

// effect ends what went with a process that is gone: with a crash the programs too,
// which after a kill forward for as long as the lease holds.
func (b *builder) effect(at At, f *trace.Fault) {
	if f.Phase != "receipt" || undoneBy[f.Verb] != plan.VerbRestore {
		return
	}
	for _, node := range lab.Nodes() {
		if !overlaps(f.Target, node) {
			continue
		}
		b.ended(at, node)
		if s := b.leases[node]; s != nil && f.Verb == plan.VerbCrash {
			b.endLease(node, min(s.To, at))
		}
	}
}

// undo ends the spans of the faults that a restore, thaw or heal undoes: those of
// its target, or all cuts where a heal names none.
func (b *builder) undo(at At, f *trace.Fault) {
	l := b.lane(Faults, "", "")
	for _, began := range sortedKeys(b.faults) {
		verb, target, _ := strings.Cut(began, " ")
		if undoneBy[verb] != f.Verb || f.Target != "" && !overlaps(target, f.Target) {
			continue
		}
		s := b.faults[began]
		s.To = at
		l.Spans = append(l.Spans, s)
		delete(b.faults, began)
	}
}

// overlaps reports whether two lists of targets share one, or one is part of the
// other: a cut of both directions is healed by one of its own.
func overlaps(a, b string) bool {
	if strings.Contains(a, b) || strings.Contains(b, a) {
		return true
	}
	for name := range strings.FieldsSeq(strings.ReplaceAll(a, ",", " ")) {
		for other := range strings.FieldsSeq(strings.ReplaceAll(b, ",", " ")) {
			if name == other && strings.HasPrefix(name, "lb") && !strings.Contains(a+b, "-") {
				return true
			}
		}
	}
	return false
}

func (b *builder) finishFaults() {
	for _, key := range sortedKeys(b.faults) {
		s := b.faults[key]
		s.To = b.run.To
		l := b.lane(Faults, "", "")
		l.Spans = append(l.Spans, s)
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
