package scenarios

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/check"
	"baton/scenarios/fault"
	"baton/scenarios/plan"
)

// scripted is a World in which only the scheduled events happen.
type scripted struct {
	now      clock.Instant
	recorder Recorder
	script   []trace.Event // recorded when their time comes
	calls    []string
	refuse   error         // returned by Up
	opening  time.Duration // how long traffic takes to start
	down     bool
}

func (w *scripted) Name() string { return plan.Sim }
func (w *scripted) Up(context.Context) error {
	w.call("up")
	return w.refuse
}
func (w *scripted) StartTraffic(context.Context) error {
	w.call("traffic")
	w.now = w.now.Add(w.opening)
	return nil
}
func (w *scripted) StopTraffic(context.Context) error { w.call("quiet"); return nil }
func (w *scripted) Cue(c plan.Cue) error {
	w.call(map[bool]string{true: "start-", false: "stop-"}[c.On] + c.Line)
	return nil
}
func (w *scripted) Now() clock.Instant           { return w.now }
func (w *scripted) Settle(context.Context) error { return nil }
func (w *scripted) Down(context.Context) error {
	w.down = true
	return nil
}

func (w *scripted) call(what string) {
	w.calls = append(w.calls, what+"@"+time.Duration(w.now).String())
}

func (w *scripted) Do(_ context.Context, f plan.Fault) error {
	w.call(f.Verb)
	return nil
}

func (w *scripted) Until(_ context.Context, at clock.Instant, done func() bool) error {
	for done == nil || !done() {
		if len(w.script) == 0 || w.script[0].At > at {
			w.now = max(w.now, at)
			return nil
		}
		e := w.script[0]
		w.script = w.script[1:]
		w.now = max(w.now, e.At)
		w.recorder.Record(e)
	}
	return nil
}

const timelineScenario = `scenario timeline
doc      For the runner.
topo     pair clients=1 backends=2
service  web tcp 198.18.0.100:80 mode=fullnat
traffic  web sessions tcp count=1 every=100ms
@0s      wait   lb1 is Master                within 3s
@2s      crash  lb1
         expect lb2 is Master                within 1s
@3s      end    eventually lb2 insync        within 5s
`

