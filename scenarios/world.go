// Package scenarios runs a Plan in a World and judges the trace. It does not depend on a world:
// packages netns (real kernel) and sim (virtual time) implement the interface, and the caller
// passes one in.
package scenarios

import (
	"context"
	"errors"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/evidence"
	"baton/scenarios/plan"
)

// World executes the verbs of a Plan. The runner calls its methods from one goroutine. Its events
// may be recorded from other goroutines.
type World interface {
	// Name is "netns" or "sim".
	Name() string
	// Up builds the topology and starts every node, but no traffic.
	Up(ctx context.Context) error
	// StartTraffic starts every traffic line of the plan without a start time of its own.
	StartTraffic(ctx context.Context) error
	// Cue starts or stops a traffic line. It waits neither until the line's connections are open
	// nor for outstanding answers.
	Cue(plan.Cue) error
	// Do begins a fault and returns at once. The receipt, or the lack of one, is recorded later.
	// Do waits only for an earlier fault of the same host. It returns an error only if the rest of
	// the run would be pointless; a missing receipt is not an error.
	Do(ctx context.Context, fault plan.Fault) error
	// Settle waits until the receipt of every fault is recorded.
	Settle(ctx context.Context) error
	// Now is the present time on the trace's time axis.
	Now() clock.Instant
	// Until waits until the instant, or until done returns true. It calls done once at the
	// beginning and after each recorded event.
	Until(ctx context.Context, at clock.Instant, done func() bool) error
	// StopTraffic lets the generators finish and write their totals.
	StopTraffic(ctx context.Context) error
	// Down removes everything and records what it could not remove (trace.Leak).
	Down(ctx context.Context) error
}

// Witness is a World with evidence of its run besides the trace. Evidence is called after Down. It
// stores the requested evidence, or why it is missing.
type Witness interface {
	Evidence(*evidence.Store, evidence.Ask) error
}

// Limited is a World whose subject does not provide every capability. Lacks lists the missing ones
// by their names in package capability. It may be called before Up.
type Limited interface{ Lacks() []string }

// Able is a World that cannot inject every fault. Refuses says why it cannot inject one, or "" if
// it can. It may be called before Up.
type Able interface{ Refuses(plan.Fault) string }

// Recorder collects the events of a run. Implementations are safe for
// concurrent use.
type Recorder interface {
	Record(trace.Event)
}

// ErrDied is wrapped by the error of a World in which a node's process ended by itself. The trace
// records it too, and the run has a verdict.
var ErrDied = errors.New("a node ended by itself")

// ErrUnsupported is wrapped by the error of a World that lacks something that the plan needs. The
// run is then a skip with that reason.
var ErrUnsupported = errors.New("not supported by this world")
