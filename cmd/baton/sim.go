package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"baton/scenarios/plan"
	"baton/scenarios/summary"
	"baton/sim/campaign"
)

// simOptions are the flags of sim.
type simOptions struct {
	campaign.Options
	shard string
	out   string
}

func simCommand() *cobra.Command {
	var o simOptions
	c := &cobra.Command{
		Use:   "sim",
		Short: "Run thousands of random worlds in virtual time",
		Long: "Sim draws a world from each seed (timers, traffic, faults and their rates), runs it with the code that\n" +
			"real nodes run, heals all faults, and checks that nothing was lost and that the pair recovered.\n" +
			"For a violation it prints the seed, a one-line reason and the replay command.\n" +
			"--shard i/n, or JOB_COMPLETION_INDEX and JOB_COMPLETIONS of a Kubernetes Indexed Job, runs a part.",
		Example:           "  baton sim --seeds 10000\n  baton sim --seeds 100000 --shard 3/16 --out results",
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(c *cobra.Command, _ []string) error { return o.run(c.Context()) },
	}
	f := c.Flags()
	f.IntVar(&o.Seeds, "seeds", 1000, "number of seeds")
	f.Uint64Var(&o.Start, "start", 1, "the first seed")
	f.StringVar(&o.shard, "shard", "", "run part i of n: i/n, i from 0")
	f.IntVar(&o.Workers, "workers", 0, "worlds to run in parallel; 0: one per core")
	f.IntVar(&o.MaxViolations, "max-violations", 10, "stop after this many violations; 0: no limit")
	f.BoolVar(&o.Unsafe, "gates-off", false, "turn the gates off in every world, to show that the campaign finds the historical bug")
	f.StringVar(&o.out, "out", "", "folder for campaign.json and the scenario and run of each violation; without it nothing is stored")
	folder(c, "out")
	return c
}

func (o *simOptions) run(ctx context.Context) error {
	if err := o.setShard(os.Getenv("JOB_COMPLETION_INDEX"), os.Getenv("JOB_COMPLETIONS")); err != nil {
		return err
	}
	found := findings{dir: o.out}
	if err := found.open(o.summary(campaign.Progress{Total: o.Total()})); err != nil {
		return err
	}
	o.Progress = func(p campaign.Progress) { fmt.Fprintln(os.Stderr, progressLine(p)) }
	o.Violated = func(v campaign.Violation) {
		name := fmt.Sprintf(campaignPrefix+"%d", v.Seed)
		replay := fmt.Sprintf("baton sim --seeds 1 --start %d%s", v.Seed, o.flagsOfReplay())
		fmt.Printf("seed %d: %s: %s\n  replay: %s\n", v.Seed, v.Check, v.Reason, replay)
		found.add(summary.Violation{Seed: v.Seed, Check: v.Check, Reason: v.Reason, Replay: replay}, name, plan.Print(v.Case.Plan))
		found.run(context.WithoutCancel(ctx), name, v.Case.Plan, v.Seed)
	}
	done, err := campaign.Run(ctx, o.Options)
	if err != nil {
		return errors.Join(err, found.err)
	}
	if err := found.close(o.summary(done)); err != nil {
		return err
	}
	for _, line := range openLines(done.Reasons) {
		fmt.Println(line)
	}
	switch {
	case done.Violations > 0:
		return &exitError{exitFail, fmt.Errorf("sim: %s in %s", english.Plural(done.Violations, "violation", ""), english.Plural(done.Done, "seed", ""))}
	case ctx.Err() != nil:
		return &exitError{exitInconclusive, fmt.Errorf("sim: interrupted after %d of %d seeds", done.Done, done.Total)}
	}
	fmt.Printf("sim: %d seeds, no violation, in %s\n", done.Done, done.Wall.Round(time.Second/10))
	return nil
}

// summary is the stored summary of the campaign.
func (o *simOptions) summary(done campaign.Progress) summary.Summary {
	return summary.Summary{Kind: summary.KindCampaign, Complete: done.Done == done.Total, Wall: done.Wall.Seconds(),
		Campaign: &summary.Campaign{Start: o.Start, Seeds: o.Seeds, Shard: o.Shard, Shards: o.Shards, Unsafe: o.Unsafe,
			Total: done.Total, Done: done.Done, Inconclusive: done.Reasons,
			Simulated: done.Simulated.Seconds(), SeedsPerSecond: done.SeedsPerSecond()}}
}

// openLines lists why seeds were inconclusive, the most frequent reason first.
func openLines(reasons map[string]int) []string {
	names := slices.SortedFunc(maps.Keys(reasons), func(a, b string) int {
		return cmp.Or(cmp.Compare(reasons[b], reasons[a]), cmp.Compare(a, b))
	})
	var lines []string
	for _, name := range names {
		lines = append(lines, fmt.Sprintf("%d inconclusive: %s", reasons[name], name))
	}
	return lines
}

func (o *simOptions) flagsOfReplay() string {
	if o.Unsafe {
		return " --gates-off"
	}
	return ""
}

// setShard works out which part of the seeds to run. A Job that sets only one of its two
// variables is refused: each of its pods would run all seeds.
func (o *simOptions) setShard(index, completions string) error {
	o.Shard, o.Shards = 0, 1
	shard, from := o.shard, "--shard"
	if shard == "" && (index != "" || completions != "") {
		if index == "" || completions == "" {
			return badInput("JOB_COMPLETION_INDEX is %q and JOB_COMPLETIONS %q: set both, neither, or --shard", index, completions)
		}
		shard, from = index+"/"+completions, "JOB_COMPLETION_INDEX/JOB_COMPLETIONS"
	}
	if shard != "" {
		i, n, ok := strings.Cut(shard, "/")
		var errI, errN error
		o.Shard, errI = strconv.Atoi(i)
		o.Shards, errN = strconv.Atoi(n)
		if !ok || errI != nil || errN != nil {
			return badInput("%s %q is not i/n, such as 0/4", from, shard)
		}
		if o.Shards < 1 {
			return badInput("%s %q: at least 1 shard", from, shard)
		}
	}
	if err := o.Options.Validate(); err != nil {
		return badInput("%w", err)
	}
	return nil
}

func progressLine(p campaign.Progress) string {
	return fmt.Sprintf("%d of %d seeds  %.1f seeds/s  %.0f simulated s/s  %d violations  %d inconclusive",
		p.Done, p.Total, p.SeedsPerSecond(), p.Speed(), p.Violations, p.Inconclusive)
}
