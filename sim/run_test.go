package sim_test

import (
	"context"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/impl/trace"
	"baton/scenarios"
	"baton/scenarios/check"
	"baton/scenarios/plan"
	"baton/sim"
)

// parse reads a scenario file of the suite.
func parse(t testing.TB, file string) *plan.Plan {
	t.Helper()
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Parse(file, src)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// execute runs a plan and returns its verdict and events.
func execute(t testing.TB, p *plan.Plan, cfg sim.Config) (check.Verdict, []trace.Event) {
	t.Helper()
	recording := scenarios.NewRecording(p, plan.Sim)
	cfg.Recorder = recording
	w, err := sim.NewWorld(p, cfg)
	if err != nil {
		t.Fatal(err)
	}
	run := scenarios.Run{Plan: p, World: w, Recording: recording, SUT: "reference", Seed: cfg.Seed}
	v, err := run.Execute(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return v, recording.Events()
}

// transcript renders the events that matter, for a failure's message.
func transcript(events []trace.Event) string {
	var b strings.Builder
	for _, e := range events {
		at := time.Duration(e.At).Round(10 * time.Microsecond)
		switch {
		case e.Role != nil && e.Role.Refused == "":
			fmt.Fprintf(&b, "%10v %s %s → %s: %s (epoch %d; closed %v)\n", at, e.Node, e.Role.From, e.Role.To, e.Role.Reason, e.Role.Epoch, e.Role.Closed)
		case e.Role != nil:
			fmt.Fprintf(&b, "%10v %s stays %s: %s\n", at, e.Node, e.Role.To, e.Role.Reason)
		case e.BFD != nil:
			fmt.Fprintf(&b, "%10v %s bfd %s %s → %s (%s)\n", at, e.Node, e.BFD.Path, e.BFD.From, e.BFD.To, e.BFD.Diag)
		case e.Sync != nil:
			fmt.Fprintf(&b, "%10v %s sync %s %d/%d %s\n", at, e.Node, e.Sync.Phase, e.Sync.Entries, e.Sync.Total, e.Sync.Why)
		case e.Fault != nil:
			fmt.Fprintf(&b, "%10v %s %s %s %s\n", at, e.Fault.Verb, e.Fault.Target, e.Fault.Phase, e.Fault.Receipt)
		case e.Step != nil:
			fmt.Fprintf(&b, "%10v step %s: %s\n", at, e.Step.Text, e.Step.Phase)
		case e.Forwarder != nil:
			fmt.Fprintf(&b, "%10v %s carries %s at %s, before %q\n", at, e.Node, e.Forwarder.VIP, e.Forwarder.Edge, e.Forwarder.From)
		case e.Replica != nil:
			fmt.Fprintf(&b, "%10v %s replica %d %s\n", at, e.Node, e.Replica.Entries, e.Replica.Digest)
		case e.Note != "":
			fmt.Fprintf(&b, "%10v %s note: %s\n", at, e.Node, e.Note)
		}
	}
	return b.String()
}

// hash identifies a trace.
func hash(t testing.TB, events []trace.Event) uint64 {
	h := fnv.New64a()
	if err := trace.Write(h, events); err != nil {
		t.Fatal(err)
	}
	return h.Sum64()
}

func files(t testing.TB, pattern string) []string {
	list, err := filepath.Glob("../scenarios/" + pattern)
	if err != nil || len(list) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	return list
}

// TestScenariosPass runs every scenario of the suite under many seeds. A control
// passes if its bug is caught.
func TestScenariosPass(t *testing.T) {
	for pattern, seeds := range map[string]uint64{"*.scn": 20, "library/*/*.scn": 3} {
		if testing.Short() {
			seeds = min(seeds, 3)
		}
		for _, file := range files(t, pattern) {
			pass(t, file, seeds)
		}
	}
}

func pass(t *testing.T, file string, seeds uint64) {
	p := parse(t, file)
	if slices.ContainsFunc(p.Traffic, func(t plan.Traffic) bool { return t.Count >= 100_000 }) {
		seeds = 1 // it takes seconds, and its seeds change little
	}
	t.Run(p.Name, func(t *testing.T) {
		for seed := uint64(1); seed <= seeds; seed++ {
			v, events := execute(t, p, sim.Config{Seed: seed})
			if v.Verdict != check.Pass {
				t.Fatalf("seed %d: %s\n%s\n%s", seed, v.Verdict, strings.Join(v.Reasons, "\n"), transcript(events))
			}
		}
	})
}
