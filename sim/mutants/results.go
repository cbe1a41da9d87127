package mutants

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// ResultsVersion is the version of the Results' schema.
const ResultsVersion = 1

// Results is the schema of out/mutants.json, which make mutants writes and reports read.
// A new field does not change the version.
type Results struct {
	Version int `json:"version"` // ResultsVersion
	// Clean says that every check that killed a mutant passes without one. Otherwise a kill
	// proves nothing.
	Clean   bool    `json:"clean"`
	Seconds float64 `json:"seconds"` // wall time of the whole run, builds included
	// Processor is the processor time in seconds. Build is the part of the shared builds.
	Processor float64 `json:"processor"`
	Build     float64 `json:"build"`
	// Bare are the runs without a mutant, one for each suite, of the checks that killed one.
	Bare    []Result `json:"bare,omitempty"`
	Mutants []Result `json:"mutants"` // by name
}

// Result is the result of one mutant.
type Result struct {
	Name    string  `json:"name"`
	Bug     string  `json:"bug"`               // in one sentence
	Outcome string  `json:"outcome"`           // one of the outcomes below
	Check   string  `json:"check,omitempty"`   // that killed it: a check of the traces, or a test
	Where   string  `json:"where,omitempty"`   // scenario and seed, or the test's package
	Why     string  `json:"why,omitempty"`     // what the check said, or the error
	Seconds float64 `json:"seconds,omitempty"` // wall time, the build included
	// Processor is the processor time, in seconds, the build included.
	Processor float64 `json:"processor,omitempty"`
}

// Outcomes of a Result. All but Killed and Clean make the suite fail.
const (
	Killed   = "killed"
	Survived = "survived" // the suite has a gap
	Stale    = "stale"    // the mutant no longer applies; see ErrStale
	NotRun   = "not run"  // this machine lacks a tool to build it; see ErrNotRun
	Failed   = "error"    // it could not be built or run, or its suite did not end
	Clean    = "clean"    // a suite without a mutant passed
)

// Result returns the outcome as it is stored.
func (o Outcome) Result() Result {
	r := Result{Name: o.Name, Bug: o.Bug, Outcome: Survived, Seconds: o.Took.Seconds(), Processor: o.Processor.Seconds()}
	switch {
	case errors.Is(o.Err, ErrStale):
		r.Outcome, r.Why = Stale, o.Err.Error()
	case errors.Is(o.Err, ErrNotRun):
		r.Outcome, r.Why = NotRun, o.Err.Error()
	case o.Err != nil:
		r.Outcome, r.Why = Failed, o.Err.Error()
	case o.Bare():
		r.Outcome = Clean
	case o.Kill != nil:
		r.Outcome, r.Check, r.Where, r.Why = Killed, o.Kill.Check, o.Kill.Where, o.Kill.Why
	}
	return r
}

// Add adds an outcome.
func (r *Results) Add(o Outcome) {
	if o.Bare() {
		r.Clean = r.Clean && o.Err == nil
		r.Bare = append(r.Bare, o.Result())
		return
	}
	r.Mutants = append(r.Mutants, o.Result())
	slices.SortFunc(r.Mutants, func(a, b Result) int { return cmp.Compare(a.Name, b.Name) })
}

// OK reports whether the suites are clean, and all mutants, at least one, were killed.
func (r *Results) OK() bool {
	return r.Clean && len(r.Mutants) > 0 && !slices.ContainsFunc(r.Mutants, func(m Result) bool { return m.Outcome != Killed })
}

// Store writes the results to a file. It creates the folder.
func (r *Results) Store(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if err == nil {
		err = os.WriteFile(path, append(text, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("mutants: store results: %w", err)
	}
	return nil
}
