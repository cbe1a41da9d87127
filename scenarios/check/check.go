// Package check judges a run by its trace. Judge takes the plan of a scenario and the events
// of one run, and returns PASS, FAIL or INCONCLUSIVE with the evidence. State folds events
// into the present state of the pair: the runner uses it to end waits, the checks to judge
// expectations.
//
// The package is pure: it runs nothing and reads no clock or file, so a stored trace can be
// judged again after a check has changed. The runner and the reports call it.
package check

import (
	"time"

	"baton/impl/clock"
	"baton/scenarios/plan"
)

// Outcome is the result of a check or of a whole run.
type Outcome string

const (
	Pass Outcome = "PASS"
	Fail Outcome = "FAIL"
	// Inconclusive: the run proves nothing, because a fault left no receipt, the host
	// stalled, or evidence is missing. It is never a pass.
	Inconclusive Outcome = "INCONCLUSIVE"
	// NotJudged: the claim needs something that the subject does not report, see needs.
	// Only a check can be NotJudged, never a whole run.
	NotJudged Outcome = "NOT JUDGED"
	// Skip: the run could not be made, or none of the scenario's claims could be judged for
	// the subject. Only a whole run can be a Skip.
	Skip Outcome = "SKIP"
)

// Verdict is the judgement of one run, in the form of result.json.
type Verdict struct {
	Scenario string   `json:"scenario"`
	World    string   `json:"world"`
	SUT      string   `json:"sut"`
	Seed     uint64   `json:"seed"`
	Verdict  Outcome  `json:"verdict"`
	Reasons  []string `json:"reasons"` // why it is not PASS; for a control, what was caught
	// NotExecuted are the scenario's lines that are guarded for the other world, and the cuts
	// and losses of some packets that took none.
	NotExecuted []string `json:"not_executed,omitempty"`
	// Sometimes are the conditions that must be true in at least one run of a suite.
	Sometimes []Sometime `json:"sometimes,omitempty"`
	Checks    []Check    `json:"checks"`
	Metrics   Metrics    `json:"metrics"`
}

// Check is the judgement of one claim of the scenario, or of one that every
// scenario makes.
type Check struct {
	Name    string  `json:"name"` // as in control lines: rst, lost, gap, …
	Verdict Outcome `json:"verdict"`
	// Detail says what was claimed and found: expected, actual, window.
	Detail string `json:"detail"`
	Line   int    `json:"line,omitempty"` // of the scenario file
	// Control marks a check that the scenario says must fail.
	Control bool `json:"control,omitempty"`
	// Failed is the first stretch in which it failed, on the trace's time axis; nil for a
	// PASS, and if the failure has no time.
	Failed *Span `json:"failed,omitempty"`
	// Missed is the state of a node that the check expected and did not find, nil if it expected
	// something else.
	Missed *Missed `json:"missed,omitempty"`
}

// Missed is a state that a node did not have.
type Missed struct {
	Node   string `json:"node"`
	InSync bool   `json:"insync,omitempty"` // it was not in sync; else it did not have the role
}

// Span is a stretch of time, both ends included.
type Span struct {
	From clock.Instant `json:"from"`
	To   clock.Instant `json:"to"`
}

// Metrics are the measured values by the names of metric.All(). A metric that was not measured
// is absent, never 0.
type Metrics map[string]float64

// window is a stretch of time, both ends included.
type window struct{ from, to clock.Instant }

func (w window) has(t clock.Instant) bool { return t >= w.from && t <= w.to }

func (w window) overlaps(o window) bool { return w.from <= o.to && o.from <= w.to }

// finding is a Check with what doubted needs to decide whether it counts.
type finding struct {
	Check
	window window // what was judged
	// evidence has the times of the failure; a stall there may explain it.
	evidence []window
	// enough is how long a stall must be to explain a missed time. It is 0 if the claim has no
	// time limit: then the stall must be longer than the plan tolerates.
	enough time.Duration
	// missed is by how much the time was missed: several stalls may add up to it.
	missed time.Duration
	// doubt is why the finding proves nothing; several findings may share one.
	doubt string
}

// excusedByStall lists the checks that can fail because the host stalled or a fault did not
// take hold. A subject with a lease must keep the others whatever the host does: no stall
// resets a session, and a frozen node must not forward.
var excusedByStall = map[string]bool{
	plan.CheckRole: true, plan.CheckInSync: true, plan.CheckWait: true, plan.Converged: true, plan.Replica: true,
	"gap": true, "detect": true, "takeover": true, "handover": true, "sync": true,
	"sessions": true, "connects_failed": true, "role_changes": true, "masters": true, plan.Served: true, plan.Rests: true,
}

// measuredByTraffic lists those of them that are measured from a generator's intended send time.
var measuredByTraffic = map[string]bool{"gap": true, "sessions": true, "connects_failed": true}

// lostWithTable lists the checks of what a takeover without the complete table costs. A stall explains
// their failure only if it has caused such a takeover.
var lostWithTable = map[string]bool{"rst": true, "lost": true, plan.Sticky: true}

// excusedWithoutLease lists the further checks that a stall can break if the subject has no
// lease. During a stall both of its nodes can become MASTER, and what each then adds to its
// table stays apart.
var excusedWithoutLease = map[string]bool{"rst": true, "lost": true, plan.Sticky: true, "forwarders": true}
