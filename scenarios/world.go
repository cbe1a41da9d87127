// Package scenarios runs a Plan in a World and judges what happened. It knows no
// world: package netns (real kernel) and package sim (virtual time) implement
// the interface, and the command line hands one in.
package scenarios

import (
	"context"
	"errors"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/evidence"
	"baton/scenarios/plan"
)

// World executes the verbs of a Plan. The runner calls its methods from one
// goroutine; the events that it records may come from others.
type World interface {
	// Name is "netns" or "sim".
	Name() string
	// Up builds the topology and starts every node. Traffic does not run yet.
	Up(ctx context.Context) error
	// StartTraffic starts every traffic line of the plan that has no time of its own to
	// start at.
	StartTraffic(ctx context.Context) error
	// Cue starts or stops a line whose time has come. It waits neither for what the line
	// opens nor for what is outstanding.
	Cue(plan.Cue) error
	// Do begins a fault and returns without waiting for what takes its time: the
	// receipt, or the lack of one, comes into the trace beside the timeline. It waits
	// only for an earlier fault of the same machine. The error is for what makes the
	// rest of the run pointless; a missing receipt is not that.
	Do(ctx context.Context, fault plan.Fault) error
	// Settle waits until what came of every fault is in the trace.
	Settle(ctx context.Context) error
	// Now is the present instant on the trace's time axis.
	Now() clock.Instant
	// Until lets time pass until the instant, or until done reports true. It calls
	// done after each event that is recorded, and once at the beginning.
	Until(ctx context.Context, at clock.Instant, done func() bool) error
	// StopTraffic lets the generators finish and write their totals.
	StopTraffic(ctx context.Context) error
	// Down takes everything away and records what could not be (trace.Leak).
	Down(ctx context.Context) error
}

// Witness is a World that has evidence of its run besides the trace. Evidence is
// called after Down and puts what is asked for into the store, or why it lacks it.
type Witness interface {
	Evidence(*evidence.Store, evidence.Ask) error
}

// Limited is a World whose subject does not provide every capability. Lacks lists
// those that it does not, by their names in package capability; it may be called
// before Up.
type Limited interface{ Lacks() []string }

// Able is a World that cannot do every fault. Refuses says why it cannot do one, "" if it
// can; it may be called before Up.
type Able interface{ Refuses(plan.Fault) string }

// Recorder collects the events of a run. Implementations are safe for
// concurrent use.
type Recorder interface {
	Record(trace.Event)
}

// ErrDied is wrapped by the error of a World in which a node ended by itself. The trace
// says so too, and the run has a verdict.
var ErrDied = errors.New("a node ended by itself")

// ErrUnsupported is wrapped by the error of a World that lacks what a plan asks
// for; the run is then a skip with that reason.
var ErrUnsupported = errors.New("not supported by this world")
