// Package cause finds the cause of damage in a trace: a node that ended by itself, a claim without
// its gates, a lease that outlived its role, a MASTER that did not announce its VIPs, a table that
// lacked flows. It knows the rules of the pair, not those of a scenario. It judges nothing: the checks
// have failed already. It is pure; package reports calls it.
package cause

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
)

// Cause is one action or omission of a node.
type Cause struct {
	At   clock.Instant
	Node string
	What string // without times and counts, so that runs with the same cause have the same text
}

// Harm is the failure that needs a cause.
type Harm struct {
	From, To clock.Instant
	// Kind is the kind of harm.
	Kind Kind
	// Node is the node of a failed expectation, "" if none.
	Node string
	// Ended: a silence ended by itself, because the flows continued.
	Ended bool
}

func (h Harm) window() stretch { return stretch{h.From, h.To} }

// Kind of harm.
type Kind int

const (
	Broken      Kind = iota // a rule of the pair was broken
	Silence                 // clients got no answer
	Ended                   // connections were reset or ended
	Moved                   // flows were given to another backend
	Waiting                 // a node did not get an expected role
	Unsynced                // a node did not get in sync
	Apart                   // the pair did not converge
	Mixed                   // a flow got the answer to another flow
	Uncaught                // a control's bug did no damage
	Unconnected             // new connections failed
)

// Of returns the cause of a harm, or false if the trace does not show one.
func Of(events []trace.Event, harm Harm) (Cause, bool) {
	if harm.Kind == Uncaught {
		list := keptTable(events)
		if len(list) == 0 {
			return Cause{}, false
		}
		return list[0].Cause, true
	}
	_, before := lastFault(events, harm.From)
	list := slices.DeleteFunc(misdeeds(events), func(m misdeed) bool {
		return m.At > harm.To.Add(grace) || m.At < before && !m.lasting || m.prolongs && harm.Kind == Silence && m.At.Sub(harm.From) > harm.To.Sub(m.At)
	})
	if len(list) > 0 {
		best := slices.MinFunc(list, func(a, b misdeed) int {
			return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.At.Sub(harm.From).Abs(), b.At.Sub(harm.From).Abs()))
		})
		return best.Cause, true
	}
	return situation(events, harm)
}

// grace is how long after the first sign of a harm its cause may be recorded, because different
// hosts record the two.
const grace = 10 * time.Millisecond

// misdeed is a cause that breaks a rule of the pair.
type misdeed struct {
	Cause
	rank int // the lowest rank wins; of equal ranks, the nearest in time
	// A lasting misdeed counts even after further faults.
	lasting bool
	// A misdeed that prolongs a silence explains only one that lasts longer after it than before.
	prolongs bool
}

// misdeeds returns all misdeeds of a run.
func misdeeds(events []trace.Event) []misdeed {
	var list []misdeed
	for rank, detect := range []func([]trace.Event) []misdeed{died, ungated, seized, beside, outlived, keptLease, adopted, sharedPort, sameEpoch, unannounced, detectedLate} {
		for _, m := range detect(events) {
			m.rank = rank
			list = append(list, m)
		}
	}
	return list
}

func at(e trace.Event, format string, args ...any) misdeed {
	return misdeed{Cause: Cause{At: e.At, Node: e.Node, What: fmt.Sprintf(format, args...)}}
}
