package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"baton/netns/subject"
	"baton/reports/scoreboard"
	"baton/scenarios/check"
	"baton/scenarios/evidence"
	"baton/scenarios/plan"
)

// benchOptions are the flags of bench-subjects.
type benchOptions struct {
	subjects, own []string
	repeat        int
	failOnSkip    bool
	out           string
}

// nobody is the value of --own with which no verdict affects the exit code.
const nobody = "none"

func benchSubjectsCommand() *cobra.Command {
	var o benchOptions
	c := &cobra.Command{
		Use:   "bench-subjects FILE...",
		Short: "Run the same scenarios with several subjects and compare their figures",
		Long: "Bench-subjects runs each scenario with each subject in turn, so that all subjects run under the same load of the machine.\n" +
			"It prints two tables: one with a column for each subject, one with a row for each scenario and subject. Times are medians,\n" +
			"counts are the worst of all runs. A star marks the best; the others show their multiple of it. Runs are stored in DIR/<subject>/<scenario>;\n" +
			"DIR/scoreboard.md has the tables, with a link from each cell to its run.\n\n" +
			"The exit code is that of the worst run, as with baton run. With --own reference,./my.yaml only runs of these subjects count,\n" +
			"and a failure of another subject is only a result. With --own none the exit code is 0 once everything was run.",
		Example: "  baton bench-subjects --subjects reference,keepalived,keepalived:conntrackd=cache --repeat 5 scenarios/subjects/board/*.scn\n" +
			"  baton bench-subjects --subjects reference,./my.yaml --own ./my.yaml my/*.scn",
		Args: cobra.MinimumNArgs(1), ValidArgsFunction: completeScenarios,
		RunE: func(c *cobra.Command, files []string) error { return o.run(c.Context(), files) },
	}
	f := c.Flags()
	f.StringSliceVar(&o.subjects, "subjects", subject.Names(), "names of subjects or adapter files; append :OPTION=VALUE for a variant")
	f.StringSliceVar(&o.own, "own", nil, "subjects whose verdicts decide the exit code, or none (default: all)")
	f.IntVar(&o.repeat, "repeat", 1, "how often to run each")
	f.BoolVar(&o.failOnSkip, "fail-on-skip", false, "treat a skipped run as a failure (exit code 1)")
	f.StringVar(&o.out, "out", filepath.Join("out", "subjects"), "folder of the results")
	words(c, "subjects", subject.Names()...)
	words(c, "own", append(subject.Names(), nobody)...)
	folder(c, "out")
	return c
}

func (o *benchOptions) run(ctx context.Context, files []string) error {
	plans, err := parseAll(files)
	if err != nil {
		return err
	}
	counts, err := o.check()
	if err != nil {
		return err
	}
	if err := errors.Join(probeReal(), makeFolder("--out", o.out)); err != nil {
		return err
	}
	runs, err := o.all(ctx, plans)
	if len(runs) > 0 { // even if the last one was interrupted
		err = errors.Join(err, o.show(runs))
	}
	if err != nil {
		return err
	}
	return o.outcome(runs, counts)
}

// check refuses invalid flags and returns the names of the subjects whose
// verdicts count.
func (o *benchOptions) check() (counts []string, err error) {
	if o.repeat < 1 {
		return nil, badInput("--repeat %d: at least 1", o.repeat)
	}
	if len(o.subjects) == 0 {
		return nil, badInput("--subjects: name one or more")
	}
	named := map[string]string{} // subject name to the text of the flag
	for _, spec := range o.subjects {
		s, err := subject.Named(spec)
		if err != nil {
			return nil, badInput("--subjects %w", err)
		}
		if twin, twice := named[s.Name()]; twice {
			return nil, badInput("--subjects: %s and %s are both called %s, and results are stored by that name: change name: in the adapter file", twin, spec, s.Name())
		}
		named[s.Name()] = spec
		if len(o.own) == 0 || slices.Contains(o.own, spec) || slices.Contains(o.own, s.Name()) {
			counts = append(counts, s.Name())
		}
	}
	for _, own := range o.own {
		if _, is := named[own]; !is && !slices.Contains(o.subjects, own) && own != nobody {
			return nil, badInput("--own %s: not among --subjects %s", own, strings.Join(o.subjects, ","))
		}
	}
	if slices.Contains(o.own, nobody) && len(o.own) > 1 {
		return nil, badInput("--own %s: %s cannot be combined with subjects", strings.Join(o.own, ","), nobody)
	}
	return counts, nil
}

// all runs each plan with each subject, o.repeat times. On error it returns the runs made
// before it.
func (o *benchOptions) all(ctx context.Context, plans []*plan.Plan) (runs []scoreboard.Run, err error) {
	for n := range o.repeat {
		for _, p := range plans {
			for _, name := range o.subjects {
				r, err := o.one(ctx, p, name, n)
				if err != nil {
					return runs, err
				}
				runs = append(runs, r)
			}
		}
	}
	return runs, nil
}

// outcome is the exit code of the worst run of the subjects that count.
func (o *benchOptions) outcome(runs []scoreboard.Run, counts []string) error {
	var outcomes []check.Outcome
	for _, r := range runs {
		if slices.Contains(counts, r.Subject) {
			outcomes = append(outcomes, r.Verdict.Verdict)
		}
	}
	return worst(outcomes, o.failOnSkip)
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
	fmt.Fprintln(&page, "# Subjects side by side\n\nTimes are medians, counts are the worst of all runs. A star marks the best; the others show their multiple of it. Each cell links to its run.")
	for _, b := range []scoreboard.Board{scoreboard.Whole(runs), scoreboard.Each(runs)} {
		fmt.Println()
		fmt.Fprintln(&page)
		if err := errors.Join(b.WriteText(os.Stdout), b.WriteMarkdown(&page, o.out)); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(o.out, "scoreboard.md"), []byte(page.String()), 0o644)
}
