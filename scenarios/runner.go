package scenarios

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/check"
	"baton/scenarios/plan"
)

// Run is one execution of a plan in a world.
type Run struct {
	Plan      *plan.Plan
	World     World
	Recording *Recording
	SUT       string
	Seed      uint64
	Origin    *trace.Origin // for the trace; may be nil
	// Began, if set, is called with each step just before the step is executed.
	Began func(step plan.Step)
	// Hold, if set, is called when the timeline has ended, with the verdict so far. The world
	// stays up until Hold returns.
	Hold func(context.Context, check.Verdict)

	start   atomic.Int64 // clock.Instant of the first step, 0 before it
	shift   atomic.Int64 // time.Duration by which waits have delayed the scenario's clock
	traffic bool
	cues    []plan.Cue // traffic cues not executed yet
}

// drainLimit bounds the work after the scenario has ended, for any reason.
const drainLimit = 30 * time.Second

// Execute runs the plan and judges it. It returns an error, ErrUnsupported among others, if the run
// could not be made; a failed scenario is not an error. The world is always taken down before
// Execute returns.
func (r *Run) Execute(ctx context.Context) (check.Verdict, error) {
	r.Plan = r.Plan.Drawn(r.Seed)
	r.record(trace.Event{Kind: trace.KindMeta, Meta: &trace.Meta{
		Version: trace.Version, Scenario: r.Plan.Name, World: r.World.Name(), SUT: r.SUT, Seed: r.Seed,
		Detect: trace.Dur(r.Plan.Detect(r.World.Name())), Origin: r.Origin, Lacks: r.lacks(),
	}})
	err := r.skip()
	if err == nil {
		err = r.World.Up(ctx)
	}
	if err == nil {
		err = r.timeline(ctx)
	}
	if errors.Is(err, ErrDied) {
		err = nil
	}
	if err == nil && r.Hold != nil {
		r.Hold(ctx, check.Judge(r.Plan, r.Recording.Events()))
	}
	err = errors.Join(err, r.down(ctx))
	if err != nil {
		return check.Verdict{}, fmt.Errorf("scenario %s: %w", r.Plan.Name, err)
	}
	return check.Judge(r.Plan, r.Recording.Events()), nil
}

// skip returns why a run would prove nothing, or "".
func (r *Run) skip() error {
	if why := check.Unjudgeable(r.Plan, r.World.Name(), r.lacks()); why != "" {
		return fmt.Errorf("%s: %w", why, ErrUnsupported)
	}
	return r.refused()
}

// refused returns a fault of the plan that the world cannot inject, before anything starts.
func (r *Run) refused() error {
	able, ok := r.World.(Able)
	if !ok {
		return nil
	}
	for _, s := range r.Plan.Steps {
		if s.Fault == nil || !s.Guard.In(r.World.Name()) {
			continue
		}
		if why := able.Refuses(*s.Fault); why != "" {
			return fmt.Errorf("%s:%d:%d: %s: %s: %w", r.Plan.File, s.Pos.Line, s.Pos.Column, s, why, ErrUnsupported)
		}
	}
	return nil
}

// lacks returns the capabilities that the world's subject does not provide.
func (r *Run) lacks() []string {
	if limited, ok := r.World.(Limited); ok {
		return limited.Lacks()
	}
	return nil
}

// down takes the world down, even if ctx has ended.
func (r *Run) down(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainLimit)
	defer cancel()
	return r.World.Down(ctx)
}

// timeline executes the steps. If a wait times out it ends early without an error: the later steps
// would prove nothing, and the checks report the wait.
func (r *Run) timeline(ctx context.Context) error {
	r.start.Store(int64(r.World.Now()))
	r.cues = r.Plan.Cues(r.World.Name())
	for i, step := range r.Plan.Steps {
		if !step.Guard.In(r.World.Name()) || step.Verb == plan.VerbExpect {
			continue
		}
		if step.At > 0 {
			if err := r.startTraffic(ctx, step.At); err != nil {
				return err
			}
		}
		if err := r.cueTraffic(ctx, step.At); err != nil {
			return err
		}
		if err := r.World.Until(ctx, r.due(step.At), nil); err != nil {
			return err
		}
		if r.Began != nil {
			r.Began(step)
		}
		r.recordStep(i, step, "begin")
		outcome, err := r.perform(ctx, i, step)
		if err != nil {
			return err
		}
		r.recordStep(i, step, outcome)
		if outcome == "timeout" {
			return errors.Join(r.World.Settle(ctx), r.stopTraffic(ctx))
		}
	}
	return nil
}

// due converts a time of the scenario to the world's clock.
func (r *Run) due(at time.Duration) clock.Instant {
	return clock.Instant(r.start.Load()).Add(at + time.Duration(r.shift.Load()))
}

