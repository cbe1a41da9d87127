package scenarios

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/evidence"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// witness is a scripted world whose nodes write logs and which stores a file of evidence.
type witness struct {
	*scripted
	asked *evidence.Ask
	fail  error
}

func (w *witness) Evidence(store *evidence.Store, ask evidence.Ask) error {
	w.asked = &ask
	store.Lack(evidence.Missing{Kind: evidence.Table, Node: "lb2", Why: "lb2 was not running"})
	err := store.Put(evidence.File{File: evidence.CaptureFile(lab.Clients), Kind: evidence.Capture},
		func(out io.Writer) error { _, err := fmt.Fprint(out, "frames"); return err })
	return errors.Join(err, w.fail)
}

// job runs the timeline in a witness. The run passes if its wait succeeds.
func job(t *testing.T, w *witness, passes bool) Job {
	t.Helper()
	p := parse(t, "scenario timeline\nservice web tcp 198.18.0.100:80\n@0s wait lb1 is Master within 3s\n@1s end\n")
	if passes {
		w.script = []trace.Event{roleEvent(time.Second, "lb1", "Master")}
	}
	return Job{Plan: p, World: plan.Sim, Dir: t.TempDir(), NewWorld: func(s Stage) (World, error) {
		w.recorder = s.Recorder
		return w, os.WriteFile(filepath.Join(s.Dir, evidence.LogFile("lb1")), []byte("a log\n"), 0o644)
	}}
}

func TestEvidenceIsKeptByThePolicy(t *testing.T) {
	for _, tt := range []struct {
		keep   evidence.Keep
		passes bool
		want   bool
	}{
		{"", false, true}, {"", true, false},
		{evidence.KeepFailed, false, true}, {evidence.KeepFailed, true, false},
		{evidence.KeepAll, false, true}, {evidence.KeepAll, true, true},
		{evidence.KeepNone, false, false}, {evidence.KeepNone, true, false},
	} {
		w := &witness{scripted: &scripted{}}
		j := job(t, w, tt.passes)
		j.Keep, j.Limit = tt.keep, 1<<20
		if _, err := j.Execute(t.Context()); err != nil {
			t.Fatal(err)
		}
		what := fmt.Sprintf("keep %q, passes %v", tt.keep, tt.passes)
		m, err := evidence.Read(j.Dir)
		_, logErr := os.Stat(filepath.Join(j.Dir, evidence.LogFile("lb1")))
		if kept := err == nil; kept != tt.want || kept != (w.asked != nil) || kept != (logErr == nil) {
			t.Errorf("%s: manifest %v, asked %v, log %v; want kept: %v", what, err, w.asked, logErr, tt.want)
			continue
		}
		if _, err := os.Stat(filepath.Join(j.Dir, TraceFile)); err != nil {
			t.Errorf("%s: the trace is gone: %v", what, err)
		}
		if tt.want && (m.Version != evidence.Version || m.Scenario != "timeline" || m.World != plan.Sim || m.Limit != 1<<20 ||
			m.Bytes != 6 || len(m.Files) != 1 || m.Files[0].Bytes != 6 || len(m.Missing) != 1) {
			t.Errorf("%s: manifest %+v", what, m)
		}
	}
}

func TestEvidenceIsKeptOfARunThatWasBrokenOff(t *testing.T) {
	w := &witness{scripted: &scripted{refuse: errors.New("no room for a bridge")}}
	j := job(t, w, false)
	if _, err := j.Execute(t.Context()); err == nil || !strings.Contains(err.Error(), "no room for a bridge") {
		t.Errorf("error %v", err)
	}
	if w.asked == nil || !strings.Contains(w.asked.About, "broken off") || !strings.Contains(w.asked.About, "no room for a bridge") {
		t.Errorf("asked for %+v", w.asked)
	}
}

func TestEvidenceThatCannotBeStoredIsAnError(t *testing.T) {
	w := &witness{scripted: &scripted{}, fail: fs.ErrPermission}
	if _, err := job(t, w, false).Execute(t.Context()); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("error %v", err)
	}
}

// The window of the evidence is that of the failed check, not of the whole run.
func TestEvidenceIsOfTheTimeOfTheFailure(t *testing.T) {
	w := &witness{scripted: &scripted{}}
	if _, err := job(t, w, false).Execute(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := evidence.Span{From: clock.Instant(-evidence.Around), To: clock.Instant(3*time.Second + evidence.Around)}
	if len(w.asked.Windows) != 1 || w.asked.Windows[0] != want {
		t.Errorf("windows %v, want %v: the wait and what is around it", w.asked.Windows, want)
	}
}
