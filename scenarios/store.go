package scenarios

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"baton/impl/trace"
	"baton/scenarios/check"
	"baton/scenarios/evidence"
	"baton/scenarios/plan"
	"baton/scenarios/stored"
)

// Names of the files in the folder of a run.
const (
	TraceFile    = "trace.jsonl"
	ResultFile   = "result.json"
	ScenarioFile = "scenario.scn" // the plan in canonical form
)

// ReadTrace reads the trace of a stored run.
func ReadTrace(dir string) ([]trace.Event, error) {
	f, err := stored.Open(filepath.Join(dir, TraceFile))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	events, err := trace.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return events, nil
}

// Skip is the verdict of a run that a world could not make.
const Skip = check.Skip

// Stage describes the run that a world is created for.
type Stage struct {
	Plan     *plan.Plan
	Dir      string // the folder of the run
	Recorder Recorder
	// EvidenceLimit is how many bytes of evidence the run may leave, 0 if none is wanted.
	EvidenceLimit int64
}

// NewWorld creates the world of one run.
type NewWorld func(Stage) (World, error)

// Job runs and stores a plan.
type Job struct {
	Plan     *plan.Plan
	World    string // its name
	NewWorld NewWorld
	SUT      string
	Seed     uint64
	Dir      string // becomes the run's folder; results of an earlier run in it are replaced
	// Origin, if set, is stored in the trace, with the time at which the run began.
	Origin *trace.Origin
	// Keep says for which verdicts evidence is kept, and Limit how many bytes of it. The zero
	// values are evidence.KeepFailed and evidence.DefaultLimit.
	Keep  evidence.Keep
	Limit int64
	// Started, if set, is called with the run before it begins, for a progress line.
	Started func(*Run)
}

// Execute runs the job, judges it, and stores plan, trace and result in Dir, so the run can be
// judged again. It returns an error if the run could not be made or stored; events recorded until
// then are stored anyway.
func (j Job) Execute(ctx context.Context) (check.Verdict, error) {
	if err := j.clear(); err != nil {
		return check.Verdict{}, err
	}
	if err := j.storePlan(); err != nil {
		return check.Verdict{}, err
	}
	recording := NewRecording(j.Plan, j.World)
	world, err := j.NewWorld(Stage{Plan: j.Plan, Dir: j.Dir, Recorder: recording, EvidenceLimit: j.evidenceLimit()})
	if err != nil {
		return j.finish(check.Verdict{}, recording, err)
	}
	run := &Run{Plan: j.Plan, World: world, Recording: recording, SUT: j.SUT, Seed: j.Seed, Origin: j.origin()}
	if j.Started != nil {
		j.Started(run)
	}
	verdict, err := run.Execute(ctx)
	if !errors.Is(err, ErrUnsupported) {
		err = errors.Join(err, j.keepEvidence(world, verdict, recording.Events(), err))
	}
	return j.finish(verdict, recording, err)
}

// finish stores everything that exists.
func (j Job) finish(verdict check.Verdict, recording *Recording, err error) (check.Verdict, error) {
	if errors.Is(err, ErrUnsupported) {
		verdict = check.Verdict{Scenario: j.Plan.Name, World: j.World, SUT: j.SUT, Seed: j.Seed, Verdict: Skip, Reasons: []string{j.whySkipped(err)},
			NotExecuted: j.Plan.NotExecuted(j.World)}
		err = nil
	}
	err = errors.Join(err, j.storeTrace(recording.Events()))
	if verdict.Verdict != "" {
		err = errors.Join(err, storeJSON(filepath.Join(j.Dir, ResultFile), verdict))
	}
	return verdict, err
}

// whySkipped returns the error's text without the prefix that the verdict states already.
func (j Job) whySkipped(err error) string {
	return strings.TrimSuffix(strings.TrimPrefix(err.Error(), "scenario "+j.Plan.Name+": "), ": "+ErrUnsupported.Error())
}

// clear creates the folder and removes the results of an earlier run from it, so they cannot be
// mistaken for this run's.
func (j Job) clear() error {
	if err := os.MkdirAll(j.Dir, 0o755); err != nil {
		return fmt.Errorf("scenario %s: results: %w", j.Plan.Name, err)
	}
	stale, err := os.ReadDir(j.Dir)
	if err != nil {
		return fmt.Errorf("scenario %s: results: %w", j.Plan.Name, err)
	}
	for _, file := range stale {
		if !file.IsDir() {
			if err := os.Remove(filepath.Join(j.Dir, file.Name())); err != nil {
				return fmt.Errorf("scenario %s: results: %w", j.Plan.Name, err)
			}
		}
	}
	return nil
}

// origin returns the origin of the run for the trace.
func (j Job) origin() *trace.Origin {
	if j.Origin == nil {
		return nil
	}
	origin := *j.Origin
	origin.Began = time.Now().UTC().Format(time.RFC3339)
	return &origin
}

func (j Job) storePlan() error {
	if err := os.WriteFile(filepath.Join(j.Dir, ScenarioFile), []byte(plan.Print(j.Plan)), 0o644); err != nil {
		return fmt.Errorf("scenario %s: results: %w", j.Plan.Name, err)
	}
	return nil
}

func (j Job) storeTrace(events []trace.Event) error {
	f, err := os.Create(filepath.Join(j.Dir, TraceFile))
	if err != nil {
		return fmt.Errorf("scenario %s: results: %w", j.Plan.Name, err)
	}
	return errors.Join(trace.Write(f, events), f.Close())
}

func storeJSON(file string, value any) error {
	f, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("results: %w", err)
	}
	encoder := json.NewEncoder(f)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false) // readable for people: expect gap < 50ms
	return errors.Join(encoder.Encode(value), f.Close())
}
