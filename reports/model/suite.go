package model

import "time"

// Suite is a whole report.
type Suite struct {
	Version int `json:"version"`
	// Outcome is the worst verdict of all runs, violations of campaigns and
	// survivors of mutants included: PASS, FAIL, INCONCLUSIVE, or SKIP if nothing ran.
	Outcome string         `json:"outcome"`
	Counts  map[string]int `json:"counts"` // runs by verdict
	Events  int            `json:"events"` // of all traces together
	// Environments are the machines and builds that the runs name, each once.
	Environments []Environment `json:"environments"`
	Rows         []Row         `json:"rows"`
	Runs         []Run         `json:"runs"`
	Campaigns    []Campaign    `json:"campaigns"`
	Mutants      *Mutants      `json:"mutants,omitempty"`
	Comparison   *Comparison   `json:"comparison,omitempty"`
	History      *History      `json:"history,omitempty"`
	Problems     []Problem     `json:"problems"`
	// Causes are what broke, the runs that broke alike together: failures first, of
	// these what broke most runs.
	Causes []Cause `json:"causes"`
	// Coverage is what the runs that prove something have met, by world.
	Coverage  []Coverage `json:"coverage,omitempty"`
	Sometimes []Sometime `json:"sometimes,omitempty"`
}

// Coverage is which fault met which role, while TCP connections were in which phase, in
// one world.
type Coverage struct {
	World string `json:"world"`
	// Possible is how many combinations a suite should meet, Met how many of them it did.
	Possible int    `json:"possible"`
	Met      int    `json:"met"`
	Cells    []Cell `json:"cells"`
	// Holes are the combinations that no run has met.
	Holes []Cell `json:"holes"`
}

// Cell is one combination.
type Cell struct {
	Fault string `json:"fault"` // crash, cut via sync
	Role  string `json:"role"`
	Phase string `json:"phase"` // opening, established, idle
	Runs  int    `json:"runs,omitempty"`
}

// Sometime is a condition that must be true at some time of some run of the suite.
type Sometime struct {
	Claim string `json:"claim"`
	Seen  int    `json:"seen"` // runs in which it was
	Runs  int    `json:"runs"` // that claim it
	// Scenarios are those that claim it; Detail is what one run saw.
	Scenarios []string `json:"scenarios"`
	Detail    string   `json:"detail"`
}

// Cause is one way in which runs broke.
type Cause struct {
	What    string `json:"what"`    // RSTs after restore lb1: made by backend1, …
	Verdict string `json:"verdict"` // FAIL or INCONCLUSIVE
	Runs    []int  `json:"runs"`    // into Suite.Runs; the first tells most
}

// Problem is something in the input that could not be used, or only in part.
type Problem struct {
	File string `json:"file"`
	Line int    `json:"line,omitempty"` // 0 for the file as a whole
	What string `json:"what"`
	// Kept says what is shown all the same, "" for nothing.
	Kept string `json:"kept,omitempty"`
}

// Environment is where runs were made: a machine and a build of baton. Fields that
// the traces do not know are empty.
type Environment struct {
	Kernel string `json:"kernel,omitempty"`
	Arch   string `json:"arch,omitempty"`
	CPU    string `json:"cpu,omitempty"`
	Cores  int    `json:"cores,omitempty"`
	Go     string `json:"go,omitempty"`
	Baton  string `json:"baton,omitempty"` // version: tag or commit
	Runs   int    `json:"runs"`
}

// Where is the world of a row, and what was under test where that is not the reference node.
func (r *Row) Where() string {
	if r.SUT == "" || r.SUT == "reference" {
		return r.World
	}
	return r.World + " " + r.SUT
}

