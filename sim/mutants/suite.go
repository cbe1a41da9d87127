package mutants

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"baton/scenarios/check"
	"baton/scenarios/plan"
	"baton/sim/campaign"
)

// Extent is how much the simulator's suite runs.
type Extent struct {
	Seeds    int // under which each scenario runs
	Campaign int // seeds of the campaign
}

// DefaultExtent is enough to kill every mutant of the simulator's suite.
var DefaultExtent = Extent{Seeds: 2, Campaign: 60}

// Kill is the first check that failed.
type Kill struct {
	Check string `json:"check"`
	Where string `json:"where"` // scenario and seed, or the test's package
	Why   string `json:"why"`   // its message
}

// folders are the folders of the suite's scenarios, from the module's root.
var folders = []string{"scenarios", "sim/mutants/scenarios"}

// RunSuite runs the simulator's suite and returns its first failure, nil if there is none.
// It runs the case named first, then each scenario under one seed, because that is cheap
// and kills many mutants, then the campaign and then the other seeds.
func RunSuite(ctx context.Context, root string, extent Extent, first string, began func(what string)) (*Kill, error) {
	plans, err := scenarios(root)
	if err != nil {
		return nil, err
	}
	if c, ok := caseNamed(plans, first); ok {
		if kill, err := try(ctx, c, began); kill != nil || err != nil {
			return kill, err
		}
	}
	for seed := uint64(1); seed <= uint64(extent.Seeds); seed++ {
		for _, p := range plans {
			if kill, err := try(ctx, campaign.Case{Seed: seed, Plan: p}, began); kill != nil || err != nil {
				return kill, err
			}
		}
		if seed == 1 {
			if kill, err := drawn(ctx, extent.Campaign, began); kill != nil || err != nil {
				return kill, err
			}
		}
	}
	return nil, nil
}

// caseNamed returns the case with the name that Kill.Where has.
func caseNamed(plans []*plan.Plan, name string) (c campaign.Case, ok bool) {
	scenario := ""
	if _, err := fmt.Sscanf(name, "%s seed %d", &scenario, &c.Seed); err != nil {
		return c, false
	}
	if strings.HasPrefix(scenario, drawnPrefix) {
		drawn, err := campaign.Draw(c.Seed, false)
		return drawn, err == nil
	}
	for _, p := range plans {
		if p.Name == scenario {
			c.Plan = p
		}
	}
	return c, c.Plan != nil
}

// drawnPrefix is the prefix of the names of worlds that a campaign draws.
const drawnPrefix = "campaign-"

// scenarios reads the scenario files.
func scenarios(root string) ([]*plan.Plan, error) {
	var plans []*plan.Plan
	for _, folder := range folders {
		files, err := filepath.Glob(filepath.Join(root, folder, "*.scn"))
		if err != nil || len(files) == 0 {
			return nil, fmt.Errorf("mutants: suite: no scenarios in %s", folder)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, fmt.Errorf("mutants: suite: %w", err)
			}
			p, err := plan.Parse(file, text)
			if err != nil {
				return nil, fmt.Errorf("mutants: suite: %w", err)
			}
			plans = append(plans, p)
		}
	}
	return plans, nil
}

// drawn runs the first seeds of a campaign. It runs one after the other, so that the first
// failure is always the same.
func drawn(ctx context.Context, seeds int, began func(string)) (*Kill, error) {
	for seed := uint64(1); seed <= uint64(seeds); seed++ {
		c, err := campaign.Draw(seed, false)
		if err != nil {
			return nil, fmt.Errorf("mutants: suite: %w", err)
		}
		if kill, err := try(ctx, c, began); kill != nil || err != nil {
			return kill, err
		}
	}
	return nil, nil
}

// try runs one case. Any verdict but a pass is a kill, except an inconclusive run of a drawn
// world. A control fails if its checks pass.
func try(ctx context.Context, c campaign.Case, began func(string)) (*Kill, error) {
	where := fmt.Sprintf("%s seed %d", c.Plan.Name, c.Seed)
	began(where)
	r, err := campaign.Execute(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("mutants: suite: %s: %w", where, err)
	}
	drawn := strings.HasPrefix(c.Plan.Name, drawnPrefix)
	if r.Verdict.Verdict == check.Pass || drawn && r.Verdict.Verdict == check.Inconclusive {
		return nil, nil
	}
	kill := &Kill{Check: "verdict", Where: where, Why: strings.Join(r.Verdict.Reasons, "; ")}
	for _, f := range r.Verdict.Checks {
		if f.Verdict != check.Pass && !f.Control {
			kill.Check, kill.Why = f.Name, f.Detail
			break
		}
	}
	return kill, nil
}
