// Package shrink makes a failing plan minimal: it deletes lines, lowers counts, calms
// chaos and shortens times for as long as the plan still fails. Whether it does is for
// the checks to say, of a run in the simulated world. It is pure; the command line calls it.
package shrink

import (
	"context"
	"fmt"
	"slices"

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

// Result is what a search came to.
type Result struct {
	Failure
	Runs int
	// Minimal is true where no smaller plan fails, false where the search ended
	// before that was known.
	Minimal bool
}

// Minimize returns the smallest failure that it finds. One whose settings bring a
// historical bug back, which a scenario may do as a control only, becomes a control of
// the checks that catch it. It ends early when ctx is done or the tries are used up,
// with what it has.
func Minimize(ctx context.Context, f Failure, o Options) (Result, error) {
	s := search{ctx: ctx, best: f, Options: o}
	if s.Tries == 0 {
		s.Tries = defaultTries
	}
	// A run cannot be interrupted here: without it there is nothing to go by.
	if err := s.run(context.WithoutCancel(ctx)); err != nil {
		return Result{}, err
	}
	for s.smaller() {
	}
	if len(f.Plan.Control) == 0 && len(plan.Lint(s.best.Plan).Errors(false)) > 0 {
		if err := s.control(context.WithoutCancel(ctx)); err != nil {
			return Result{}, err
		}
		for s.smaller() { // what a control states needs no line
		}
	}
	return Result{Failure: s.best, Runs: s.tries, Minimal: !s.cut}, nil
}

type search struct {
	Options
	ctx   context.Context
	best  Failure
	tries int
	cut   bool // it ended before it was through
	// verdict is what the run comes to, and must go on coming to: FAIL, or PASS for a
	// control that is caught as it should be. failed are the checks that fail, open
	// says that one proves nothing: no smaller plan may be the first of which that is so.
	verdict check.Outcome
	failed  []string
	open    bool
}

// run learns what the best comes to.
func (s *search) run(ctx context.Context) error {
	v, _, err := Run(ctx, s.best)
	s.verdict, s.failed, s.open = v.Verdict, with(v, check.Fail), len(with(v, check.Inconclusive)) > 0
	return err
}

// control makes the best a control of what fails.
func (s *search) control(ctx context.Context) error {
	if err := s.run(ctx); err != nil {
		return err
	}
	p := *s.best.Plan
	p.Control = s.failed
	s.best.Plan = &p
	return s.run(ctx)
}

// with lists the checks that came to an outcome.
func with(v check.Verdict, outcome check.Outcome) (names []string) {
	for _, c := range v.Checks {
		if c.Verdict == outcome {
			names = append(names, c.Name)
		}
	}
	return names
}

// smaller takes the first smaller plan that still fails.
func (s *search) smaller() bool {
	for p := range plan.Candidates(s.best.Plan) {
		c := s.best
		c.Plan = p
		if s.tries >= s.Tries {
			s.cut = true
			return false
		}
		if s.keep(c) {
			return true
		}
		if s.ctx.Err() != nil {
			s.cut = true
			return false
		}
	}
	return false
}

// keep runs a failure and, if it is one, makes it the best.
func (s *search) keep(f Failure) bool {
	s.tries++
	v, _, err := Run(s.ctx, f)
	if err != nil || v.Verdict != s.verdict || !slices.Contains(with(v, check.Fail), f.Check) ||
		!s.open && len(with(v, check.Inconclusive)) > 0 {
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
