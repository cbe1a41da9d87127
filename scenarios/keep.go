package scenarios

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"baton/impl/trace"
	"baton/scenarios/check"
	"baton/scenarios/evidence"
	"baton/scenarios/lab"
)

// keepEvidence stores the world's evidence of the run if the policy wants it for such a run. broken
// is the error that ended the run, or nil.
func (j Job) keepEvidence(world World, verdict check.Verdict, events []trace.Event, broken error) error {
	passed := broken == nil && verdict.Verdict == check.Pass
	witness, ok := world.(Witness)
	if !ok || !j.keep().Wants(passed) {
		return j.dropLogs()
	}
	ask := evidence.NewAsk(events, failedSpans(verdict), j.evidenceLimit(), j.about(verdict, broken))
	store := evidence.NewStore(j.Dir)
	err := witness.Evidence(store, ask)
	m := store.Manifest(ask)
	m.Scenario, m.World, m.Keep = j.Plan.Name, j.World, j.keep()
	if err := errors.Join(err, m.Write(j.Dir)); err != nil {
		return fmt.Errorf("scenario %s: %w", j.Plan.Name, err)
	}
	return nil
}

func (j Job) keep() evidence.Keep { return cmp.Or(j.Keep, evidence.KeepFailed) }

// evidenceLimit returns how many bytes of evidence the run may leave.
func (j Job) evidenceLimit() int64 {
	if j.keep() == evidence.KeepNone {
		return 0
	}
	return cmp.Or(j.Limit, evidence.DefaultLimit)
}

// failedSpans returns the periods in which checks failed or could not be decided.
func failedSpans(v check.Verdict) []evidence.Span {
	var spans []evidence.Span
	for _, c := range v.Checks {
		if c.Failed != nil {
			spans = append(spans, *c.Failed)
		}
	}
	return spans
}

// about describes the run in one line, for readers who have only a file of it.
func (j Job) about(v check.Verdict, broken error) string {
	line := fmt.Sprintf("%s in %s, seed %d: ", j.Plan.Name, j.World, j.Seed)
	switch {
	case broken != nil:
		return line + "broken off: " + broken.Error()
	case len(v.Reasons) > 0:
		return line + string(v.Verdict) + ": " + v.Reasons[0]
	}
	return line + string(v.Verdict)
}

// dropLogs removes the logs that the nodes wrote during the run.
func (j Job) dropLogs() error {
	for _, node := range lab.Nodes() {
		if err := os.Remove(filepath.Join(j.Dir, evidence.LogFile(node))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("scenario %s: evidence: %w", j.Plan.Name, err)
		}
	}
	return nil
}
