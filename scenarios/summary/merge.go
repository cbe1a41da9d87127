package summary

import (
	"cmp"
	"fmt"
	"slices"
)

// Merge makes one campaign of its shards. It also returns the faults of the result: shards
// that are missing, unfinished or present twice (the one with more seeds done counts),
// and parts of another version of the program. Shards of different campaigns are an error.
func Merge(parts []Summary) (Summary, []string, error) {
	if len(parts) == 0 {
		return Summary{}, nil, fmt.Errorf("summary: nothing to merge")
	}
	for i, p := range parts {
		if p.Campaign == nil {
			return Summary{}, nil, fmt.Errorf("summary: part %d is no campaign but %q", i, p.Kind)
		}
		if a, b := parts[0].Campaign, p.Campaign; a.Start != b.Start || a.Seeds != b.Seeds || a.Shards != b.Shards || a.Unsafe != b.Unsafe {
			return Summary{}, nil, fmt.Errorf("summary: parts of two campaigns: %s, and %s", a, b)
		}
	}
	chosen, faults := choose(parts)
	first := chosen[0].Campaign
	whole := Summary{Kind: KindCampaign, Version: Version, Program: chosen[0].Program, Violations: []Violation{},
		Campaign: &Campaign{Start: first.Start, Seeds: first.Seeds, Shards: 1, Unsafe: first.Unsafe,
			Total: first.Seeds, Inconclusive: map[string]int{}}}
	for _, p := range chosen {
		if p.Program != whole.Program {
			faults = append(faults, fmt.Sprintf("shard %d was run by version %s, shard %d by %s", p.Campaign.Shard, p.Program, first.Shard, whole.Program))
		}
		if !p.Complete {
			faults = append(faults, fmt.Sprintf("shard %d is unfinished: %d of %d seeds", p.Campaign.Shard, p.Campaign.Done, p.Campaign.Total))
		}
		whole.add(p)
	}
	slices.SortStableFunc(whole.Violations, func(a, b Violation) int { return cmp.Compare(a.Seed, b.Seed) })
	whole.Complete = whole.Campaign.Done == whole.Campaign.Total
	return whole, faults, nil
}

// choose picks one part of each shard, in order of their numbers, and lists missing and
// duplicate shards.
func choose(parts []Summary) (chosen []Summary, faults []string) {
	shards := parts[0].Campaign.Shards
	for shard := range shards {
		best := -1
		for i, p := range parts {
			if p.Campaign.Shard != shard {
				continue
			}
			if best >= 0 {
				faults = append(faults, fmt.Sprintf("shard %d of %d is there twice", shard, shards))
			}
			if best < 0 || p.Campaign.Done > parts[best].Campaign.Done {
				best = i
			}
		}
		if best < 0 {
			faults = append(faults, fmt.Sprintf("shard %d of %d is missing", shard, shards))
			continue
		}
		chosen = append(chosen, parts[best])
	}
	return chosen, faults
}

// add adds the figures of one shard.
func (s *Summary) add(p Summary) {
	c, d := s.Campaign, p.Campaign
	s.Wall += p.Wall
	c.Done += d.Done
	c.Simulated += d.Simulated
	c.SeedsPerSecond += d.SeedsPerSecond    // they ran side by side
	for reason, n := range d.Inconclusive { // in any order: sums
		c.Inconclusive[reason] += n
	}
	s.Violations = append(s.Violations, p.Violations...)
}

// String names a campaign.
func (c *Campaign) String() string {
	s := fmt.Sprintf("%d seeds from %d in %d shards", c.Seeds, c.Start, c.Shards)
	if c.Unsafe {
		s += " with the gates off"
	}
	return s
}
