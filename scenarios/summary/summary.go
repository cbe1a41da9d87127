// Package summary is the stored result of a search in virtual time: a campaign over
// drawn worlds, whose shards can be merged, or a walk through the states of a pair.
// It is plain data with its JSON; it runs nothing and opens no
// file. The command line writes summaries, the reports read them; docs/simulator.md
// describes the fields for others.
package summary

import (
	"encoding/json"
	"fmt"
	"io"
)

// File is the name under which a summary is stored in its folder.
const File = "campaign.json"

// Version is the version of the format. A reader refuses later ones.
const Version = 1

// Kinds of summaries.
const (
	KindCampaign = "campaign"
	KindExplore  = "explore"
)

// Summary is one search. Exactly one of Campaign and Explore is set, as Kind says.
type Summary struct {
	Kind    string `json:"kind"`
	Version int    `json:"version"`
	// Program is the version of the program that ran it.
	Program string `json:"program"`
	// Complete reports that the search ran to its end.
	Complete   bool        `json:"complete"`
	Wall       float64     `json:"wall"` // seconds that it took; of merged shards the sum
	Violations []Violation `json:"violations"`
	Campaign   *Campaign   `json:"campaign,omitempty"`
	Explore    *Explore    `json:"explore,omitempty"`
}

// Violation is one claim that did not hold.
type Violation struct {
	Seed   uint64 `json:"seed"` // 0 for one of a walk
	Check  string `json:"check"`
	Reason string `json:"reason"` // one line
	Replay string `json:"replay"` // the command that shows it again
	// Dir is the folder of the run, and Scenario its scenario file, both relative to
	// the summary's; "" if nothing was stored.
	Dir      string `json:"dir,omitempty"`
	Scenario string `json:"scenario,omitempty"`
}

// Campaign is a range of seeds, or the part of it that one shard ran.
type Campaign struct {
	Start  uint64 `json:"start"` // the first seed
	Seeds  int    `json:"seeds"` // of the whole range
	Shard  int    `json:"shard"`
	Shards int    `json:"shards"`
	Unsafe bool   `json:"unsafe"` // the gates were off
	Total  int    `json:"total"`  // seeds of this shard
	Done   int    `json:"done"`
	// Inconclusive counts the seeds that prove nothing, by what left them open.
	Inconclusive   map[string]int `json:"inconclusive"`
	Simulated      float64        `json:"simulated"` // seconds
	SeedsPerSecond float64        `json:"seedsPerSecond"`
}

// Explore is a walk through the states of a pair.
type Explore struct {
	Depth       int    `json:"depth"` // the bound
	Faults      int    `json:"faults"`
	Messages    int    `json:"messages"`
	Flows       int    `json:"flows"`
	Preempt     string `json:"preempt"`
	Unsafe      bool   `json:"unsafe"`
	Reached     int    `json:"reached"` // the depth that was reached
	States      int    `json:"states"`
	Transitions int    `json:"transitions"`
	Levels      []int  `json:"levels"` // new states by depth
	// Roles are the pairs of roles that were reached, as lb1/lb2.
	Roles []string `json:"roles"`
}

// Write writes a summary.
func Write(w io.Writer, s Summary) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false) // a person reads it
	return e.Encode(s)
}

// Read reads a summary and refuses what it does not understand.
func Read(r io.Reader) (Summary, error) {
	var s Summary
	if err := json.NewDecoder(r).Decode(&s); err != nil {
		return s, fmt.Errorf("summary: %w", err)
	}
	switch {
	case s.Version < 1 || s.Version > Version:
		return s, fmt.Errorf("summary: version %d, this program reads up to %d", s.Version, Version)
	case s.Kind == KindCampaign && s.Campaign != nil && s.Explore == nil:
		c := s.Campaign
		if c.Shards < 1 || c.Shard < 0 || c.Shard >= c.Shards || c.Done < 0 || c.Done > c.Total {
			return s, fmt.Errorf("summary: shard %d of %d with %d of %d seeds makes no sense", c.Shard, c.Shards, c.Done, c.Total)
		}
		return s, nil
	case s.Kind == KindExplore && s.Explore != nil && s.Campaign == nil:
		return s, nil
	}
	return s, fmt.Errorf("summary: kind %q without its part, or with another's", s.Kind)
}
