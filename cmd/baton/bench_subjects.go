package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"baton/netns/subject"
	"baton/reports/scoreboard"
	"baton/scenarios/evidence"
	"baton/scenarios/plan"
)

// benchOptions are the flags of bench-subjects.
type benchOptions struct {
	subjects []string
	repeat   int
	out      string
}

func benchSubjectsCommand() *cobra.Command {
	var o benchOptions
	c := &cobra.Command{
		Use:   "bench-subjects FILE...",
		Short: "Run the same scenarios with several subjects and hold their figures against each other",
		Long: "Bench-subjects runs each scenario with each subject in turn, so that all of them meet the machine in the same state,\n" +
			"and prints a table with a row for each subject, and one with a row for each scenario and subject: the median of times,\n" +
			"the worst of counts, a star at the best, its multiple at the others. Runs are stored in DIR/<subject>/<scenario>;\n" +
			"DIR/scoreboard.md has the tables with a link from each cell to its run.",
		Example: "  baton bench-subjects --subjects reference,keepalived,./my.yaml --repeat 5 scenarios/subjects/board/*.scn",
		Args:    cobra.MinimumNArgs(1), ValidArgsFunction: completeScenarios,
		RunE: func(c *cobra.Command, files []string) error { return o.run(c.Context(), files) },
	}
	f := c.Flags()
	f.StringSliceVar(&o.subjects, "subjects", subject.Names(), "the subjects: names, or adapter files")
	f.IntVar(&o.repeat, "repeat", 1, "how often to run each")
	f.StringVar(&o.out, "out", filepath.Join("out", "subjects"), "folder of the results")
	words(c, "subjects", subject.Names()...)
	folder(c, "out")
	return c
}

func (o *benchOptions) run(ctx context.Context, files []string) error {
	plans, err := parseAll(files)
	if err != nil {
		return err
	}
	if o.repeat < 1 {
		return badInput("--repeat %d: at least 1", o.repeat)
	}
	for _, name := range o.subjects {
		if _, err := subject.Named(name); err != nil {
			return badInput("--subjects %w", err)
		}
	}
	if err := errors.Join(probeReal(), makeFolder("--out", o.out)); err != nil {
		return err
	}
	var runs []scoreboard.Run
	for n := range o.repeat {
		for _, p := range plans {
			for _, name := range o.subjects {
				r, err := o.one(ctx, p, name, n)
				if err != nil {
					return err
				}
				runs = append(runs, r)
			}
		}
	}
	return o.show(runs)
}

// one runs a plan with a subject for the n-th time (from 0).
func (o *benchOptions) one(ctx context.Context, p *plan.Plan, name string, n int) (scoreboard.Run, error) {
	under, err := subject.Named(name)
	if err != nil {
		return scoreboard.Run{}, err
	}
	run := runOptions{world: plan.Netns, sut: name, out: filepath.Join(o.out, under.Name()), seed: 1 + uint64(n), repeat: o.repeat,
		keep: string(evidence.KeepFailed), limit: evidence.Size(evidence.DefaultLimit)}
	if err := run.prepare(p); err != nil {
		return scoreboard.Run{}, err
	}
	dir := run.folder(p, plan.Netns, n)
	fmt.Printf("%s: ", under.Name())
	verdict, err := run.one(ctx, p, dir, n, os.Stdout)
	return scoreboard.Run{Plan: p, Subject: under.Name(), Dir: dir, Verdict: verdict}, err
}

func (o *benchOptions) show(runs []scoreboard.Run) error {
	var page strings.Builder
	fmt.Fprintln(&page, "# Subjects side by side\n\nThe median of times, the worst of counts; a star at the best, its multiple at the others. Each cell opens its run.")
	for _, b := range []scoreboard.Board{scoreboard.Whole(runs), scoreboard.Each(runs)} {
		fmt.Println()
		fmt.Fprintln(&page)
		if err := errors.Join(b.WriteText(os.Stdout), b.WriteMarkdown(&page, o.out)); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(o.out, "scoreboard.md"), []byte(page.String()), 0o644)
}
