package load

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"baton/reports/model"
	"baton/scenarios/stored"
	"baton/scenarios/summary"
)

// Searches reads the results of simulator searches and merges the shards of one campaign.
func Searches(files []string) ([]model.Campaign, []model.Problem) {
	var problems []model.Problem
	campaigns := []model.Campaign{}
	type identity struct {
		start         uint64
		seeds, shards int
		unsafe        bool
	}
	parts := map[identity][]summary.Summary{}
	from := map[identity][]string{}
	var order []identity
	for _, file := range files {
		s, err := readSearch(file)
		switch {
		case err != nil:
			problems = append(problems, problem(file, reason(err), ""))
			continue
		case s.Explore != nil:
			campaigns = append(campaigns, explored(s, file))
			continue
		}
		c := s.Campaign
		id := identity{c.Start, c.Seeds, c.Shards, c.Unsafe}
		if parts[id] == nil {
			order = append(order, id)
		}
		parts[id] = append(parts[id], s)
		from[id] = append(from[id], file)
	}
	for _, id := range order {
		whole, faults, err := summary.Merge(parts[id])
		if err != nil {
			problems = append(problems, problem(from[id][0], err.Error(), ""))
			continue
		}
		c := searched(whole, from[id])
		c.Shards, c.Faults = id.shards, faults
		for shard := range id.shards {
			if !slices.ContainsFunc(parts[id], func(s summary.Summary) bool { return s.Campaign.Shard == shard }) {
				c.Lacking = append(c.Lacking, shard)
			}
		}
		for _, fault := range faults {
			problems = append(problems, problem(from[id][0], fault, "the other shards"))
		}
		campaigns = append(campaigns, c)
	}
	return campaigns, problems
}

func readSearch(file string) (summary.Summary, error) {
	f, err := stored.Open(file)
	if err != nil {
		return summary.Summary{}, err
	}
	defer f.Close()
	return summary.Read(io.LimitReader(f, resultMost))
}

// searched converts the result of a campaign over seeds.
func searched(s summary.Summary, files []string) model.Campaign {
	c := s.Campaign
	m := model.Campaign{Kind: s.Kind, Title: fmt.Sprintf("%d seeds from %d", c.Seeds, c.Start), Files: files, Interrupted: !s.Complete,
		Planned: c.Total, Done: c.Done, Simulated: seconds(c.Simulated), Took: seconds(s.Wall), Violations: violations(s)}
	if c.Unsafe {
		m.Title += ", gates off"
	}
	for _, why := range slices.Sorted(maps.Keys(c.Inconclusive)) {
		m.Inconclusive += c.Inconclusive[why]
		m.Figures = append(m.Figures, fmt.Sprintf("%d inconclusive: %s", c.Inconclusive[why], why))
	}
	m.Figures = append(m.Figures, fmt.Sprintf("%.1f seeds/s", c.SeedsPerSecond))
	return m
}

// explored converts the result of an explorer's walk.
func explored(s summary.Summary, file string) model.Campaign {
	e := s.Explore
	m := model.Campaign{Kind: s.Kind, Title: fmt.Sprintf("every state to depth %d", e.Depth), Files: []string{file}, Shards: 1,
		Interrupted: !s.Complete, Planned: e.States, Done: e.States, Depth: e.Reached, Took: seconds(s.Wall), Violations: violations(s),
		Figures: []string{fmt.Sprintf("%d transitions", e.Transitions), fmt.Sprintf("%d pairs of roles", len(e.Roles))}}
	if e.Unsafe {
		m.Title += ", gates off"
	}
	return m
}

func violations(s summary.Summary) []model.Violation {
	list := []model.Violation{}
	for _, v := range s.Violations {
		list = append(list, model.Violation{Seed: v.Seed, Check: v.Check, Reason: v.Reason, Replay: v.Replay})
	}
	return list
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
