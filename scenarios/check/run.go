package check

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/plan"
)

// run is one execution of a plan: its events in order, and the times of its steps.
type run struct {
	plan   *plan.Plan
	meta   trace.Meta
	events []trace.Event  // by time
	others []*trace.Event // without the leases, which are most of them
	// begins, ends and timeouts have the instants of the steps by their index. Only a wait
	// times out.
	begins, ends, timeouts map[int]clock.Instant
	window                               // from the first step to the end of the run
	trafficBegin           clock.Instant // the end of the waits at 0s
	stalls                 []stall
	lags                   []stall // of generators
	starts                 []stall // of nodes
	// unproven has the faults that left no receipt, in the order of the steps.
	unproven []unproven
	begun    []trace.Event // the begins of faults
	missed   []string      // what the trace lacks
	roles    []trace.Event // changes of role
	open     []trace.Event // totals of lines of sessions
	unshown  []string      // capabilities that the subject claims but never reported
	// proofs has the outcome of each fault by its ID.
	proofs map[int]trace.Fault
	// Computed once, and read by several checks.
	leases     []tenure
	relays     []tenure
	mastership []tenure
	folded     map[clock.Instant]*State // see stateAt
	stretches  []stretch
}

// stall is a time in which the host stood still, a generator was behind, or a node that was started waited for a
// processor.
type stall struct {
	window
	took time.Duration
	what trace.Stall
}

// unproven is a fault without a receipt.
type unproven struct {
	step int
	at   clock.Instant
	why  string
}

func newRun(p *plan.Plan, events []trace.Event) *run {
	if !trace.Sorted(events) {
		events = slices.Clone(events)
		trace.Sort(events)
	}
	r := &run{plan: p, events: events, begins: map[int]clock.Instant{}, ends: map[int]clock.Instant{},
		timeouts: map[int]clock.Instant{}, proofs: map[int]trace.Fault{}, folded: map[clock.Instant]*State{}}
	first := -1
	r.others = withoutLeases(r.events)
	for i, e := range r.events {
		switch {
		case e.Role != nil && e.Role.From != e.Role.To:
			r.roles = append(r.roles, e)
		case e.Totals != nil && e.Totals.Kind == plan.Sessions:
			r.open = append(r.open, e)
		case e.Meta != nil:
			r.meta = *e.Meta
		case e.Step != nil:
			if first < 0 {
				first = i
				r.from = e.At
			}
			r.step(e)
		case e.Missed != nil:
			r.missed = append(r.missed, strings.TrimSpace(e.Node+" "+e.Missed.String()))
		case e.Fault != nil && e.Fault.Phase == "begin":
			r.begun = append(r.begun, e)
		case e.Fault != nil && r.proofs[e.Fault.ID].Phase != "failed":
			r.proofs[e.Fault.ID] = *e.Fault
		case e.Stall != nil:
			took := time.Duration(e.Stall.Took)
			s := stall{window{e.At.Add(-took), e.At}, took, *e.Stall}
			switch {
			case s.what.Line != "":
				r.lags = append(r.lags, s)
			case s.what.Start != "":
				r.starts = append(r.starts, s)
			default:
				r.stalls = append(r.stalls, s)
			}
		}
	}
	r.unshown = r.notShown()
	r.bounds()
	r.starts = slices.DeleteFunc(r.starts, func(s stall) bool { return s.to <= r.trafficBegin }) // they made the waits longer
	r.leases, r.relays = r.findLeases(), r.findRelays()
	r.mastership, r.stretches = r.findMastership(), r.findStretches()
	r.receipts()
	return r
}

func withoutLeases(events []trace.Event) []*trace.Event {
	var others []*trace.Event
	for i := range events {
		if events[i].Lease == nil {
			others = append(others, &events[i])
		}
	}
	return others
}

func (r *run) step(e trace.Event) {
	at := map[string]map[int]clock.Instant{"begin": r.begins, "end": r.ends, "timeout": r.timeouts}[e.Step.Phase]
	if at == nil {
		return
	}
	if _, again := at[e.Step.Index]; !again {
		at[e.Step.Index] = e.At
	}
}

// bounds sets the window of the run. It ends with the end step, or with the last event if the
// run did not complete the end step.
func (r *run) bounds() {
	if len(r.events) == 0 {
		return
	}
	r.to = r.events[len(r.events)-1].At
	if r.from == 0 {
		r.from = r.events[0].At
	}
	if end, ok := r.ends[r.endStep()]; ok {
		r.to = end
	}
	for i, s := range r.plan.Steps {
		if s.At == 0 && s.Verb == plan.VerbWait {
			r.trafficBegin = max(r.trafficBegin, r.ends[i])
		}
	}
}

// endStep is the index of the end step in this world, -1 if there is none.
func (r *run) endStep() int {
	return slices.IndexFunc(r.plan.Steps, func(s plan.Step) bool { return s.Verb == plan.VerbEnd && s.Guard.In(r.meta.World) })
}

// stateBefore folds the events before the instant, at which a fault begins. In virtual time
// the fault's receipt may have the same instant.
func (r *run) stateBefore(t clock.Instant) *State { return r.stateAt(t - 1) }

func (r *run) in(g plan.Guard) bool { return g.In(r.meta.World) }

// at formats an instant as the time since the first step.
func (r *run) at(t clock.Instant) string {
	return fmt.Sprintf("%+.3fs", t.Sub(r.from).Seconds())
}

func (r *run) span(w window) string { return r.at(w.from) + ".." + r.at(w.to) }

// stateAt folds the events up to and including the instant. It is cached, so callers must not
// change it.
func (r *run) stateAt(t clock.Instant) *State {
	if s := r.folded[t]; s != nil {
		return s
	}
	s := NewState(r.plan, r.meta.World)
	for i := range r.events {
		if r.events[i].At > t {
			break
		}
		s.Apply(&r.events[i])
	}
	r.folded[t] = s
	return s
}

// round rounds milliseconds to whole microseconds.
func round(ms float64) float64 { return math.Round(ms*1000) / 1000 }

// short rounds a duration for messages.
func short(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
