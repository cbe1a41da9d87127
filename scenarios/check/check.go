// Package check judges what happened: it holds the oracles over a trace. Judge
// takes the plan of a scenario and the events of one run of it and says PASS,
// FAIL or INCONCLUSIVE, with the evidence. State folds events into the present
// state of the pair; the runner uses it to know when a wait is over, the checks
// to judge expectations.
//
// The package is pure: it runs nothing, reads no clock and no file, and so a
// stored trace can be judged again after a check was mended. The runner and the
// reports call it.
package check

import (
	"time"

	"baton/impl/clock"
	"baton/scenarios/plan"
)

// Outcome is what a check or a whole run came to.
type Outcome string

const (
	Pass Outcome = "PASS"
	Fail Outcome = "FAIL"
	// Inconclusive: what happened proves nothing, since a fault left no receipt,
	// the host stood still, or evidence is missing. It is never a pass.
	Inconclusive Outcome = "INCONCLUSIVE"
	// NotJudged: the claim needs something that the subject does not tell, see needs.
	// Only a single check has it.
	NotJudged Outcome = "NOT JUDGED"
	// Skip: the run could not be made, or nothing that the scenario claims could be
	// judged of the subject. Only a whole run has it.
	Skip Outcome = "SKIP"
)

// Verdict is the judgement of one run, in the form of result.json.
type Verdict struct {
	Scenario string   `json:"scenario"`
	World    string   `json:"world"`
	SUT      string   `json:"sut"`
	Seed     uint64   `json:"seed"`
	Verdict  Outcome  `json:"verdict"`
	Reasons  []string `json:"reasons"` // why it is no PASS; for a control, what was caught
	// NotExecuted are the lines of the scenario that are not for this world.
	NotExecuted []string `json:"not_executed,omitempty"`
	// Sometimes are what the scenario wants to see in some run of a suite.
	Sometimes []Sometime `json:"sometimes,omitempty"`
	Checks    []Check    `json:"checks"`
	Metrics   Metrics    `json:"metrics"`
}

// Check is the judgement of one claim of the scenario, or of one that every
// scenario makes.
type Check struct {
	Name    string  `json:"name"` // what control lines name: rst, lost, gap, …
	Verdict Outcome `json:"verdict"`
	// Detail says what was claimed and found: expected, actual, window.
	Detail string `json:"detail"`
	Line   int    `json:"line,omitempty"` // of the scenario file
	// Control marks a check that the scenario says must fail.
	Control bool `json:"control,omitempty"`
	// Failed is the first stretch in which it failed, on the trace's time axis; nil
	// for a PASS, and where no time can be given.
	Failed *Span `json:"failed,omitempty"`
}

// Span is a stretch of time, both ends included.
type Span struct {
	From clock.Instant `json:"from"`
	To   clock.Instant `json:"to"`
}

// Metrics are the measured values by the names of metric.All(). What was not
// measured is absent, never 0.
type Metrics map[string]float64

// window is a stretch of time, both ends included.
type window struct{ from, to clock.Instant }

func (w window) has(t clock.Instant) bool { return t >= w.from && t <= w.to }

func (w window) overlaps(o window) bool { return w.from <= o.to && o.from <= w.to }

// finding is a Check in the making.
type finding struct {
	Check
	window window // what was judged
	// evidence is the times at which it failed; a stall there may explain it.
	evidence []window
	// enough is how long a stall must be to explain that a time was missed; 0 where the
	// claim is of no time: then it must be longer than the plan tolerates.
	enough time.Duration
	// missed is by how much it was missed: several stalls may have taken that together.
	missed time.Duration
	// doubt is what takes away its force; several findings share one.
	doubt string
}

// explicable lists the checks that a stall of the host, or a fault that did not
// take hold, can make fail. The others state what must hold whatever the host
// does: no stall resets a session, and a frozen node must not forward.
var explicable = map[string]bool{
	plan.CheckRole: true, plan.CheckInSync: true, plan.CheckWait: true, plan.Converged: true, plan.Replica: true,
	"gap": true, "detect": true, "takeover": true, "handover": true, "sync": true,
	"sessions": true, "connects_failed": true, "role_changes": true, "masters": true, plan.Served: true, plan.Rests: true,
}
