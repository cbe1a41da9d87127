package model

import "time"

// Campaign is what a search of the simulator came to: many seeds (`baton sim`), or
// every state up to a depth (the explorer). Shards of one campaign are merged.
type Campaign struct {
	Kind  string `json:"kind"`  // campaign, explore
	Title string `json:"title"` // "seeds 1 to 20000"
	// Files are the results that were merged.
	Files  []string `json:"files"`
	Shards int      `json:"shards"` // that were expected
	// Lacking lists the shards of which no result was found: the rest proves less.
	Lacking []int `json:"lacking,omitempty"`
	// Faults say what speaks against taking the shards for the whole.
	Faults []string `json:"faults,omitempty"`
	// Interrupted says that a part ended before its last seed or state.
	Interrupted  bool          `json:"interrupted,omitempty"`
	Planned      int           `json:"planned"` // seeds
	Done         int           `json:"done"`    // seeds, or states of an explorer
	Depth        int           `json:"depth,omitempty"`
	Inconclusive int           `json:"inconclusive"`
	Simulated    time.Duration `json:"simulated"`
	Took         time.Duration `json:"took"` // wall time, of all shards together
	Violations   []Violation   `json:"violations"`
	// Figures are what else it says of itself, in words.
	Figures []string `json:"figures,omitempty"`
}

// Violation is a seed, or a walk, whose claims do not hold.
type Violation struct {
	Seed   uint64 `json:"seed"`
	Check  string `json:"check"`
	Reason string `json:"reason"`
	Replay string `json:"replay"`
	Shrink string `json:"shrink,omitempty"` // the command that makes it minimal
}

// Mutants are the known bugs, each planted to see whether the suite finds it.
type Mutants struct {
	File     string   `json:"file"`
	Killed   int      `json:"killed"`
	Survived int      `json:"survived"`
	Stale    int      `json:"stale"` // that no longer apply
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
