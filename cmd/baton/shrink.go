package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"baton/scenarios/check"
	"baton/scenarios/plan"
	"baton/sim/campaign"
	"baton/sim/shrink"
)

// shrinkOptions are the flags of shrink.
type shrinkOptions struct {
	seed   uint64
	tries  int
	within time.Duration
	unsafe bool
}

func shrinkCommand() *cobra.Command {
	var o shrinkOptions
	c := &cobra.Command{
		Use:   "shrink --seed S [FILE]",
		Short: "Reduce a failure in virtual time to a minimal scenario",
		Long: "Shrink deletes lines, lowers counts, weakens chaos and shortens times as long as the same check still\n" +
			"fails, and prints the resulting scenario. With unsafe settings it is a control that names the failing checks.\n" +
			"Without a file it shrinks the scenario that `baton sim` draws from the seed. Ctrl-C prints the smallest so far.",
		Example: "  baton shrink --seed 4711 > bug.scn\n  baton shrink --seed 1 my-scenario.scn",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, files []string) error {
			if o.tries < 1 || o.within <= 0 {
				return badInput("shrink: --tries %d --within %v: both must be above 0", o.tries, o.within)
			}
			failure, err := o.failure(c.Context(), files)
			if err != nil {
				return err
			}
			return o.run(c.Context(), failure)
		},
		ValidArgsFunction: completeScenarios,
	}
	f := c.Flags()
	f.Uint64Var(&o.seed, "seed", 1, "the seed under which it fails")
	f.IntVar(&o.tries, "tries", 2000, "maximum number of runs")
	f.DurationVar(&o.within, "within", 5*time.Minute, "maximum time")
	f.BoolVar(&o.unsafe, "gates-off", false, "the seed is from a campaign with --gates-off")
	must(c.MarkFlagRequired("seed"))
	return c
}

// failure is the scenario to shrink, with the check that fails first.
func (o *shrinkOptions) failure(ctx context.Context, files []string) (shrink.Failure, error) {
	var f shrink.Failure
	if len(files) == 1 {
		p, err := parseOne(files[0])
		if err != nil {
			return f, err
		}
		f = shrink.Failure{Plan: p, Seed: o.seed}
	} else {
		drawn, err := campaign.Draw(o.seed, o.unsafe)
		if err != nil {
			return f, err
		}
		f = shrink.Failure{Plan: drawn.Plan, Seed: drawn.Seed}
	}
	verdict, _, err := shrink.Run(ctx, f)
	if err != nil {
		return f, err
	}
	for _, c := range verdict.Checks {
		if c.Verdict == check.Fail && verdict.Verdict != check.Inconclusive {
			f.Check = c.Name
			return f, nil
		}
	}
	return f, badInput("shrink: seed %d does not fail: %s", o.seed, verdict.Verdict)
}

func (o *shrinkOptions) run(ctx context.Context, f shrink.Failure) error {
	bounded, cancel := context.WithTimeout(ctx, o.within)
	defer cancel()
	small, err := shrink.Minimize(bounded, f, shrink.Options{Tries: o.tries, Smaller: func(f shrink.Failure, tries int) {
		fmt.Fprintf(os.Stderr, "%s: %s, %s of traffic, %d of chaos\n",
			english.Plural(tries, "run", ""), english.Plural(len(f.Plan.Steps), "step", ""), english.Plural(len(f.Plan.Traffic), "line", ""), len(f.Plan.Chaos))
	}})
	if err != nil {
		return err
	}
	small.Plan.Doc = small.Doc()
	fmt.Print(plan.Print(small.Plan))
	switch {
	case ctx.Err() != nil:
		return &exitError{exitInconclusive, fmt.Errorf("shrink: interrupted after %d runs: a smaller scenario may fail too", small.Runs)}
	case !small.Minimal:
		fmt.Fprintf(os.Stderr, "%d runs: a smaller one may fail too; allow more with --tries and --within\n", small.Runs)
	default:
		fmt.Fprintf(os.Stderr, "%d runs: no smaller one fails\n", small.Runs)
	}
	return nil
}
