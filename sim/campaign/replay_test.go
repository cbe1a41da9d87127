package campaign_test

import (
	"context"
	"encoding/json"
	"testing"

	"baton/impl/trace"
	"baton/scenarios/plan"
	"baton/sim/campaign"
)

// TestAPrintedCaseIsTheCase: a drawn case that is printed and parsed again gives the same run.
func TestAPrintedCaseIsTheCase(t *testing.T) {
	chaotic := 0
	for seed := uint64(1); seed <= 12; seed++ {
		drawn, err := campaign.Draw(seed, seed%4 == 0)
		if err != nil {
			t.Fatal(err)
		}
		if drawn.Plan.ChaosIn(plan.Sim) {
			chaotic++
		}
		if drawn.Plan.ChaosIn(plan.Netns) {
			t.Errorf("seed %d: the namespaces are asked for chaos, which only the simulator has", seed)
		}
		text := plan.Print(drawn.Plan)
		read, err := plan.Parse("seed.scn", []byte(text))
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, text)
		}
		first, err := campaign.Execute(context.Background(), drawn)
		if err != nil {
			t.Fatal(err)
		}
		second, err := campaign.Execute(context.Background(), campaign.Case{Seed: seed, Plan: read})
		if err != nil {
			t.Fatal(err)
		}
		if a, b := rendered(t, first.Events()), rendered(t, second.Events()); a != b {
			t.Errorf("seed %d: the printed case runs differently from the drawn one\n%s", seed, text)
		}
	}
	if chaotic < 3 {
		t.Errorf("chaos in %d cases only: the test has lost its subject", chaotic)
	}
}

func rendered(t *testing.T, events []trace.Event) string {
	t.Helper()
	text, err := json.Marshal(events)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestChaosLinesChangeTheRun(t *testing.T) {
	for seed := uint64(1); seed < 100; seed++ {
		c, err := campaign.Draw(seed, false)
		if err != nil {
			t.Fatal(err)
		}
		if !c.Plan.ChaosIn(plan.Sim) {
			continue
		}
		with, err := campaign.Execute(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		calm := *c.Plan
		calm.Chaos = nil
		without, err := campaign.Execute(context.Background(), campaign.Case{Seed: seed, Plan: &calm})
		if err != nil {
			t.Fatal(err)
		}
		if rendered(t, with.Events()) == rendered(t, without.Events()) {
			t.Errorf("seed %d: its chaos changes nothing", seed)
		}
		return
	}
	t.Fatal("no chaos in 100 seeds")
}
