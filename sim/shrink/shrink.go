// Package shrink makes a failing plan minimal: it deletes lines, lowers counts and
// shortens times for as long as the plan still fails. Whether it does is for the
// checks to say, of a run in the simulated world. It is pure; the command line calls it.
package shrink

import (
	"context"
	"fmt"

	"baton/impl/trace"
	"baton/scenarios"
	"baton/scenarios/check"
	"baton/scenarios/plan"
	"baton/sim"
)

// Failure is a plan that fails under a seed.
type Failure struct {
	Plan  *plan.Plan
	Seed  uint64
	Check string // that fails, and must go on failing
}

// Doc says what the failure is, for the file in which it is kept.
func (f Failure) Doc() string {
	return fmt.Sprintf("Under seed %d in virtual time this failed: %s. Made minimal by baton shrink.", f.Seed, f.Check)
}

// Options bound the search.
type Options struct {
	// Tries is how many runs may be made; 0 means 2000.
	Tries int
	// Smaller, if set, is called with each failure that is smaller than the one before.
	Smaller func(f Failure, tries int)
}

const defaultTries = 2000

// Minimize returns the smallest failure that it finds, and how many runs it took.
// It ends early when ctx is done, with what it has.
func Minimize(ctx context.Context, f Failure, o Options) (Failure, int) {
	s := search{ctx: ctx, best: f, Options: o}
	if s.Tries == 0 {
		s.Tries = defaultTries
	}
	for s.smaller() {
	}
	return s.best, s.tries
}

type search struct {
	Options
	ctx   context.Context
	best  Failure
	tries int
}

// smaller takes the first smaller plan that still fails.
func (s *search) smaller() bool {
	for p := range plan.Candidates(s.best.Plan) {
		c := s.best
		c.Plan = p
		if s.over() {
			return false
		}
		if s.keep(c) {
			return true
		}
	}
	return false
}

func (s *search) over() bool { return s.tries >= s.Tries || s.ctx.Err() != nil }

// keep runs a failure and, if it is one, makes it the best.
func (s *search) keep(f Failure) bool {
	s.tries++
	v, _, err := Run(s.ctx, f)
	if err != nil || !fails(v, f.Check) {
		return false
	}
	s.best = f
	if s.Smaller != nil {
		s.Smaller(f, s.tries)
	}
	return true
}

// Run runs a failure once more.
func Run(ctx context.Context, f Failure) (check.Verdict, []trace.Event, error) {
	recording := scenarios.NewRecording(f.Plan, plan.Sim)
	w, err := sim.NewWorld(f.Plan, sim.Config{Seed: f.Seed, Recorder: recording})
	if err != nil {
		return check.Verdict{}, nil, err
	}
	run := scenarios.Run{Plan: f.Plan, World: w, Recording: recording, SUT: "reference", Seed: f.Seed}
	v, err := run.Execute(ctx)
	return v, recording.Events(), err
}

func fails(v check.Verdict, name string) bool {
	for _, c := range v.Checks {
		if c.Name == name && c.Verdict == check.Fail {
			return true
		}
	}
	return false
}