// Row is one scenario in one world, with the same settings, over all its runs.
type Row struct {
	Scenario string `json:"scenario"`
	World    string `json:"world"` // netns, sim
	SUT      string `json:"sut"`
	// Settings are the overrides of --set, in their order.
	Settings []string `json:"settings,omitempty"`
	Doc      string   `json:"doc,omitempty"` // the scenario's own words
	// Plans are digests of the scenario as it was run; more than one says that runs of
	// different scenarios bear one name.
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

// FlakeRate is the share of the runs that ended as the rarer of PASS and FAIL: 0 if all
// passed or all failed, at most 0.5. Undecided runs do not count.
func FlakeRate(passed, failed int) float64 {
	if passed+failed == 0 {
		return 0
	}
	return float64(min(passed, failed)) / float64(passed+failed)
}

// Control is a scenario that reproduces a bug on purpose.
type Control struct {
	Checks []string `json:"checks"` // that must catch it
	// Caught reports whether exactly these failed in every run that proves anything.
	Caught bool `json:"caught"`
}

// Figure is a metric of a row over its runs.
type Figure struct {
	Name   string  `json:"name"`  // takeover_ms, as conditions spell it
	Title  string  `json:"title"` // takeover
	Unit   string  `json:"unit"`  // "ms", or "" for a count
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	// Values are those of the runs that measured it, in the order of Row.Runs, Of
	// which run each is: the trend.
	Values []float64 `json:"values"`
	Of     []int     `json:"of"` // into Suite.Runs
	// Limits are what the scenario itself demands of the metric, worst run shown.
	Limits []Limit `json:"limits,omitempty"`
}

// Limit is an absolute demand of the scenario on a metric, apart from any
// comparison with earlier runs.
type Limit struct {
	Claim   string `json:"claim"` // "takeover_ms <= 245", as the scenario says it
	Line    int    `json:"line"`  // of the scenario file
	Verdict string `json:"verdict"`
}

// Run is one stored run.
type Run struct {
	Dir string `json:"dir"` // as found, relative to the folder that was given
	Row int    `json:"row"` // into Suite.Rows
	// Verdict is that of the checkers of this report; Stored what the run's own
	// said, if it differs or could not be judged again.
	Verdict string  `json:"verdict"`
	Stored  *Stored `json:"stored,omitempty"`
	// Answer says in sentences what broke, when, and who did it; empty if nothing did.
	Answer []string `json:"answer,omitempty"`
	// Cause is the answer without times and counts: alike in runs that broke alike.
	Cause   string   `json:"cause,omitempty"`
	Reasons []string `json:"reasons"`
	Checks  []Check  `json:"checks"`
	// Metrics are what was measured, by name; what was not is absent.
	Metrics map[string]float64 `json:"metrics"`
	Seed    uint64             `json:"seed"`
	// Began is the wall clock at the run's begin, RFC 3339; "" if the trace does not say.
	Began       string        `json:"began,omitempty"`
	Took        time.Duration `json:"took"` // on the trace's time axis
	Events      int           `json:"events"`
	Environment int           `json:"environment"` // into Suite.Environments, -1 if unknown
	// Replay is the command that runs it again.
	Replay   string     `json:"replay"`
	Evidence []Evidence `json:"evidence,omitempty"`
	Missing  []string   `json:"missing,omitempty"` // evidence that could not be had, and why
}

// Stored is what the checkers of the run's own time said.
type Stored struct {
	Verdict string   `json:"verdict"`
	Reasons []string `json:"reasons"`
	// Changed lists the checks whose verdict differs now: "rst: PASS, was FAIL".
	Changed []string `json:"changed,omitempty"`
	// Only says why it stands alone: the run could not be judged again.
	Only string `json:"only,omitempty"`
}

// Check is the judgement of one claim.
type Check struct {
	Name    string `json:"name"`
	Verdict string `json:"verdict"`
	Detail  string `json:"detail"`
	Line    int    `json:"line,omitempty"` // of the scenario file
	Control bool   `json:"control,omitempty"`
	Failed  *Span  `json:"failed,omitempty"` // when it failed first, if that can be told
}

// Span is a stretch of a run, in microseconds since its first step began.
type Span struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

// Evidence is a file that was kept of a run.
type Evidence struct {
	File  string   `json:"file"` // its name in the run's folder
	Kind  string   `json:"kind"` // capture, table, log, trace, scenario, result
	What  string   `json:"what"`
	Bytes int64    `json:"bytes"`
	Cut   []string `json:"cut,omitempty"` // what was left out, and why
}
