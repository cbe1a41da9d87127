package check

import (
	"slices"
	"strings"
	"testing"

	"baton/impl/trace"
	"baton/scenarios/plan"
)

// A failed wait for the first MASTER proves nothing if the machine started the nodes so far apart that
// the other one had to claim. If both started together, it fails.
func TestNodesThatStartedApartExplainTheFirstWait(t *testing.T) {
	for _, test := range []struct {
		name   string
		late   float64 // when lb1 started; lb2 did at 0
		world  string
		master string
		config string
		want   Outcome
		says   string
	}{
		{"longer than the recovery delay", 751, plan.Netns, "lb2", "", Inconclusive, "lb2 is MASTER, because the machine started lb1 751ms after it, which is longer than the recovery delay of 500ms"},
		{"longer with the time until the gateway has answered", 201, plan.Netns, "lb2", "config arbiter.gateway=client1", Inconclusive,
			"lb2 is MASTER, because the machine started lb1 201ms after it, which, with the 300ms until its gateway has answered, is longer than the recovery delay of 500ms"},
		{"not longer with that time", 200, plan.Netns, "lb2", "config arbiter.gateway=client1", Fail, "lb1 is Backup"},
		{"not longer", 500, plan.Netns, "lb2", "", Fail, "lb1 is Backup"},
		{"in virtual time", 751, plan.Sim, "lb2", "", Fail, "lb1 is Backup"},
		{"without another MASTER", 751, plan.Netns, "", "", Fail, "lb1 is Backup"},
		{"not within the wait", 3500, plan.Netns, "lb2", "", Fail, "lb1 is"},
		{"the other one was late", -751, plan.Netns, "lb2", "", Fail, "lb1 is Backup"},
	} {
		tape := crash()
		tape.without(func(e trace.Event) bool { return e.Role != nil || e.At > ms(0) })
		(*tape)[0].Meta.World = test.world
		tape.role(test.late, "lb1", "Init", "Backup", "LinksUp", "DataplaneReady")
		tape.role(0, "lb2", "Init", "Backup", "LinksUp", "DataplaneReady")
		if test.master != "" {
			tape.promote(800, test.master, 4000)
		}
		tape.step(3000, plan.VerbWait, "timeout")
		verdict := judged(scenario(t, "[sim] config ha.hold=100ms\n"+test.config, "", ""), tape)
		i := slices.IndexFunc(verdict.Checks, func(c Check) bool { return c.Name == plan.CheckWait })
		if i < 0 || verdict.Checks[i].Verdict != test.want || !strings.Contains(verdict.Checks[i].Detail, test.says) {
			t.Errorf("%s: %s", test.name, show(verdict))
		} else if verdict.Checks[i].Failed == nil {
			t.Errorf("%s: the check has no time", test.name)
		}
	}
}

// The start times of the nodes excuse only the scenario's first wait.
func TestNodesThatStartedApartDoNotExplainALaterWait(t *testing.T) {
	p := scenario(t, "", "", "@4500ms wait lb1 is Master within 500ms")
	later := len(p.Steps) - 2
	tape := crash()
	tape.without(func(e trace.Event) bool { return e.Role != nil || e.At > ms(0) })
	tape.role(751, "lb1", "Init", "Backup", "LinksUp", "DataplaneReady")
	tape.role(0, "lb2", "Init", "Backup", "LinksUp", "DataplaneReady")
	tape.promote(800, "lb2", 9000)
	for at, phase := range map[float64]string{4500: "begin", 5000: "timeout"} {
		tape.add(at, "", trace.Event{Kind: trace.KindStep, Step: &trace.Step{Index: later, Text: p.Steps[later].String(), Phase: phase}})
	}
	verdict := Judge(p, *tape)
	i := slices.IndexFunc(verdict.Checks, func(c Check) bool { return c.Name == plan.CheckWait && c.Line == p.Steps[later].Pos.Line })
	if i < 0 || verdict.Checks[i].Verdict != Fail || !strings.Contains(verdict.Checks[i].Detail, "lb1 is Backup") {
		t.Errorf("%s", show(verdict))
	}
}

// Only that the node became no MASTER is explained by its late start.
func TestNodesThatStartedApartExplainOnlyAMissingMaster(t *testing.T) {
	for _, wait := range []string{"lb1 is Backup", "lb1 is not Master"} {
		p, found := plan.Check("a.scn", []byte("scenario a\nservice web tcp 198.18.0.100:80\ntraffic web sessions tcp count=2 every=100ms\n"+
			"@0s wait "+wait+" and lb2 is Backup within 3s\n@2s crash lb1\n@6s end\n"))
		if errs := found.Errors(true); len(errs) > 0 {
			t.Fatal(errs)
		}
		tape := crash()
		tape.without(func(e trace.Event) bool { return e.Role != nil || e.At > ms(0) })
		tape.role(751, "lb1", "Init", "Backup")
		tape.role(0, "lb2", "Init", "Backup")
		tape.promote(800, "lb2", 4000)
		tape.step(3000, plan.VerbWait, "timeout")
		if got, detail := outcome(judged(p, tape), plan.CheckWait); got != Fail {
			t.Errorf("%s: %s: %s", wait, got, detail)
		}
	}
}
