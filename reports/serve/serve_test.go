package serve

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"baton/scenarios/check"
)

// hostile is text that would be active in a page that did not escape it.
const hostile = `<script src=//x></script><img src=x onerror=alert(1)>"'`

// leave stores a run that ended at the given minute of an hour.
func leave(t *testing.T, dir, scenario string, verdict check.Outcome, minute int) {
	t.Helper()
	result, err := json.Marshal(check.Verdict{Scenario: scenario, World: "sim", SUT: "reference", Verdict: verdict, Reasons: []string{hostile}})
	if err != nil {
		t.Fatal(err)
	}
	meta, err := json.Marshal(map[string]any{"version": 2, "scenario": scenario, "world": "sim", "sut": "reference", "seed": 1,
		"origin": map[string]any{"began": fmt.Sprintf("2026-11-28T10:%02d:00Z", minute)}})
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "trace.jsonl", `{"t":1,"kind":"meta","meta":`+string(meta)+"}\n")
	write(t, dir, "result.json", string(result))
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, dir string, last int) *Server {
	t.Helper()
	s, err := Open(dir, Options{Last: last, Every: time.Millisecond, Host: "lab.example"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	s.Update()
	return s
}

// get requests an address as written, without cleaning it first.
func get(t *testing.T, s *Server, address string) (*http.Response, string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:1/", nil)
	target, err := r.URL.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	r.URL = target
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w.Result(), w.Body.String()
}

// A history includes only the last runs, by the time at which they began. INCONCLUSIVE runs neither
// begin nor end a red period.
func TestAHistoryGoesOverTheLastRuns(t *testing.T) {
	dir := t.TempDir()
	for minute, verdict := range []check.Outcome{"FAIL", "PASS", "FAIL", "INCONCLUSIVE", "FAIL", "SKIP"} {
		leave(t, filepath.Join(dir, fmt.Sprint(9-minute)), "x", verdict, minute)
	}
	leave(t, filepath.Join(dir, "other"), "y", "PASS", 1)
	x := open(t, dir, 5).Index()
	if len(x.Scenarios) != 2 {
		t.Fatalf("%+v", x.Scenarios)
	}
	h := x.Scenarios[1]
	if h.Scenario != "x" || h.Verdict != "SKIP" || h.Passed != 1 || h.Failed != 2 || h.Inconclusive != 1 || h.Skipped != 1 || h.Of != 6 || len(h.Runs) != 5 {
		t.Errorf("%+v", h)
	}
	if h.FlakeRate != 1.0/3 {
		t.Errorf("flake rate %v", h.FlakeRate)
	}
	if h.Red == nil || h.Red.Path != "7" {
		t.Errorf("red since %+v, want the failure after the pass", h.Red)
	}
	if x.Scenarios[0].Red != nil {
		t.Errorf("red since %+v of what always passed", x.Scenarios[0].Red)
	}
	if before, ok := h.passedBefore("5"); !ok || before.Path != "8" {
		t.Errorf("passed before: %+v", before)
	}
}

// A run without a result counts as running until nothing was written for long, and is not part of a
// history.
func TestARunWithoutAResultIsUnderWay(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "now"), "scenario.scn", "scenario now\n")
	write(t, filepath.Join(dir, "half"), "result.json", `{"scenario": "ha`)
	write(t, filepath.Join(dir, "old"), "trace.jsonl", "")
	long := time.Now().Add(-2 * quiet)
	if err := os.Chtimes(filepath.Join(dir, "old", "trace.jsonl"), long, long); err != nil {
		t.Fatal(err)
	}
	x := open(t, dir, 5).Index()
	if len(x.Running) != 2 || len(x.Unfinished) != 1 || x.Unfinished[0].Path != "old" || len(x.Scenarios) != 0 {
		t.Errorf("%+v", x)
	}
}

// Names and texts are shown as text, and every response forbids scripts except the server's.
func TestHostileTextsAreShownAsText(t *testing.T) {
	dir := t.TempDir()
	folder := `a?b#c%2e<b>"'`
	leave(t, filepath.Join(dir, folder), hostile, "FAIL", 1)
	s := open(t, dir, 5)
	response, body := get(t, s, "/")
	if response.StatusCode != http.StatusOK || strings.Contains(body, "<img") || strings.Contains(body, "<b>") || strings.Count(body, "<script") != 1 {
		t.Errorf("%s\n%s", response.Status, body)
	}
	if !strings.Contains(body, "&lt;img src=x onerror") {
		t.Error("the name is not shown")
	}
	response, body = get(t, s, strings.TrimSuffix(way(folder), "#run-0"))
	if response.StatusCode != http.StatusOK || strings.Contains(body, "<img src=x") {
		t.Errorf("page of the run: %s", response.Status)
	}
	for _, address := range []string{"/", "/index.json", "/nothing", strings.TrimSuffix(way(folder), "#run-0"), strings.TrimSuffix(way(folder), "#run-0") + "result.json"} {
		response, _ := get(t, s, address)
		policy := response.Header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || response.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", address, response.Header)
		}
	}
	if response, _ := get(t, s, strings.TrimSuffix(way(folder), "#run-0")+"result.json"); response.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("a file of a run is %s", response.Header.Get("Content-Type"))
	}
}

