// Command hashes prints hashes of traces and verdicts: a line for each seed of a campaign
// and for each scenario file in the arguments. The determinism test runs it in processes
// of different kinds, which must print the same lines.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"

	"baton/impl/trace"
	"baton/scenarios/plan"
	"baton/sim"
	"baton/sim/campaign"
)

func main() {
	start := flag.Uint64("start", 1, "the first seed of the campaign")
	seeds := flag.Int("seeds", 0, "how many seeds of the campaign")
	flag.Parse()
	if err := run(*start, *seeds, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(start uint64, seeds int, files []string) error {
	for seed := start; seed < start+uint64(seeds); seed++ {
		c, err := campaign.Draw(seed, false)
		if err != nil {
			return err
		}
		if err := show(c); err != nil {
			return err
		}
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		// Once unchanged, once with every kind of chaos.
		for _, more := range []string{"", campaign.DrawChaos(sim.NewRandom(7, "hashes"), 1)} {
			p, err := plan.Parse(filepath.Base(file), append(text, more...))
			if err != nil {
				return err
			}
			if err := show(campaign.Case{Seed: start, Plan: p}); err != nil {
				return err
			}
		}
	}
	return nil
}

// show prints the hash of a case's trace and verdict, and figures that help to find where two
// processes diverge.
func show(c campaign.Case) error {
	r, err := campaign.Execute(context.Background(), c)
	if err != nil {
		return err
	}
	h, events := fnv.New64a(), r.Events()
	if err := trace.Write(h, events); err != nil {
		return err
	}
	if err := json.NewEncoder(h).Encode(r.Verdict); err != nil {
		return err
	}
	fmt.Printf("%s seed %d: %d events, %v, %s: %016x\n", c.Plan.Name, c.Seed, len(events), r.Simulated, r.Verdict.Verdict, h.Sum64())
	return nil
}
