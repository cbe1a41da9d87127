// Package shrink makes a failing plan minimal: it deletes lines, lowers counts, calms
// chaos and shortens times while the plan still fails. Each candidate is run in the
// simulated world and judged by its checks. It is pure; the command line calls it.
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
	Check string // the check that fails; a smaller plan must fail it too
}

// Doc describes the failure in the scenario file that stores it.
func (f Failure) Doc() string {
	return fmt.Sprintf("Under seed %d in virtual time this failed: %s. Made minimal by baton shrink.", f.Seed, f.Check)
}

// Options bound the search.
type Options struct {
	// Tries limits the number of runs; 0 means 2000.
	Tries int
	// Smaller, if set, is called with each failure that is smaller than the one before.
	Smaller func(f Failure, tries int)
}

const defaultTries = 2000

// Result is the result of a search.
type Result struct {
	Failure
	Runs int
	// Minimal reports that no smaller plan fails. It is false if the search ended early.
	Minimal bool
}

// Minimize returns the smallest failure that it finds. Only a control may have settings
// that reintroduce a historical bug, so a failure with such settings becomes a control of
// the checks that catch the bug. When ctx is done or the tries are used up, Minimize
// returns the best so far.
func Minimize(ctx context.Context, f Failure, o Options) (Result, error) {
	s := search{ctx: ctx, best: f, Options: o}
	if s.Tries == 0 {
		s.Tries = defaultTries
	}
	// The first run ignores ctx: candidates are compared with its verdict.
	if err := s.run(context.WithoutCancel(ctx)); err != nil {
		return Result{}, err
	}
	for s.smaller() {
	}
	if len(f.Plan.Control) == 0 && len(plan.Lint(s.best.Plan).Errors(false)) > 0 {
		if err := s.control(context.WithoutCancel(ctx)); err != nil {
			return Result{}, err
		}
		for s.smaller() { // the checks that a control names need no claim lines
		}
	}
	return Result{Failure: s.best, Runs: s.tries, Minimal: !s.cut}, nil
}

type search struct {
	Options
	ctx   context.Context
	best  Failure
	tries int
	cut   bool // the search ended early
	// verdict is the verdict of the best, and required of smaller plans: FAIL, or PASS for
	// a control that is caught. failed are the checks that fail. open reports that a check is
	// inconclusive; otherwise smaller plans must not have inconclusive checks either.
	verdict check.Outcome
	failed  []string
	open    bool
}

// run runs the best and stores its outcome.
func (s *search) run(ctx context.Context) error {
	v, _, err := Run(ctx, s.best)
	s.verdict, s.failed, s.open = v.Verdict, with(v, check.Fail), len(with(v, check.Inconclusive)) > 0
	return err
}

// control makes the best a control of the checks that fail.
func (s *search) control(ctx context.Context) error {
	if err := s.run(ctx); err != nil {
		return err
	}
	p := *s.best.Plan
	p.Control = s.failed
	s.best.Plan = &p
	return s.run(ctx)
}

// with lists the checks with an outcome.
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

// keep runs a candidate and, if it still fails, makes it the best.
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

// Run reproduces a failure.
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
