package model

import "time"

// Campaign is the result of a simulator search over many seeds (`baton sim`), or over every state
// up to a depth (the explorer). Shards of one campaign are merged.
type Campaign struct {
	Kind  string `json:"kind"`  // campaign, explore
	Title string `json:"title"` // "seeds 1 to 20000"
	// Files are the results that were merged.
	Files  []string `json:"files"`
	Shards int      `json:"shards"` // number expected
	// Lacking lists the shards without a result. Without them the campaign proves less.
	Lacking []int `json:"lacking,omitempty"`
	// Faults are reasons why the shards do not form one campaign.
	Faults []string `json:"faults,omitempty"`
	// Interrupted says that a shard ended before its last seed or state.
	Interrupted  bool          `json:"interrupted,omitempty"`
	Planned      int           `json:"planned"` // seeds
	Done         int           `json:"done"`    // seeds, or states of an explorer
	Depth        int           `json:"depth,omitempty"`
	Inconclusive int           `json:"inconclusive"`
	Simulated    time.Duration `json:"simulated"`
	Took         time.Duration `json:"took"` // wall time of all shards together
	Violations   []Violation   `json:"violations"`
	// Figures are further facts about the search, as text.
	Figures []string `json:"figures,omitempty"`
}

// Violation is a seed or a walk that violates a claim.
type Violation struct {
	Seed   uint64 `json:"seed"`
	Check  string `json:"check"`
	Reason string `json:"reason"`
	Replay string `json:"replay"`
	Shrink string `json:"shrink,omitempty"` // the command that minimizes it
}

// Mutants are the known bugs, each planted to test whether the suite finds it.
type Mutants struct {
	File     string   `json:"file"`
	Killed   int      `json:"killed"`
	Survived int      `json:"survived"`
	Stale    int      `json:"stale"` // their edits no longer apply
	Mutants  []Mutant `json:"mutants"`
}

// Mutant is one planted bug.
type Mutant struct {
	Name    string        `json:"name"`
	Outcome string        `json:"outcome"` // killed, survived, stale
	Check   string        `json:"check,omitempty"`
	Where   string        `json:"where,omitempty"` // scenario and seed, or the test, that killed it
	Took    time.Duration `json:"took"`
}
