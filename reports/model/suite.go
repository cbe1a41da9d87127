package model

import "time"

// Suite is a whole report.
type Suite struct {
	Version int `json:"version"`
	// Outcome is the worst verdict of all runs, including campaign violations and surviving
	// mutants: PASS, FAIL, INCONCLUSIVE, or SKIP if nothing ran.
	Outcome string         `json:"outcome"`
	Counts  map[string]int `json:"counts"` // runs by verdict
	Events  int            `json:"events"` // number in all traces together
	// Environments are the machines and builds that the runs name, without duplicates.
	Environments []Environment `json:"environments"`
	Rows         []Row         `json:"rows"`
	Runs         []Run         `json:"runs"`
	Campaigns    []Campaign    `json:"campaigns"`
	Mutants      *Mutants      `json:"mutants,omitempty"`
	Comparison   *Comparison   `json:"comparison,omitempty"`
	History      *History      `json:"history,omitempty"`
	Problems     []Problem     `json:"problems"`
	// Causes group the runs that failed alike: failures first, and of these the most frequent
	// first.
	Causes []Cause `json:"causes"`
	// Coverage, by world, counts only runs that prove something.
	Coverage  []Coverage `json:"coverage,omitempty"`
	Sometimes []Sometime `json:"sometimes,omitempty"`
}

// Coverage says which fault met which role and which phase of TCP connections in one world.
type Coverage struct {
	World string `json:"world"`
	// Possible is the number of combinations that a suite should cover. Met is the number that it
	// did.
	Possible int    `json:"possible"`
	Met      int    `json:"met"`
	Cells    []Cell `json:"cells"`
	// Holes are the combinations that no run covered.
	Holes []Cell `json:"holes"`
}

// Cell is one combination.
type Cell struct {
	Fault string `json:"fault"` // crash, cut via sync
	Role  string `json:"role"`
	Phase string `json:"phase"` // opening, established, idle
	Runs  int    `json:"runs,omitempty"`
}

// Sometime is a condition that must be true at some time in some run of the suite.
type Sometime struct {
	Claim string `json:"claim"`
	Seen  int    `json:"seen"` // number of runs in which it was true
	Runs  int    `json:"runs"` // number of runs that claim it
	// Scenarios are those that claim it. Detail is from one run in which it was true.
	Scenarios []string `json:"scenarios"`
	Detail    string   `json:"detail"`
}

// Cause is one kind of failure.
type Cause struct {
	What    string `json:"what"`    // RSTs after restore lb1: made by backend1, …
	Verdict string `json:"verdict"` // FAIL or INCONCLUSIVE
	Runs    []int  `json:"runs"`    // into Suite.Runs; the first is the best example
}

// Problem is an input that could not be used, or only in part.
type Problem struct {
	File string `json:"file"`
	Line int    `json:"line,omitempty"` // 0 for the file as a whole
	What string `json:"what"`
	// Kept says what is shown anyway, "" for nothing.
	Kept string `json:"kept,omitempty"`
}

// Environment is the machine and the build of baton that made a run. Fields that the trace does not
// state are empty.
type Environment struct {
	Kernel string `json:"kernel,omitempty"`
	Arch   string `json:"arch,omitempty"`
	CPU    string `json:"cpu,omitempty"`
	Cores  int    `json:"cores,omitempty"`
	Go     string `json:"go,omitempty"`
	Baton  string `json:"baton,omitempty"` // version: tag or commit
	Runs   int    `json:"runs"`
}

// Where names the world of a row, and the subject unless it is the reference node.
func (r *Row) Where() string {
	if r.SUT == "" || r.SUT == "reference" {
		return r.World
	}
	return r.World + " " + r.SUT
}

// Row is one scenario in one world with the same settings, over all its runs.
type Row struct {
	Scenario string `json:"scenario"`
	World    string `json:"world"` // netns, sim
	SUT      string `json:"sut"`
	// Settings are the overrides of --set, in their order.
	Settings []string `json:"settings,omitempty"`
	Doc      string   `json:"doc,omitempty"` // the doc text of the scenario
	// Plans are the digests of the scenarios with this name: more than one if
	// the scenario was changed between runs.
	Plans []string `json:"plans"`
	// Verdict is the worst of its runs.
	Verdict      string   `json:"verdict"`
	Passed       int      `json:"passed"`
	Failed       int      `json:"failed"`
	Inconclusive int      `json:"inconclusive"`
	Skipped      int      `json:"skipped"`
	FlakeRate    float64  `json:"flake_rate"`
	Control      *Control `json:"control,omitempty"`
	Figures      []Figure `json:"figures"`
	// Unexecuted are the lines of the scenario that this world does not execute.
	Unexecuted []string `json:"unexecuted,omitempty"`
	Runs       []int    `json:"runs"` // into Suite.Runs, by time
}