// perform executes one step and returns the phase in which the step ended.
func (r *Run) perform(ctx context.Context, i int, step plan.Step) (string, error) {
	switch step.Verb {
	case plan.VerbWait:
		return r.wait(ctx, step.Wait)
	case plan.VerbEnd:
		return "end", r.end(ctx, i)
	}
	if err := r.startTraffic(ctx, step.At); err != nil {
		return "", err
	}
	return "end", r.World.Do(ctx, *step.Fault)
}

// wait stops the scenario's clock until the conditions are true.
func (r *Run) wait(ctx context.Context, w *plan.Wait) (string, error) {
	within, err := w.Within.Duration(r.Recording.Env())
	if err != nil {
		return "", err
	}
	began := r.World.Now()
	holds := false
	err = r.World.Until(ctx, began.Add(within), func() bool {
		holds, _ = r.Recording.Holds(w.Conds)
		return holds
	})
	if err != nil {
		return "", err
	}
	r.shift.Add(int64(r.World.Now().Sub(began)))
	if !holds {
		return "timeout", nil
	}
	return "end", nil
}

// end waits for the windows of the expectations, stops the traffic, and then gives the pair time to
// meet the eventual conditions.
func (r *Run) end(ctx context.Context, end int) error {
	for i, step := range r.Plan.Steps {
		if step.Expect == nil || step.Expect.Eventually || !step.Guard.In(r.World.Name()) {
			continue
		}
		until, err := r.windowEnd(r.Plan.Steps[r.Plan.Anchor(i)], step.Expect)
		if err != nil {
			return err
		}
		if err := r.World.Until(ctx, until, nil); err != nil {
			return err
		}
	}
	if err := errors.Join(r.World.Settle(ctx), r.stopTraffic(ctx)); err != nil {
		return err
	}
	for i, step := range r.Plan.Steps {
		if step.Expect == nil || !step.Expect.Eventually || r.Plan.Anchor(i) != end && i != end || !step.Guard.In(r.World.Name()) {
			continue
		}
		if err := r.eventually(ctx, step.Expect); err != nil {
			return err
		}
	}
	return nil
}

// windowEnd returns the latest time at which an expectation of the anchor is decided.
func (r *Run) windowEnd(anchor plan.Step, e *plan.Expect) (clock.Instant, error) {
	for _, window := range []*plan.Expr{e.Within, e.Throughout} {
		if window != nil {
			d, err := window.Duration(r.Recording.Env())
			return r.due(anchor.At).Add(d), err
		}
	}
	return r.World.Now(), nil
}

func (r *Run) eventually(ctx context.Context, e *plan.Expect) error {
	within := plan.DefaultWithin
	if e.Within != nil {
		var err error
		if within, err = e.Within.Duration(r.Recording.Env()); err != nil {
			return err
		}
	}
	return r.World.Until(ctx, r.World.Now().Add(within), func() bool {
		holds, _ := r.Recording.Holds(e.Conds)
		return holds
	})
}

// startTraffic starts the traffic once. If opening it takes longer than until the next step, it
// stops the scenario's clock meanwhile, so the time between steps stays the same.
func (r *Run) startTraffic(ctx context.Context, next time.Duration) error {
	if r.traffic {
		return nil
	}
	r.traffic = true
	err := r.World.StartTraffic(ctx)
	r.shift.Add(int64(max(0, r.World.Now().Sub(r.due(next)))))
	return err
}

// cueTraffic starts and stops the lines that are due until a time of the scenario.
func (r *Run) cueTraffic(ctx context.Context, until time.Duration) error {
	for len(r.cues) > 0 && r.cues[0].At <= until {
		cue := r.cues[0]
		r.cues = r.cues[1:]
		err := r.World.Until(ctx, r.due(cue.At), nil)
		if err == nil {
			err = r.World.Cue(cue)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *Run) stopTraffic(ctx context.Context) error {
	if !r.traffic {
		return nil
	}
	return r.World.StopTraffic(ctx)
}

func (r *Run) recordStep(index int, step plan.Step, phase string) {
	r.record(trace.Event{Kind: trace.KindStep, Step: &trace.Step{Index: index, Text: step.Text, Phase: phase}})
}

func (r *Run) record(e trace.Event) {
	e.At = r.World.Now()
	r.Recording.Record(e)
}

// Remaining returns how much of the scenario is left, without the duration of future waits. It may
// be called from another goroutine than Execute's.
func (r *Run) Remaining() time.Duration {
	last := r.Plan.Steps[len(r.Plan.Steps)-1]
	if r.start.Load() == 0 {
		return last.At
	}
	return max(0, r.due(last.At).Sub(r.World.Now()))
}