// A traffic line starts and stops at times of the scenario's clock, which waits stop, and before
// other steps that are due at that time.
func TestTrafficStartsAndStopsAtItsTimes(t *testing.T) {
	p := parse(t, `scenario cues
service  web tcp 198.18.0.100:80
traffic  web sessions
traffic  late sessions from=1s until=2s
traffic  brief connects until=1500ms
@0s      wait   lb1 is Master within 3s
@2s      crash  lb1
@3s      end
`)
	w := &scripted{script: []trace.Event{roleEvent(700*time.Millisecond, "lb1", "Master")}}
	recording := NewRecording(p, plan.Sim)
	w.recorder = recording
	if _, err := (&Run{Plan: p, World: w, Recording: recording}).Execute(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := "up@0s traffic@700ms start-late@1.7s stop-brief@2.2s stop-late@2.7s crash@2.7s quiet@3.7s"
	if got := strings.Join(w.calls, " "); got != want {
		t.Errorf("the world was asked to %s; want %s", got, want)
	}
}

func parse(t *testing.T, source string) *plan.Plan {
	t.Helper()
	p, err := plan.Parse("timeline.scn", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func execute(t *testing.T, w *scripted) (check.Verdict, error) {
	t.Helper()
	p := parse(t, timelineScenario)
	recording := NewRecording(p, plan.Sim)
	w.recorder = recording
	return (&Run{Plan: p, World: w, Recording: recording}).Execute(t.Context())
}

func roleEvent(at time.Duration, node, role string) trace.Event {
	return trace.Event{At: clock.Instant(at), Node: node, Kind: trace.KindRole, Role: &trace.Role{From: "Claiming", To: role}}
}

func TestWaitsHoldTheClockAndTrafficStartsAfterThem(t *testing.T) {
	w := &scripted{script: []trace.Event{
		roleEvent(700*time.Millisecond, "lb1", "Master"),
		{At: clock.Instant(4 * time.Second), Node: "lb2", Kind: trace.KindSync, Sync: &trace.Sync{Phase: "insync"}},
	}}
	if _, err := execute(t, w); err != nil {
		t.Fatal(err)
	}
	want := "up@0s traffic@700ms crash@2.7s quiet@3.7s"
	if got := strings.Join(w.calls, " "); got != want {
		t.Errorf("the world was asked to %s; want %s", got, want)
	}
	if w.now != clock.Instant(4*time.Second) {
		t.Errorf("ended at %v, want as soon as what was to hold eventually did", time.Duration(w.now))
	}
	if !w.down {
		t.Error("the world was not taken down")
	}
}

// TestTrafficThatOpensLateHoldsTheClock: the steps after the delayed one keep their distance.
// Traffic that opens in time delays nothing.
func TestTrafficThatOpensLateHoldsTheClock(t *testing.T) {
	for opening, want := range map[time.Duration]string{
		1500 * time.Millisecond: "up@0s traffic@700ms crash@2.7s quiet@3.7s",
		6 * time.Second:         "up@0s traffic@700ms crash@6.7s quiet@7.7s",
	} {
		w := &scripted{opening: opening, script: []trace.Event{roleEvent(700*time.Millisecond, "lb1", "Master")}}
		if _, err := execute(t, w); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(w.calls, " "); got != want {
			t.Errorf("traffic that takes %s: the world was asked to %s; want %s", opening, got, want)
		}
	}
}

func TestAWaitThatTimesOutEndsTheRunAndFailsIt(t *testing.T) {
	w := &scripted{}
	verdict, err := execute(t, w)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(w.calls, " "); strings.Contains(got, "crash") {
		t.Errorf("went on after the wait: %s", got)
	}
	if verdict.Verdict == check.Pass {
		t.Errorf("verdict %s", verdict.Verdict)
	}
	if !w.down {
		t.Error("the world was not taken down")
	}
}

func TestAWorldThatFailsIsTakenDown(t *testing.T) {
	w := &scripted{refuse: errors.New("no namespaces")}
	if _, err := execute(t, w); err == nil || !strings.Contains(err.Error(), "no namespaces") {
		t.Errorf("error %v does not say why", err)
	}
	if !w.down {
		t.Error("the world was not taken down")
	}
}

func TestAJobStoresWhatItsWorldLacksAsASkip(t *testing.T) {
	dir := t.TempDir()
	stale := filepath.Join(dir, "stale.pcapng")
	if err := os.WriteFile(stale, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	job := Job{Plan: parse(t, timelineScenario), World: plan.Sim, Dir: dir,
		NewWorld: func(s Stage) (World, error) {
			return &scripted{recorder: s.Recorder, refuse: ErrUnsupported}, nil
		}}
	verdict, err := job.Execute(t.Context())
	if err != nil || verdict.Verdict != Skip || len(verdict.Reasons) == 0 {
		t.Errorf("verdict %+v, error %v; want a skip with its reason", verdict, err)
	}
	for _, file := range []string{ResultFile, TraceFile} {
		if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(stale); err == nil {
		t.Error("an earlier run's file survived")
	}
}

// TestAScenarioOfAnotherWorldIsASkip: the skip has a reason, and nothing is executed.
func TestAScenarioOfAnotherWorldIsASkip(t *testing.T) {
	p := parse(t, "scenario x\nservice web tcp 198.18.0.100:80\nalways masters <= 1\n[netns] @0s wait lb1 is Master\n[netns] @1s end\n")
	w := &scripted{}
	job := Job{Plan: p, World: plan.Sim, Dir: t.TempDir(), NewWorld: func(s Stage) (World, error) {
		w.recorder = s.Recorder
		return w, nil
	}}
	verdict, err := job.Execute(t.Context())
	if err != nil || verdict.Verdict != Skip || len(verdict.Reasons) != 1 || !strings.Contains(verdict.Reasons[0], "guarded by [netns]") {
		t.Errorf("verdict %+v, error %v; want a skip with its reason", verdict, err)
	}
	if p.RunsIn(plan.Sim) || !p.RunsIn(plan.Netns) {
		t.Error("the plan does not know its world")
	}
	if len(w.calls) > 0 {
		t.Errorf("the world was asked to %v", w.calls)
	}
}

// unable is a world that cannot crash nodes.
type unable struct{ *scripted }

func (unable) Refuses(f plan.Fault) string {
	if f.Verb == fault.Crash {
		return "its machines have no power switch"
	}
	return ""
}

// TestAnImpossibleFaultIsASkip: the skip names reason and line, before anything starts.
func TestAnImpossibleFaultIsASkip(t *testing.T) {
	w := &scripted{}
	job := Job{Plan: parse(t, "scenario x\nservice web tcp 198.18.0.100:80\nalways masters <= 1\n@1s kill lb1\n@2s crash lb2\n@3s end\n"), World: plan.Sim, Dir: t.TempDir(),
		NewWorld: func(s Stage) (World, error) { w.recorder = s.Recorder; return unable{w}, nil }}
	verdict, err := job.Execute(t.Context())
	if err != nil || verdict.Verdict != Skip || len(verdict.Reasons) != 1 || !strings.Contains(verdict.Reasons[0], ":5:5: crash lb2: its machines have no power switch") {
		t.Errorf("verdict %+v, error %v; want a skip with its reason", verdict, err)
	}
	if len(w.calls) > 0 {
		t.Errorf("the world was asked to %v", w.calls)
	}
}

func TestAJobStoresThePlanThatItRan(t *testing.T) {
	p := parse(t, timelineScenario)
	if err := p.Set("bfd.tx=20ms"); err != nil {
		t.Fatal(err)
	}
	job := Job{Plan: p, World: plan.Sim, Dir: t.TempDir(), Origin: &trace.Origin{Set: []string{"bfd.tx=20ms"}},
		NewWorld: func(s Stage) (World, error) { return &scripted{recorder: s.Recorder}, nil }}
	if _, err := job.Execute(t.Context()); err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join(job.Dir, ScenarioFile))
	if err != nil {
		t.Fatal(err)
	}
	if stored := parse(t, string(source)); plan.Print(stored) != plan.Print(p) || stored.Value(plan.Sim, "lb1", "bfd.tx") != "20ms" {
		t.Errorf("the stored plan is not the one that was run:\n%s", source)
	}
	f, err := os.Open(filepath.Join(job.Dir, TraceFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	events, err := trace.Read(f)
	if err != nil || len(events) == 0 || events[0].Meta == nil || events[0].Meta.Origin == nil {
		t.Fatalf("the trace does not begin with its origin: %v", err)
	}
	if _, err := time.Parse(time.RFC3339, events[0].Meta.Origin.Began); err != nil {
		t.Error(err)
	}
	if job.Origin.Began != "" {
		t.Error("the caller's origin was written to")
	}
}
