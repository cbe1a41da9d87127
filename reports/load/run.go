package load

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"baton/impl/trace"
	"baton/reports/model"
	"baton/scenarios/check"
	"baton/scenarios/evidence"
	"baton/scenarios/plan"
	"baton/scenarios/stored"
)

// Run is one stored run, with everything that could be read.
type Run struct {
	Dir string
	// Written is the plan as written; Plan has its random steps drawn by the run's seed. Both are
	// nil if the plan is missing or unreadable.
	Written, Plan *plan.Plan

	Source string // the plan's text in the run's folder
	Meta   trace.Meta
	Events []trace.Event // by time
	// Lost is the number of trace lines that are not in Events.
	Lost     int
	Stored   *check.Verdict // nil if it is missing or unreadable
	Evidence evidence.Manifest
	Problems []model.Problem
}

// skip is the verdict of a run that its world could not perform.
const skip check.Outcome = "SKIP"

// Reader reads runs one after the other and caches what they share: a repeated scenario is parsed
// once. It must be used by one goroutine only.
type Reader struct {
	decoder *trace.Decoder
	plans   map[string]*plan.Plan // by their source
}

// NewReader returns a Reader with an empty cache.
func NewReader() *Reader {
	return &Reader{decoder: trace.NewDecoder(), plans: map[string]*plan.Plan{}}
}

// Read reads the run in a folder.
func (reader *Reader) Read(dir string) *Run {
	r := &Run{Dir: dir}
	r.Stored = r.result(filepath.Join(dir, ResultFile))
	read := readTrace(filepath.Join(dir, TraceFile), reader.decoder)
	if r.skipped() && len(read.events) == 0 && read.lost == 0 {
		read.problems = nil // it never ran
	}
	r.Events, r.Lost, r.Problems = read.events, read.lost, append(r.Problems, read.problems...)
	trace.Sort(r.Events)
	switch {
	case read.meta != nil:
		r.Meta = *read.meta
	case r.Stored != nil:
		r.Meta = trace.Meta{Scenario: r.Stored.Scenario, World: r.Stored.World, SUT: r.Stored.SUT, Seed: r.Stored.Seed}
	}
	if r.Written = reader.scenario(r, filepath.Join(dir, ScenarioFile)); r.Written != nil {
		r.Plan = r.Written.Drawn(r.Meta.Seed)
	}
	m, err := evidence.Read(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.Problems = append(r.Problems, problem(filepath.Join(dir, evidence.ManifestFile), reason(err), "the run without its evidence"))
	}
	r.Evidence = m
	return r
}

func (r *Run) skipped() bool { return r.Stored != nil && r.Stored.Verdict == skip }

func (r *Run) result(file string) *check.Verdict {
	data, err := stored.ReadFile(file, resultMost)
	var v check.Verdict
	if err == nil {
		err = json.Unmarshal(data, &v)
	}
	if err == nil && !slices.Contains([]check.Outcome{check.Pass, check.Fail, check.Inconclusive, skip}, v.Verdict) {
		err = fmt.Errorf("has the verdict %.40q", v.Verdict)
	}
	if err != nil {
		r.Problems = append(r.Problems, problem(file, reason(err), "what the trace shows"))
		return nil
	}
	return &v
}

// scenario reads the plan of a run. It returns nil if the plan is unreadable or belongs to another
// scenario.
func (reader *Reader) scenario(r *Run, file string) *plan.Plan {
	source, err := stored.ReadFile(file, scenarioMost)
	p := reader.plans[string(source)]
	if err == nil && p == nil {
		if p, err = plan.Parse(file, source); err == nil {
			reader.plans[string(source)] = p
		}
	}
	if err == nil && r.Meta.Scenario != "" && p.Name != r.Meta.Scenario {
		err = fmt.Errorf("is scenario %s, the run is one of %s", p.Name, r.Meta.Scenario)
	}
	if err != nil {
		r.Problems = append(r.Problems, problem(file, reason(err), "the verdict of the run's own time"))
		return nil
	}
	r.Source = string(source)
	return p
}

// Verdict judges the run again. If that is impossible, only says why, and the verdict is the stored
// one, or INCONCLUSIVE without a stored one.
func (r *Run) Verdict() (v check.Verdict, only string) {
	switch {
	case r.skipped():
		return *r.Stored, ""
	case r.Plan == nil:
		only = "its scenario is not stored, or cannot be read"
	case len(r.Events) == 0:
		only = "its trace is missing or empty"
	case r.Meta.Version != trace.Version:
		only = fmt.Sprintf("its trace has version %d; this baton judges version %d", r.Meta.Version, trace.Version)
	default:
		return r.judge(), ""
	}
	if r.Stored != nil {
		return *r.Stored, only
	}
	return check.Verdict{Scenario: r.Meta.Scenario, World: r.Meta.World, SUT: r.Meta.SUT, Seed: r.Meta.Seed,
		Verdict: check.Inconclusive, Reasons: []string{"it cannot be judged: " + only}}, only
}

// judge applies the checks. A missing event may be the one that would have failed a check, so a trace
// with gaps is never a PASS. Neither is one without a result, which is written last: the run may have
// been killed between its last step and what it records after that.
func (r *Run) judge() check.Verdict {
	v := check.Judge(r.Plan, r.Events)
	lacks := ""
	switch {
	case r.Lost > 0:
		lacks = fmt.Sprintf("trace: lines that could not be read, and are not judged: %d", r.Lost)
	case r.Stored == nil:
		lacks = "trace: it may lack its last events, since the run left no result"
	}
	if lacks != "" && v.Verdict == check.Pass {
		v.Verdict = check.Inconclusive
		v.Reasons = append([]string{lacks}, v.Reasons...)
	}
	return v
}

// Took is the time from the first event to the last.
func (r *Run) Took() time.Duration {
	if len(r.Events) == 0 {
		return 0
	}
	return r.Events[len(r.Events)-1].At.Sub(r.Events[0].At)
}