// Only files of runs are served: nothing above the folder, beside a run, or behind a link.
func TestNothingElseIsServed(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "served")
	write(t, top, "secret", "SECRET")
	leave(t, filepath.Join(top, "outside"), "outside-SECRET", "FAIL", 1)
	leave(t, filepath.Join(dir, "run"), "x", "PASS", 1)
	write(t, filepath.Join(dir, "run"), "id_rsa", "SECRET")
	write(t, filepath.Join(dir, "run"), "evidence.json", `{"files": [{"file": "../../secret"}, {"file": "pipe"}, {"file": "late"}]}`)
	leave(t, filepath.Join(dir, "linked"), "linked", "PASS", 1)
	if err := errors.Join(os.Symlink("../../secret", filepath.Join(dir, "linked", "scenario.scn")), os.Symlink("../outside", filepath.Join(dir, "away")),
		syscall.Mkfifo(filepath.Join(dir, "run", "pipe"), 0o644)); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir, 5)
	if err := os.Symlink("../../secret", filepath.Join(dir, "run", "late")); err != nil { // after the scan
		t.Fatal(err)
	}
	for _, address := range []string{"/runs/run/id_rsa", "/runs/run/..%2f..%2fsecret", "/runs/..%2fsecret", "/runs/%2e%2e/secret", "/runs/../../secret", "/runs/run/../../../secret",
		"/runs/away/trace.jsonl", "/runs/linked/", "/runs/linked/scenario.scn", "/runs/run/pipe", "/runs/run/late", "/runs/nothing/", "/secret", "/runs//run/"} {
		if response, body := get(t, s, address); response.StatusCode == http.StatusOK || strings.Contains(body, "SECRET") {
			t.Errorf("%s: %s %.80q", address, response.Status, body)
		}
	}
	x := s.Index()
	if len(x.Scenarios) != 1 || len(x.Problems) != 1 || x.Problems[0].File != "linked" {
		t.Errorf("%+v, problems %+v", x.Scenarios, x.Problems)
	}
	if response, body := get(t, s, "/runs/run/result.json"); response.StatusCode != http.StatusOK || !strings.Contains(body, `"PASS"`) {
		t.Errorf("the run's own result: %s", response.Status)
	}
}

// A trace that is too large to render gets a message instead, and its file is still served.
func TestAHugeTraceIsNotRendered(t *testing.T) {
	dir := t.TempDir()
	leave(t, filepath.Join(dir, "run"), "x", "FAIL", 1)
	if err := os.Truncate(filepath.Join(dir, "run", "trace.jsonl"), shownMost+1); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir, 5)
	if response, body := get(t, s, "/runs/run/"); response.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(body, "baton report") {
		t.Errorf("%s: %.80q", response.Status, body)
	}
	if broke := s.Index().Scenarios[0].Newest().Broke; !strings.Contains(broke, "baton report") {
		t.Errorf("the index says %q", broke)
	}
}

// A page of another site cannot read the runs by DNS rebinding.
func TestForeignNamesAreRefused(t *testing.T) {
	s := open(t, t.TempDir(), 5)
	for host, want := range map[string]int{"127.0.0.1:8370": 200, "[::1]:8370": 200, "localhost": 200, "lab.example:80": 200, "evil.example": 403, "": 403} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		if s.Handler().ServeHTTP(w, r); w.Code != want {
			t.Errorf("%q: %d, want %d", host, w.Code, want)
		}
	}
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1/", nil)
	w := httptest.NewRecorder()
	if s.Handler().ServeHTTP(w, r); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
}

// A follower is notified when a run ends, and finds it in the index then.
func TestTheIndexFollowsTheFolder(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 5)
	ctx, stop := context.WithCancel(t.Context())
	watched := make(chan struct{})
	go func() { defer close(watched); s.Watch(ctx) }()
	defer func() { stop(); <-watched }()
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if kind := response.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Fatalf("%s", kind)
	}
	leave(t, filepath.Join(dir, "run"), "x", "PASS", 1)
	lines := bufio.NewScanner(response.Body)
	deadline := time.AfterFunc(10*time.Second, stop)
	defer deadline.Stop()
	for lines.Scan() {
		if lines.Text() != "event: change" {
			continue
		}
		facts, err := http.Get(server.URL + "/index.json")
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(facts.Body)
		if err := errors.Join(err, facts.Body.Close()); err != nil {
			t.Fatal(err)
		}
		var x Index
		if err := json.Unmarshal(text, &x); err != nil {
			t.Fatal(err)
		}
		if len(x.Scenarios) == 1 {
			return // found once its result was complete
		}
	}
	t.Fatal("the run did not show")
}
