package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"baton/impl/trace"
	"baton/scenarios"
	"baton/scenarios/check"
	"baton/scenarios/plan"
	"baton/sim/parity"
)

func parityCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "parity NETNS SIM",
		Short: "Compare the role changes of a real run with those of a simulated run",
		Long: "Parity compares the role changes in two stored runs of one scenario. Each node must have the same changes in the same\n" +
			"order, with the same reasons, after the same steps; changes into and out of exclusive roles must have the same order on both nodes.\n" +
			"The delay of each change after its step is printed but not judged. baton run --world both makes such a pair of runs.\n\n" +
			"A difference is inconclusive if the scenario has faults that only one world ran, or if the host stalled before it for longer\n" +
			"than the scenario tolerates, or than half a detection time.\n\n" +
			"Exit codes: 0 same, 1 different, 2 bad input, 3 different, but inconclusive.",
		Example:           "  baton parity out/crash-master out/crash-master.sim",
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: completeFolders,
		RunE: func(c *cobra.Command, dirs []string) error {
			verdict, err := compareWorlds(dirs[0], dirs[1])
			if err != nil {
				return err
			}
			return printParity(os.Stdout, verdict, planOf(dirs[0]))
		},
	}
}

// compareWorlds compares the real and the simulated run of one scenario, each in its folder.
func compareWorlds(real, simulated string) (parity.Verdict, error) {
	a, scenario, err := runIn(plan.Netns, real)
	if err != nil {
		return parity.Verdict{}, err
	}
	b, other, err := runIn(plan.Sim, simulated)
	if err != nil {
		return parity.Verdict{}, err
	}
	if scenario != other {
		return parity.Verdict{}, badInput("%s is a run of %s, %s one of %s", real, scenario, simulated, other)
	}
	return parity.Compare(a, b), nil
}

// runIn reads a stored run and checks its world.
func runIn(world, dir string) (events []trace.Event, scenario string, err error) {
	if events, err = scenarios.ReadTrace(dir); err != nil {
		return nil, "", badInput("%w", err)
	}
	if len(events) == 0 || events[0].Meta == nil {
		return nil, "", badInput("%s: the trace does not say what it is a run of", dir)
	}
	if meta := events[0].Meta; meta.World != world {
		return nil, "", badInput("%s is a run in %s, not in %s", dir, meta.World, world)
	}
	return events, events[0].Meta.Scenario, nil
}

// planOf returns the scenario of a stored run; if that cannot be read, one without settings and faults.
func planOf(dir string) *plan.Plan {
	file := filepath.Join(dir, scenarios.ScenarioFile)
	if source, err := os.ReadFile(file); err == nil {
		if p, err := plan.Parse(file, source); err == nil {
			return p
		}
	}
	return &plan.Plan{Tolerate: plan.DefaultTolerate}
}

// parityOutcome returns the outcome of a comparison, with the reason if it is inconclusive.
func parityOutcome(v parity.Verdict, p *plan.Plan) (outcome check.Outcome, why string) {
	if v.Same {
		return check.Pass, ""
	}
	if why := v.Excuse(p); why != "" {
		return check.Inconclusive, why
	}
	return check.Fail, ""
}

// printParity prints a verdict; the error is for the exit code of a difference.
func printParity(w io.Writer, v parity.Verdict, p *plan.Plan) error {
	outcome, why := parityOutcome(v, p)
	fmt.Fprintf(w, "parity: %s\n", v)
	if why != "" {
		fmt.Fprintln(w, why)
	}
	return worst([]check.Outcome{outcome}, false)
}
