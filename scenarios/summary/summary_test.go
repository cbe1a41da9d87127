package summary

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// shard is shard i of three over 100 seeds from 1, with a violation in each.
func shard(i, done int) Summary {
	total := []int{34, 33, 33}[i]
	return Summary{Kind: KindCampaign, Version: Version, Program: "v1", Complete: done == total, Wall: 2,
		Violations: []Violation{{Seed: uint64(10 - i), Check: "rst", Reason: "rst == 0: actual 1"}},
		Campaign: &Campaign{Start: 1, Seeds: 100, Shard: i, Shards: 3, Total: total, Done: done,
			Inconclusive: map[string]int{"faults: cut": 1}, Simulated: 60, SeedsPerSecond: 5}}
}

func TestShardsMerge(t *testing.T) {
	whole, faults, err := Merge([]Summary{shard(2, 33), shard(0, 34), shard(1, 33)})
	if err != nil || len(faults) > 0 {
		t.Fatal(faults, err)
	}
	c := whole.Campaign
	if !whole.Complete || c.Done != 100 || c.Total != 100 || c.Inconclusive["faults: cut"] != 3 || c.Simulated != 180 || whole.Wall != 6 || c.SeedsPerSecond != 15 {
		t.Errorf("%+v %+v", whole, c)
	}
	var seeds []uint64
	for _, v := range whole.Violations {
		seeds = append(seeds, v.Seed)
	}
	if !slices.Equal(seeds, []uint64{8, 9, 10}) {
		t.Errorf("violations of seeds %v, want them by seed", seeds)
	}
}

func TestProblemsOfShardsAreNamed(t *testing.T) {
	other := shard(1, 33)
	other.Program = "v2"
	for _, test := range []struct {
		name  string
		parts []Summary
		want  []string
		done  int
	}{
		{"one is missing", []Summary{shard(0, 34), shard(2, 33)}, []string{"shard 1 of 3 is missing"}, 67},
		{"one is there twice", []Summary{shard(0, 10), shard(1, 33), shard(2, 33), shard(0, 34)}, []string{"shard 0 of 3 is there twice"}, 100},
		{"one is unfinished", []Summary{shard(0, 10), shard(1, 33), shard(2, 33)}, []string{"shard 0 is unfinished: 10 of 34 seeds"}, 76},
		{"another program", []Summary{shard(0, 34), other, shard(2, 33)}, []string{"shard 1 was run by version v2, shard 0 by v1"}, 100},
	} {
		whole, faults, err := Merge(test.parts)
		if err != nil || !slices.Equal(faults, test.want) || whole.Campaign.Done != test.done || whole.Complete != (test.done == 100) {
			t.Errorf("%s: %v (%v), %d done, complete %v", test.name, faults, err, whole.Campaign.Done, whole.Complete)
		}
	}
}

func TestSummariesOfDifferentSearchesAreNotMerged(t *testing.T) {
	elsewhere, longer, finer, unsafe := shard(1, 33), shard(1, 33), shard(1, 33), shard(1, 33)
	elsewhere.Campaign.Start = 5
	longer.Campaign.Seeds = 101
	finer.Campaign.Shards = 4
	unsafe.Campaign.Unsafe = true
	walk := Summary{Kind: KindExplore, Version: Version, Explore: &Explore{}}
	for name, parts := range map[string][]Summary{
		"nothing": nil, "another range": {shard(0, 34), elsewhere}, "more seeds": {shard(0, 34), longer}, "more shards": {shard(0, 34), finer}, "gates off": {shard(0, 34), unsafe}, "a walk": {shard(0, 34), walk},
	} {
		if _, _, err := Merge(parts); err == nil {
			t.Errorf("%s: merged", name)
		}
	}
}

func TestWrittenIsRead(t *testing.T) {
	for _, s := range []Summary{shard(1, 12), {Kind: KindExplore, Version: Version, Violations: []Violation{}, Explore: &Explore{Depth: 4, States: 7, Levels: []int{1, 6}, Roles: []string{"Master/Backup"}}}} {
		var b bytes.Buffer
		if err := Write(&b, s); err != nil {
			t.Fatal(err)
		}
		read, err := Read(&b)
		if diff := cmp.Diff(s, read); diff != "" || err != nil {
			t.Errorf("%v\n%s", err, diff)
		}
	}
}

func TestInvalidSummariesAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		`{`: "unexpected EOF",
		`{"kind":"campaign","version":2,"campaign":{}}`:                      "version 2",
		`{"kind":"campaign","campaign":{"shards":1}}`:                        "version 0",
		`{"kind":"campaign","version":1,"campaign":{"shards":1,"done":1}}`:   "makes no sense",
		`{"kind":"campaign","version":1,"campaign":{"shards":1,"done":-1}}`:  "makes no sense",
		`{"kind":"campaign","version":1,"campaign":{"shard":-1,"shards":1}}`: "makes no sense",
		`{"kind":"campaign","version":1}`:                                    "without its part",
		`{"kind":"explore","version":1,"campaign":{"shards":1}}`:             "without its part",
		`{"kind":"campaign","version":1,"campaign":{"shard":3,"shards":3}}`:  "makes no sense",
		`{"kind":"soup","version":1,"explore":{}}`:                           `kind "soup"`,
	} {
		if _, err := Read(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
