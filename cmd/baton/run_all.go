package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"baton/scenarios"
	"baton/scenarios/check"
	"baton/scenarios/plan"
)

// all runs every plan o.repeat times; its error carries the exit code of the worst outcome.
func (o *runOptions) all(ctx context.Context, plans []*plan.Plan) error {
	t := tally{began: time.Now()}
	var tasks []scenarios.Task
	for n := range o.repeat {
		for _, p := range plans {
			alone := slices.ContainsFunc(o.worlds(), p.Punctual)
			tasks = append(tasks, scenarios.Task{Alone: alone, Do: func(ctx context.Context) error { return o.counted(ctx, p, n, &t) }})
		}
	}
	if err := scenarios.Schedule(ctx, o.width, tasks); err != nil {
		return err
	}
	t.print(os.Stdout)
	return worst(slices.Concat(t.runs, t.pairs), o.failOnSkip)
}

// counted runs a plan for the n-th time (from 0) and counts its outcomes. The output of
// parallel runs does not interleave.
func (o *runOptions) counted(ctx context.Context, p *plan.Plan, n int, t *tally) error {
	here := *o
	here.seed += uint64(n)
	var text bytes.Buffer
	out := io.Writer(os.Stdout)
	if o.width > 1 {
		out = &text
	}
	came, err := here.everywhere(ctx, p, n, out)
	t.add(came, text.Bytes())
	return err
}

// outcomes are those of runs, and of the comparisons of two worlds.
type outcomes struct{ runs, pairs []check.Outcome }

// tally counts the outcomes of several runs.
type tally struct {
	mu sync.Mutex
	outcomes
	began time.Time
}

// add counts outcomes and prints their output.
func (t *tally) add(came outcomes, text []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.runs, t.pairs = append(t.runs, came.runs...), append(t.pairs, came.pairs...)
	_, _ = os.Stdout.Write(text)
}

// print writes a line about all runs, if there was more than one: outcomes, wall time and
// CPU time.
func (t *tally) print(w io.Writer) {
	if len(t.runs) < 2 {
		return
	}
	fmt.Fprintf(w, "%d runs: %s", len(t.runs), countOutcomes(t.runs))
	if len(t.pairs) > 0 {
		fmt.Fprintf(w, "; parity: %s", countOutcomes(t.pairs))
	}
	fmt.Fprintf(w, "; %.1fs wall, %.1fs CPU\n", time.Since(t.began).Seconds(), scenarios.ProcessorTime().Seconds())
}

// countOutcomes lists how often each outcome occurs.
func countOutcomes(outcomes []check.Outcome) string {
	counts := map[check.Outcome]int{}
	for _, outcome := range outcomes {
		counts[outcome]++
	}
	var parts []string
	for _, outcome := range []check.Outcome{check.Fail, check.Inconclusive, check.Pass, check.Skip} {
		if n := counts[outcome]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, outcome))
		}
	}
	return strings.Join(parts, ", ")
}

// everywhere runs a plan for the n-th time in the requested worlds. If these are both, it
// compares their runs.
func (o *runOptions) everywhere(ctx context.Context, p *plan.Plan, n int, out io.Writer) (outcomes, error) {
	var came outcomes
	for _, world := range o.worlds() {
		here := *o
		here.world = world
		verdict, err := here.one(ctx, p, o.folder(p, world, n), n, out)
		if err != nil {
			return came, err
		}
		came.runs = append(came.runs, verdict.Verdict)
	}
	if o.world != bothWorlds || slices.Contains(came.runs, scenarios.Skip) {
		return came, nil
	}
	verdict, err := compareWorlds(o.folder(p, plan.Netns, n), o.folder(p, plan.Sim, n))
	if err != nil {
		return came, err
	}
	outcome, why := parityOutcome(verdict, p)
	fmt.Fprintf(out, "  parity: %s\n", verdict.Summary())
	for _, line := range append(verdict.Differences, why) {
		if line != "" {
			fmt.Fprintf(out, "  %s\n", line)
		}
	}
	came.pairs = append(came.pairs, outcome)
	return came, nil
}

// worst is the error with the exit code that covers all outcomes, nil if they all pass. A
// failure outweighs a run that proves nothing.
func worst(outcomes []check.Outcome, failOnSkip bool) error {
	switch {
	case slices.Contains(outcomes, check.Fail), failOnSkip && slices.Contains(outcomes, check.Skip):
		return &exitError{code: exitFail}
	case slices.Contains(outcomes, check.Inconclusive):
		return &exitError{code: exitInconclusive}
	}
	return nil
}
