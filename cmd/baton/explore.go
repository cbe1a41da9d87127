package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"baton/impl/node"
	"baton/scenarios/summary"
	"baton/sim/explore"
)

// exploreOptions are the flags of explore.
type exploreOptions struct {
	explore.Options
	unsafe bool
	keep   bool
	out    string
}

func exploreCommand() *cobra.Command {
	o := exploreOptions{Options: explore.Defaults()}
	c := &cobra.Command{
		Use:   "explore",
		Short: "Explore every state that two nodes can reach",
		Long: "Explore visits, breadth first, every state that a pair can reach in a number of choices: which sync message arrives next,\n" +
			"whether a write completes, whether time passes, which fault begins or ends. It checks five rules: at most one node\n" +
			"forwards unless the nodes are partitioned; no node is MASTER without its gates; a VIP is announced only after it is\n" +
			"installed; from every state the pair recovers once all faults end; and if all faults but one end, a node that can serve\n" +
			"becomes the only forwarder, whichever fault remains.",
		Example:           "  baton explore --depth 4\n  baton explore --depth 6 --faults 2 --states 200000 --out walk",
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(c *cobra.Command, _ []string) error { return o.run(c.Context()) },
	}
	f := c.Flags()
	f.IntVar(&o.Depth, "depth", o.Depth, "number of choices from the initial state")
	f.IntVar(&o.Faults, "faults", o.Faults, "how many of the choices may be faults")
	f.IntVar(&o.Messages, "messages", o.Messages, "maximum number of sync messages in flight in one direction")
	f.IntVar(&o.Flows, "flows", o.Flows, "number of flows that clients may open")
	f.BoolVar(&o.Directions, "directions", false, "also cut and heal one direction of one path")
	f.BoolVar(&o.Arbiter, "arbiter", false, "give the pair an arbiter: then not even a partition excuses two forwarders")
	f.BoolVar(&o.Gateway, "gateway", false, "make the tracked host the pair's gateway: a node that does not reach it neither claims nor serves alone")
	f.BoolVar(&o.keep, "keep-serving", false, "with --arbiter: the MASTER goes on without it; a partition then excuses two forwarders while a node does not reach it")
	f.IntVar(&o.States, "states", 0, "stop after this many states; 0: no limit")
	f.BoolVar(&o.unsafe, "gates-off", false, "turn the gates off, to show that explore finds the historical bug")
	f.StringVar(&o.out, "out", "", "folder for campaign.json and the scenario of each violation; without it nothing is stored")
	folder(c, "out")
	return c
}

func (o *exploreOptions) run(ctx context.Context) error {
	o.GatesOff = o.unsafe
	if o.Gateway && o.Arbiter {
		return badInput("--gateway and --arbiter are two arbiters; give one")
	}
	if o.keep && !o.Arbiter {
		return badInput("--keep-serving needs --arbiter")
	}
	if o.keep {
		o.Policy = node.KeepServing
	}
	if err := o.Validate(); err != nil {
		return badInput("%w", err)
	}
	found := findings{dir: o.out}
	if err := found.open(o.summary(explore.Report{}, 0)); err != nil {
		return err
	}
	began := time.Now()
	report, err := explore.Run(ctx, o.Options, func(p explore.Progress) {
		fmt.Fprintf(os.Stderr, "depth %d  %d states  %d waiting  %d violations  %.0f states/s\n",
			p.Depth, p.States, p.Waiting, p.Found, float64(p.States)/max(time.Since(began).Seconds(), 1e-9))
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	wall := time.Since(began)
	for i, v := range report.Violations {
		fmt.Println(v)
		reason, _, _ := strings.Cut(v.Reason, "\n")
		found.add(summary.Violation{Check: v.Check, Reason: reason, Replay: o.replay()}, fmt.Sprintf(explorePrefix+"%d-%s", i+1, v.Check), v.Scenario)
	}
	if err := found.close(o.summary(report, wall)); err != nil {
		return err
	}
	fmt.Printf("explore: %s, in %s\n", report, wall.Round(time.Second/10))
	switch {
	case report.Found > 0:
		return &exitError{code: exitFail}
	case err != nil:
		return &exitError{exitInconclusive, fmt.Errorf("explore: interrupted")}
	}
	return nil
}

// replay is the command that repeats the exploration: its bounds alone determine its result.
func (o *exploreOptions) replay() string {
	s := fmt.Sprintf("baton explore --depth %d --faults %d --messages %d --flows %d", o.Depth, o.Faults, o.Messages, o.Flows)
	if o.Directions {
		s += " --directions"
	}
	if o.Arbiter {
		s += " --arbiter"
	}
	if o.Gateway {
		s += " --gateway"
	}
	if o.keep {
		s += " --keep-serving"
	}
	if o.unsafe {
		s += " --gates-off"
	}
	return s
}

func (o *exploreOptions) summary(r explore.Report, wall time.Duration) summary.Summary {
	return summary.Summary{Kind: summary.KindExplore, Complete: r.Complete, Wall: wall.Seconds(),
		Explore: &summary.Explore{Depth: o.Depth, Faults: o.Faults, Messages: o.Messages, Flows: o.Flows, Preempt: o.Preempt.String(),
			Unsafe: o.unsafe, Reached: r.Depth, States: r.States, Transitions: r.Transitions, Levels: r.Levels, Roles: r.Roles}}
}
