package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestANewScenarioRuns: without an edit. baton new does not overwrite a file.
func TestANewScenarioRuns(t *testing.T) {
	dir := t.TempDir()
	if r := baton(t, "new", "--dir", dir, "mine"); r.code != exitPass || !strings.Contains(r.out, "mine.scn: written") {
		t.Fatalf("exit code %d\n%s%s", r.code, r.out, r.errout)
	}
	file := filepath.Join(dir, "mine.scn")
	if r := baton(t, "lint", file); r.code != exitPass || r.errout != "" {
		t.Errorf("lint: exit code %d\n%s", r.code, r.errout)
	}
	if r := baton(t, "run", "--world", "sim", "--out", t.TempDir(), file); r.code != exitPass || !strings.HasPrefix(r.out, "PASS          mine\n") {
		t.Errorf("run: exit code %d\n%s%s", r.code, r.out, r.errout)
	}
	if err := os.WriteFile(file, []byte("my own"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"mine", "../mine", "a b", ""} {
		if r := baton(t, "new", "--dir", dir, name); r.code != exitBadInput {
			t.Errorf("%q: exit code %d\n%s", name, r.code, r.out)
		}
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "my own" {
		t.Errorf("the file is now %q, %v", text, err)
	}
}

func TestExplainShowsWindows(t *testing.T) {
	file := scenario(t, "always masters <= 1\n@1s crash lb1\n expect lb2 is Master within detect+50ms\n@2s end\n")
	r := baton(t, "explain", file)
	for _, want := range []string{"x in netns\n  detect = 150 ms: ", "1000\u20131200", "within detect+50ms = 150 + 50 = 200 ms of crash in line 3"} {
		if r.code != exitPass || !strings.Contains(r.out, want) {
			t.Errorf("exit code %d, no %q in\n%s%s", r.code, want, r.out, r.errout)
		}
	}
	if r := baton(t, "explain", "--json", "--world", "sim", file); r.code != exitPass || !strings.Contains(r.out, `"to_ms": 1200`) {
		t.Errorf("exit code %d\n%s%s", r.code, r.out, r.errout)
	}
	if r := baton(t, "explain", "--world", "moon", file); r.code != exitBadInput {
		t.Errorf("exit code %d", r.code)
	}
}
