package check

import (
	"strings"
	"testing"

	"baton/impl/trace"
	"baton/scenarios/plan"
)

// TestThroughoutMayBeginInTheRoleBefore: after a handover the node is still Master for a moment. It may
// not return to that role, and it may not take a third one.
func TestThroughoutMayBeginInTheRoleBefore(t *testing.T) {
	for _, c := range []struct {
		name string
		then string // its role after Master
		want Outcome
	}{
		{"it yields", roleBackup, Pass},
		{"it claims", roleClaiming, Fail},
		{"it stays", "", Fail},
	} {
		tape := crash()
		tape.step(5000, "handover", "begin")
		tape.fault(5000, "handover", "lb2", "begin")
		tape.fault(5000, "handover", "lb2", "receipt")
		tape.step(5001, "handover", "end")
		tape.bfd(5050, "lb2", "clients", "Up", "Down", 0) // an event while it is still Master
		if c.then == roleBackup {
			tape.role(5080, "lb2", roleMaster, roleYielding)
			tape.role(5100, "lb2", roleYielding, roleBackup)
		} else if c.then != "" {
			tape.role(5100, "lb2", roleMaster, c.then)
		}
		trace.Sort(*tape)
		v := judged(scenario(t, "", "", "@5s handover lb2\n  expect lb2 is Backup throughout 500ms"), tape)
		if got, detail := outcome(v, "role"); got != c.want {
			t.Errorf("%s: %s, want %s: %s", c.name, got, c.want, detail)
		}
	}
}

// TestAStateThatNeverCameTellsTheNodesLastNote: the last one within the window, and of no other node.
func TestAStateThatNeverCameTellsTheNodesLastNote(t *testing.T) {
	tape := crash()
	for _, n := range []struct {
		at         float64
		node, note string
	}{
		{4500, "lb1", "an early word"}, {4700, "lb1", "cannot read my role"}, {4800, "lb2", "of the other node"}, {5100, "lb1", "after the window"},
	} {
		tape.add(n.at, n.node, trace.Event{Kind: trace.KindNote, Note: n.note})
	}
	tape.bfd(4750, "lb1", "sync", "Up", "Up", 0)
	trace.Sort(*tape)
	v := judged(scenario(t, "", "", "  expect lb1 is Master and lb1 insync within 1s"), tape)
	if v.Verdict != Fail || !strings.HasSuffix(v.Reasons[0], "; lb1 says: cannot read my role") {
		t.Error(show(v))
	}
}

// TestAnEventuallyIsJudgedWhenTheRunHasEnded: in a run that was cut off it may still have come true.
func TestAnEventuallyIsJudgedWhenTheRunHasEnded(t *testing.T) {
	p, found := plan.Check("e.scn", []byte("scenario e\nservice web tcp 198.18.0.100:80\ntraffic web sessions tcp count=2 every=100ms\n"+
		"@0s wait lb1 is Master and lb2 insync within 3s\n@2s crash lb1\n@4s restore lb1\n@6s end eventually lb1 is Master within 5s\n"))
	if errs := found.Errors(true); len(errs) > 0 {
		t.Fatal(errs)
	}
	for _, test := range []struct {
		name string
		edit func(*tape)
		want Outcome
	}{
		{"it came true", func(t *tape) { t.role(6005, "lb1", "Backup", "Master") }, Pass},
		{"it never came true", func(*tape) {}, Fail},
		{"the run was cut off", func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Step != nil && e.Step.Text == plan.VerbEnd && e.Step.Phase == "end" })
		}, Inconclusive},
	} {
		tape := crash()
		test.edit(tape)
		if got, detail := outcome(judged(p, tape), "role"); got != test.want {
			t.Errorf("%s: %s, want %s: %s", test.name, got, test.want, detail)
		}
	}
}
