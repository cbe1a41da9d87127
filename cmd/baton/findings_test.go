package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"baton/scenarios/summary"
)

// A campaign that is killed leaves a summary that says it is unfinished, not that of an earlier
// campaign in the folder nor the violations of that one.
func TestAKilledCampaignIsUnfinished(t *testing.T) {
	dir := t.TempDir()
	if r := baton(t, "sim", "--seeds", "50", "--gates-off", "--max-violations", "1", "--workers", "1", "--out", dir); r.code != exitFail {
		t.Fatalf("exit code %d\n%s%s", r.code, r.out, r.errout)
	}
	stale := stored(t, dir).Violations[0]
	own := filepath.Join(dir, "campaign-notes.scn")
	if err := os.WriteFile(own, []byte("a user's file"), 0o644); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(os.Args[0], "sim", "--seeds", "1000000", "--workers", "1", "--out", dir)
	command.Env = append(os.Environ(), asBaton+"=1")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	await(t, "the summary of a campaign that began", ended, func() bool { return stored(t, dir).Campaign.Total == 1000000 })
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-ended
	if s := stored(t, dir); s.Complete || len(s.Violations) > 0 {
		t.Errorf("%+v", s)
	}
	for _, name := range []string{stale.Scenario, stale.Dir} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s of the earlier campaign is left", name)
		}
	}
	if _, err := os.Stat(own); err != nil {
		t.Error("a file that no campaign made: ", err)
	}
}

// A search removes only what searches store, whatever a summary in the folder lists.
func TestASearchRemovesOnlyItsOwnFindings(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "out")
	kept := []string{filepath.Join(parent, "campaign-1"), filepath.Join(dir, "web.scn")}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range kept {
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	begun := summary.Summary{Kind: summary.KindCampaign, Campaign: &summary.Campaign{Seeds: 1, Shards: 1, Total: 1}}
	first := findings{dir: dir, found: []summary.Violation{{Scenario: "campaign-2/../../campaign-1", Dir: "web.scn"}, {Scenario: "", Dir: ".."}}}
	if err := first.close(begun); err != nil {
		t.Fatal(err)
	}
	second := findings{dir: dir}
	if err := second.open(begun); err != nil {
		t.Fatal(err)
	}
	for _, path := range kept {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}
