package check

import (
	"fmt"
	"strings"
	"time"

	"baton/impl/clock"
	"baton/scenarios/fault"
	"baton/scenarios/plan"
)

// receipts collects the faults of the plan that began and left no receipt.
func (r *run) receipts() {
	for i, s := range r.plan.Steps {
		begin, begun := r.begins[i]
		if s.Fault == nil || !begun {
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

// missing says which receipts a fault that began in the window lacks, "" if it lacks none.
// A receipt may come after the window.
func (r *run) missing(f plan.Fault, w window) string {
	var without []string
	begun := 0
	for _, e := range r.begun {
		if e.Fault.Verb != f.Verb || !w.has(e.At) {
			continue
		}
		begun++
		switch proof := r.proofs[e.Fault.ID]; proof.Phase {
		case "receipt":
		case "failed":
			return "failed: " + proof.Receipt
		default:
			without = append(without, e.Fault.Target)
		}
	}
	switch targets := strings.Join(without, ", "); {
	case begun == 0, len(without) > 0 && (f.On != nil || targets == ""): // the step names its target, or has none
		return "no receipt"
	case len(without) > 0:
		return "no receipt of " + targets
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
}

// losses lists the faults that began in the window and took a node away without a handover.
func (r *run) losses(w window) []loss {
	var found []loss
	for _, e := range r.begun {
		if !fault.Takes(e.Fault.Verb) || !w.has(e.At) {
			continue
		}
		for _, host := range e.Fault.Hosts {
			found = append(found, loss{e.Fault.Verb, host, e.At})
		}
	}
	return found
}

// since names the last fault that began at or before t: "after crash lb1 at +2s".
func (r *run) since(t clock.Instant) string {
	last := "before any fault"
	for _, e := range r.begun {
		if e.At > t {
			break
		}
		last = "after " + e.Fault.What() + " at " + r.at(e.At)
	}
	return last
}

// inFlight is how long before a fault a packet that it drops may have been sent.
const inFlight = 10 * time.Millisecond

// behind names the fault that caused a silence: the last one that began before it, or while the
// first unanswered message was in flight. Later faults cannot have caused it.
func (r *run) behind(from, to clock.Instant) string { return r.since(min(from.Add(inFlight), to)) }
