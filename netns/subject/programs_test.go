package subject_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"baton/impl/trace"
	"baton/scenarios/evidence"
)

// TestProgramsOfAScenario: a program's status and last line are recorded; a program that
// exceeds its time is killed with its children, and so is one that outlives the run.
func TestProgramsOfAScenario(t *testing.T) {
	verdict, events, dir := executeIn(t, "run: exec sleep 60", "exit(brief) == 3",
		"@100ms run client1 \"sh -c 'ip -o addr; echo done; exit 3'\" as brief for 5s\n"+
			"       run client1 \"sh -c 'trap : TERM; setsid sleep 1000 & wait; wait'\" as timed for 300ms\n"+
			"       run backend1 \"sleep 1000\" as server for 1m\n@1s end\n")
	ended := map[string]trace.Program{}
	for _, e := range events {
		if e.Program != nil {
			ended[e.Program.Name] = *e.Program
		}
	}
	if brief := ended["brief"]; brief.Exit != 3 || brief.Last != "done" {
		t.Errorf("brief: %+v", brief)
	}
	if timed := ended["timed"]; timed.Exit != 137 || timed.Why != "killed after its time limit of 300ms" {
		t.Errorf("timed: %+v", timed)
	}
	if server := ended["server"]; server.Exit != 137 || server.Why != "killed at the end of the run" {
		t.Errorf("server: %+v", server)
	}
	if told := messages(verdict, events); strings.Contains(told, "leak:") {
		t.Error(told)
	}
	wrote, err := os.ReadFile(filepath.Join(dir, evidence.LogFile("brief")))
	if err != nil || !strings.Contains(string(wrote), "198.18.0.11/") {
		t.Errorf("it did not run in client1: %v\n%s", err, wrote)
	}
}