// FlakeRate is the share of runs with the rarer of the verdicts PASS and FAIL: 0 if all passed or
// all failed, at most 0.5. INCONCLUSIVE runs do not count.
func FlakeRate(passed, failed int) float64 {
	if passed+failed == 0 {
		return 0
	}
	return float64(min(passed, failed)) / float64(passed+failed)
}

// Control is a scenario that reproduces a bug on purpose.
type Control struct {
	Checks []string `json:"checks"` // that must catch it
	// Caught reports whether exactly these failed in every run that proves something.
	Caught bool `json:"caught"`
}

// Figure is a metric of a row over its runs.
type Figure struct {
	Name   string  `json:"name"`  // takeover_ms, as it is written in conditions
	Title  string  `json:"title"` // takeover
	Unit   string  `json:"unit"`  // "ms", or "" for a count
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	// Values are those of the runs that measured it, in the order of Row.Runs. Of names the run of
	// each value.
	Values []float64 `json:"values"`
	Of     []int     `json:"of"` // into Suite.Runs
	// Limits are the limits that the scenario sets for the metric, with the worst run.
	Limits []Limit `json:"limits,omitempty"`
}

// Limit is an absolute limit that the scenario sets for a metric. It is independent of comparisons
// with earlier runs.
type Limit struct {
	Claim   string `json:"claim"` // "takeover_ms <= 245", as it is written in the scenario
	Line    int    `json:"line"`  // of the scenario file
	Verdict string `json:"verdict"`
}

// Run is one stored run.
type Run struct {
	Dir string `json:"dir"` // as found, relative to the given folder
	Row int    `json:"row"` // into Suite.Rows
	// Verdict comes from the checks of this report. Stored is the verdict in the run's own result,
	// if it differs or the run could not be judged again.
	Verdict string  `json:"verdict"`
	Stored  *Stored `json:"stored,omitempty"`
	// Answer describes in sentences what failed, when, and which node caused it. It is empty if
	// nothing failed.
	Answer []string `json:"answer,omitempty"`
	// Cause is the answer without times and counts. It is equal for runs that failed alike.
	Cause   string   `json:"cause,omitempty"`
	Reasons []string `json:"reasons"`
	Checks  []Check  `json:"checks"`
	// Metrics are the measured values by name. A metric that was not measured is absent.
	Metrics map[string]float64 `json:"metrics"`
	Seed    uint64             `json:"seed"`
	// Began is the wall clock time at which the run began, RFC 3339, "" if the trace does not
	// state it.
	Began       string        `json:"began,omitempty"`
	Took        time.Duration `json:"took"` // on the trace's time axis
	Events      int           `json:"events"`
	Environment int           `json:"environment"` // into Suite.Environments, -1 if unknown
	// Replay is the command that repeats the run.
	Replay   string     `json:"replay"`
	Evidence []Evidence `json:"evidence,omitempty"`
	Missing  []string   `json:"missing,omitempty"` // evidence that could not be collected, and why
}

// Stored is the verdict at the time of the run.
type Stored struct {
	Verdict string   `json:"verdict"`
	Reasons []string `json:"reasons"`
	// Changed lists the checks with another verdict now: "rst: PASS, was FAIL".
	Changed []string `json:"changed,omitempty"`
	// Only says why the run could not be judged again.
	Only string `json:"only,omitempty"`
}

// Check is the verdict on one claim.
type Check struct {
	Name    string `json:"name"`
	Verdict string `json:"verdict"`
	Detail  string `json:"detail"`
	Line    int    `json:"line,omitempty"` // of the scenario file
	Control bool   `json:"control,omitempty"`
	Failed  *Span  `json:"failed,omitempty"` // when it first failed, if known
}

// Span is a period of a run, in microseconds since its first step began.
type Span struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

// Evidence is a stored file of a run.
type Evidence struct {
	File  string   `json:"file"` // its name in the run's folder
	Kind  string   `json:"kind"` // capture, table, log, trace, scenario, result
	What  string   `json:"what"`
	Bytes int64    `json:"bytes"`
	Cut   []string `json:"cut,omitempty"` // what was left out, and why
}
