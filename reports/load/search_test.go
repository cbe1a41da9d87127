package load

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"baton/scenarios/summary"
)

// shard stores the result of one shard of a campaign over 30 seeds.
func shard(t *testing.T, root string, i, done int, violations ...summary.Violation) string {
	t.Helper()
	var out bytes.Buffer
	if err := summary.Write(&out, summary.Summary{Kind: summary.KindCampaign, Version: summary.Version, Program: "v1", Complete: done == 10, Wall: 2,
		Violations: violations, Campaign: &summary.Campaign{Start: 1, Seeds: 30, Shard: i, Shards: 3, Total: 10, Done: done,
			Inconclusive: map[string]int{"a fault left no receipt": 1}, Simulated: 600}}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(root, strings.Repeat("s", i+1)+".json")
	if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestShardsAreMergedAndMissingOnesNamed(t *testing.T) {
	root := t.TempDir()
	first := shard(t, root, 0, 10, summary.Violation{Seed: 7, Check: "rst", Reason: "1 RST", Replay: "baton sim --seeds 1 --start 7"})
	last := shard(t, root, 2, 4)
	broken := filepath.Join(root, "broken.json")
	if err := os.WriteFile(broken, []byte(`{"kind":"campaign","version":9}`), 0o644); err != nil {
		t.Fatal(err)
	}
	campaigns, problems := Searches([]string{first, last, broken})
	if len(campaigns) != 1 {
		t.Fatalf("%d campaigns, want the shards as one", len(campaigns))
	}
	c := campaigns[0]
	if c.Done != 14 || c.Inconclusive != 2 || len(c.Violations) != 1 || c.Violations[0].Seed != 7 || c.Shards != 3 || len(c.Lacking) != 1 || c.Lacking[0] != 1 || !c.Interrupted {
		t.Errorf("%+v", c)
	}
	for _, want := range []string{"shard 1 of 3 is missing", "shard 2 is unfinished: 4 of 10 seeds", "version 9"} {
		found := false
		for _, p := range problems {
			found = found || strings.Contains(p.What, want)
		}
		if !found {
			t.Errorf("no problem says %q: %+v", want, problems)
		}
	}
}

func TestMutantsAreCountedByOutcome(t *testing.T) {
	const stored = `{"version":1,"clean":true,"seconds":40,"mutants":[
		{"name":"a","bug":"x","outcome":"killed","check":"rst","where":"crash-master seed 1","seconds":1.5},
		{"name":"b","bug":"x","outcome":"survived"},{"name":"c","bug":"x","outcome":"stale"},{"name":"d","bug":"x","outcome":"error","why":"no build"}]}`
	file := filepath.Join(t.TempDir(), MutantsFile)
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(stored)
	m, err := Mutants(file)
	if err != nil || m.Killed != 1 || m.Survived != 1 || m.Stale != 2 || m.Mutants[0].Check != "rst" || m.Mutants[0].Took.Seconds() != 1.5 {
		t.Errorf("%+v, error %v", m, err)
	}
	for text, want := range map[string]string{
		strings.Replace(stored, `"clean":true`, `"clean":false`, 1):           "a kill proves nothing",
		strings.Replace(stored, `"version":1`, `"version":2`, 1):              "version 2",
		strings.Replace(stored, `"outcome":"killed"`, `"outcome":"maybe"`, 1): `outcome "maybe"`,
		"{": "unexpected end",
	} {
		write(text)
		if _, err := Mutants(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that says %q", err, want)
		}
	}
}
