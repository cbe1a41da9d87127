package check

import (
	"fmt"
	"slices"
	"strings"

	"baton/impl/clock"
	"baton/scenarios/plan"
)

// receipts collects the faults of the plan that were begun and left no receipt.
func (r *run) receipts() {
	for i, s := range r.plan.Steps {
		begin, begun := r.begins[i]
		if s.Fault == nil || !r.in(s.Guard) || !begun {
			continue
		}
		until, ended := r.ends[i]
		if !ended {
			until = r.to
		}
		if why := r.missing(*s.Fault, window{begin, until}); why != "" {
			r.unproven = append(r.unproven, unproven{i, begin, fmt.Sprintf("%s at %s: %s", s, r.at(begin), why)})
		}
	}
}

// missing says which receipt of the fault is not in the window, "" if none.
func (r *run) missing(f plan.Fault, w window) string {
	proven := map[string]bool{}
	for _, e := range r.events {
		if e.Fault == nil || e.Fault.Verb != f.Verb || !w.has(e.At) {
			continue
		}
		switch e.Fault.Phase {
		case "failed":
			return "failed: " + e.Fault.Receipt
		case "receipt":
			proven[e.Fault.Target] = true
			for _, node := range targets(e.Fault.Target) {
				proven[node] = true
			}
		}
	}
	if f.Cut != nil || f.Verb == plan.VerbHeal {
		if len(proven) == 0 {
			return "no receipt"
		}
		return ""
	}
	var without []string
	for _, node := range f.Nodes {
		if !proven[node] {
			without = append(without, node)
		}
	}
	if len(without) > 0 {
		return "no receipt of " + strings.Join(without, ", ")
	}
	return ""
}

// faultCheck is INCONCLUSIVE when a fault left no receipt.
func (r *run) faultCheck() finding {
	f := finding{Check: Check{Name: plan.CheckFaults, Verdict: Pass, Detail: "every fault left its receipt"}}
	if len(r.unproven) > 0 {
		whys := make([]string, len(r.unproven))
		for i, u := range r.unproven {
			whys[i] = u.why
		}
		f.Verdict, f.Detail = Inconclusive, strings.Join(whys, "; ")
	}
	return f
}

// loss is a fault that took a node away.
type loss struct {
	verb, node string
	begin      clock.Instant
	receipt    clock.Instant // clock.Never if there is none
}

// losses lists the crashes, kills, stops and freezes of nodes that began in the window.
func (r *run) losses(w window, verbs ...string) []loss {
	var found []loss
	for _, e := range r.events {
		if e.Fault == nil || !slices.Contains(verbs, e.Fault.Verb) {
			continue
		}
		for _, node := range targets(e.Fault.Target) {
			switch {
			case e.Fault.Phase == "begin" && w.has(e.At):
				found = append(found, loss{e.Fault.Verb, node, e.At, clock.Never})
			case e.Fault.Phase == "receipt":
				if i := lastOf(found, e.Fault.Verb, node); i >= 0 && found[i].receipt == clock.Never {
					found[i].receipt = e.At
				}
			}
		}
	}
	return found
}

func lastOf(losses []loss, verb, node string) int {
	for i := len(losses) - 1; i >= 0; i-- {
		if losses[i].verb == verb && losses[i].node == node {
			return i
		}
	}
	return -1
}

// since names the fault most recently begun at or before t: "after crash lb1 at +2s".
func (r *run) since(t clock.Instant) string {
	last := "before any fault"
	for _, e := range r.begun {
		if e.At > t {
			break
		}
		last = "after " + strings.TrimSpace(e.Fault.Verb+" "+e.Fault.Target) + " at " + r.at(e.At)
	}
	return last
}
