package check

import (
	"slices"
	"strings"
	"testing"

	"baton/impl/trace"
	"baton/scenarios/capability"
	"baton/scenarios/plan"
)

// silent turns the tape into that of a subject that provides nothing: it keeps the roles seen on the
// wire and drops all events that only a node itself can report.
func silent(whole *tape) *tape {
	kept := &tape{}
	for _, e := range *whole {
		switch e.Kind {
		case trace.KindGate, trace.KindBFD, trace.KindSync, trace.KindLease, trace.KindAnnounce, trace.KindReplica:
			continue
		case trace.KindMeta:
			meta := *e.Meta
			meta.SUT, meta.Lacks = "foreign", capability.Names()
			e.Meta = &meta
		}
		*kept = append(*kept, e)
	}
	return kept
}

// TestClaimsAboutUnreportedStateAreNotJudged: claims about the inside of a node that reports nothing
// neither pass nor fail. Claims about the wire and clients are judged as usual.
func TestClaimsAboutUnreportedStateAreNotJudged(t *testing.T) {
	v := judged(scenario(t, everything, afterCrash, afterRestore), silent(crash()))
	if v.Verdict != Pass {
		t.Fatal(show(v))
	}
	for _, c := range v.Checks {
		want := Pass
		if slices.Contains([]string{plan.Gates, plan.Announce, plan.CheckInSync, plan.Converged, plan.Replica, "detect", "sync"}, c.Name) {
			want = NotJudged
		}
		if c.Verdict != want {
			t.Errorf("%s is %s, want %s: %s", c.Name, c.Verdict, want, c.Detail)
		}
	}
}

// TestDamageFailsASubjectThatReportsNothing: damage seen by clients or on the wire fails the run.
func TestDamageFailsASubjectThatReportsNothing(t *testing.T) {
	damaged := silent(crash())
	damaged.add(2100, "lb2", trace.Event{Kind: trace.KindRST, RST: &trace.RST{Edge: "clients"}})
	trace.Sort(*damaged)
	v := judged(scenario(t, everything, afterCrash, afterRestore), damaged)
	if v.Verdict != Fail || !strings.HasPrefix(v.Reasons[0], "rst:") {
		t.Fatal(show(v))
	}
}

// TestAScenarioOfWhichNothingCanBeJudgedIsASkip: so are a control whose checks cannot be judged, and a
// step that the subject cannot execute.
func TestAScenarioOfWhichNothingCanBeJudgedIsASkip(t *testing.T) {
	lacks := capability.Names()
	for _, c := range []struct{ name, head, crash, want string }{
		{"only inner claims", "always gates", "  expect lb2 is Claiming within detect+50ms", "none of the 2 claims can be judged: the subject does not provide gates"},
		{"only one inner claim", "always gates", "", "none of the 1 claims can be judged: the subject does not provide gates"},
		{"a control of the other world", "always gates ; rst == 0\n[sim] control gates", "", ""},
		{"a control of gates", "always gates ; rst == 0\ncontrol gates", "", "control gates: the subject does not provide gates"},
		{"one claim of the wire", "always gates ; rst == 0", "", ""},
		{"a control of RSTs", "always gates ; rst == 0\ncontrol rst", "", ""},
	} {
		p := scenario(t, c.head, c.crash, "")
		if why := Unjudgeable(p, plan.Netns, lacks); why != c.want {
			t.Errorf("%s: %q, want %q", c.name, why, c.want)
		}
		if v := judged(p, silent(crash())); (v.Verdict == Skip) != (c.want != "") || v.Verdict == Skip && !slices.Equal(v.Reasons, []string{c.want}) {
			t.Errorf("%s: %s", c.name, show(v))
		}
		if why := Unjudgeable(p, plan.Netns, nil); why != "" {
			t.Errorf("%s of a subject that lacks nothing: %q", c.name, why)
		}
	}
}

// TestAStepOfTheOtherWorldNeedsNothing: a subject need not provide what a step of the other world needs.
func TestAStepOfTheOtherWorldNeedsNothing(t *testing.T) {
	needy := scenario(t, "always rst == 0", "@2500ms handover lb2", "")
	guarded := scenario(t, "always rst == 0", "[sim] @2500ms handover lb2", "")
	lacks := []string{capability.Handover}
	if why := Unjudgeable(needy, plan.Netns, lacks); !strings.Contains(why, "does not provide "+capability.Handover) {
		t.Errorf("a handover of a subject without one: %q", why)
	}
	if why := Unjudgeable(needy, plan.Netns, []string{capability.Lease}); why != "" {
		t.Errorf("a handover of a subject that lacks something else: %q", why)
	}
	if why := Unjudgeable(guarded, plan.Netns, lacks); why != "" {
		t.Errorf("a handover in the other world: %q", why)
	}
}

// TestNeedsNameChecksAndCapabilities: every row of the table names an existing check and capability.
func TestNeedsNameChecksAndCapabilities(t *testing.T) {
	for name, needed := range needs {
		if !slices.Contains(plan.CheckNames(), name) {
			t.Errorf("no such check: %s", name)
		}
		for _, c := range needed {
			if !slices.Contains(capability.Names(), c) {
				t.Errorf("%s needs %s, which is no capability", name, c)
			}
		}
	}
}

// TestEachCapabilityIsShownByItsOwnEvents: a subject that claims every capability and serves is
// believed only for those of which its trace has an event.
func TestEachCapabilityIsShownByItsOwnEvents(t *testing.T) {
	events := map[string]trace.Event{
		capability.Roles:   {Kind: trace.KindRole, Role: &trace.Role{From: "Init", To: "Backup"}},
		capability.Gates:   {Kind: trace.KindGate, Gate: &trace.Gate{Name: "InSync"}},
		capability.Lease:   {Kind: trace.KindLease, Lease: &trace.Lease{}},
		capability.BFD:     {Kind: trace.KindBFD, BFD: &trace.BFD{}},
		capability.Sync:    {Kind: trace.KindSync, Sync: &trace.Sync{}},
		capability.Replica: {Kind: trace.KindReplica, Replica: &trace.Replica{}},
	}
	for _, name := range capability.Names() {
		if _, shown := events[name]; shown != (shownBy[name] != nil) {
			t.Errorf("%s: an event here: %v, a row in shownBy: %v", name, shown, shownBy[name] != nil)
		}
	}
	p := scenario(t, "", "", "")
	serves := trace.Event{At: ms(1), Node: "lb1", Kind: trace.KindForwarder, Forwarder: &trace.Forwarder{}}
	master := trace.Event{At: ms(1), Node: "lb1", Kind: trace.KindRole, Role: &trace.Role{From: "Claiming", To: "Master"}}
	if unshown := newRun(p, []trace.Event{master}).unshown; len(unshown) != len(events)-1 {
		t.Errorf("a Master serves too: %v without an event", unshown)
	}
	for name, e := range events {
		e.At, e.Node = ms(2), "lb1"
		unshown := newRun(p, []trace.Event{serves, e}).unshown
		if len(unshown) != len(events)-1 || slices.Contains(unshown, name) {
			t.Errorf("a trace with an event of %s leaves %v without one", name, unshown)
		}
		if idle := newRun(p, []trace.Event{e}).unshown; len(idle) != 0 {
			t.Errorf("a subject that never served has to show %v", idle)
		}
	}
}

// TestRolesThatContradictTheWire: a subject that reports roles but no lease is judged by its roles.
func TestRolesThatContradictTheWire(t *testing.T) {
	for _, c := range []struct {
		name  string
		lacks []string
		want  Outcome
	}{
		{"a node that tells its role", capability.Lacking([]string{capability.Roles}), Fail},
		{"a node whose role is read from the wire", capability.Names(), Pass},
	} {
		contradicting := silent(crash())
		for i, e := range *contradicting {
			if e.Meta != nil {
				e.Meta.Lacks = c.lacks
			}
			if e.Role != nil && e.Node == "lb2" && e.Role.To == roleMaster {
				(*contradicting)[i] = trace.Event{At: e.At, Kind: trace.KindNote, Note: "it keeps silent"}
			}
		}
		v := judged(scenario(t, "always forwarders <= 1", "", ""), contradicting)
		if v.Verdict != c.want {
			t.Errorf("%s: %s, want %s", c.name, show(v), c.want)
		}
	}
}

// TestAClaimedCapabilityWithoutReportsProvesNothing: if a subject claims a capability but never reports it, no
// check that needs it passes.
func TestAClaimedCapabilityWithoutReportsProvesNothing(t *testing.T) {
	p := scenario(t, everything+" ; exclusive ; kept ; served", afterCrash, afterRestore)
	judgedOf := map[string]int{}
	for claimed, shows := range shownBy {
		hushed := crash()
		for i, e := range *hushed {
			if e.Role != nil && claimed == capability.Gates {
				role := *e.Role
				role.Gates = nil
				(*hushed)[i].Role = &role
			}
		}
		hushed.without(shows)
		for _, c := range judged(p, hushed).Checks {
			if !slices.Contains(needs[c.Name], claimed) {
				continue
			}
			judgedOf[claimed]++
			if c.Verdict == Pass {
				t.Errorf("%s passes without an event of %s: %s", c.Name, claimed, c.Detail)
			}
		}
	}
	for name := range shownBy {
		if judgedOf[name] == 0 {
			t.Errorf("no check that needs %s was judged", name)
		}
	}
	if v := judged(scenario(t, "always exclusive ; kept", "", ""), crash()); v.Verdict != Pass {
		t.Errorf("of one that shows all: %s", show(v))
	}
}

// TestALeaseThatIsOnlyClaimedHidesNoForwarder: the forwarders are then read from the wire.
func TestALeaseThatIsOnlyClaimedHidesNoForwarder(t *testing.T) {
	contradicting := crash()
	contradicting.without(func(e trace.Event) bool {
		return e.Lease != nil || e.Role != nil && e.Node == "lb2" && (e.Role.To == roleMaster || e.Role.To == roleClaiming)
	})
	if v := judged(scenario(t, "always forwarders <= 1", "", ""), contradicting); v.Verdict != Fail || !strings.HasPrefix(v.Reasons[0], "forwarders:") {
		t.Error(show(v))
	}
	agreeing := crash()
	agreeing.without(func(e trace.Event) bool { return e.Lease != nil })
	if got, detail := outcome(judged(scenario(t, "always forwarders <= 1", "", ""), agreeing), "forwarders"); got != Pass {
		t.Errorf("the roles agree with the wire: %s: %s", got, detail)
	}
}

// TestALoopOfWhichNobodyTellsIsNotJudged: in namespaces no node reports its timers, so rests is not
// judged.
func TestALoopOfWhichNobodyTellsIsNotJudged(t *testing.T) {
	for _, c := range judged(scenario(t, "always rests ; rst == 0", "", ""), crash()).Checks {
		if c.Name == plan.Rests && c.Verdict != NotJudged {
			t.Errorf("%s: %s", c.Verdict, c.Detail)
		}
	}
}

// TestARunWithoutStepsOrFaultsOfItsWorldIsASkip: it would prove nothing.
func TestARunWithoutStepsOrFaultsOfItsWorldIsASkip(t *testing.T) {
	for _, test := range []struct{ steps, says string }{
		{"[sim] @0s wait lb1 is Master within 3s\n[sim] @2s crash lb1\n[sim] @6s end\n", "all steps are guarded by [sim]"},
		{"@0s wait lb1 is Master within 3s\n[sim] @2s crash lb1\n@6s end\n", "fault"},
	} {
		p, _ := plan.Check("s.scn", []byte("scenario s\nservice web tcp 198.18.0.100:80\ntraffic web sessions tcp count=2 every=100ms\n"+test.steps))
		if why := Unjudgeable(p, plan.Netns, nil); !strings.Contains(why, test.says) {
			t.Errorf("%q: %q, want %q in it", test.steps, why, test.says)
		}
		if why := Unjudgeable(p, plan.Sim, nil); why != "" {
			t.Errorf("%q in its own world: %q", test.steps, why)
		}
	}
}

// TestARunWithoutClaimsIsNoSkip: it shows its metrics, whatever the subject lacks.
func TestARunWithoutClaimsIsNoSkip(t *testing.T) {
	if why := Unjudgeable(scenario(t, "", "", ""), plan.Netns, []string{capability.Lease}); why != "" {
		t.Error(why)
	}
}

// TestWhatASubjectWithoutACapabilityIsNotJudgedBy: for each capability the checks that need it, and no others.
func TestWhatASubjectWithoutACapabilityIsNotJudgedBy(t *testing.T) {
	for name, want := range map[string][]string{
		capability.Gates:   {plan.Gates},
		capability.Roles:   {plan.Announce, plan.Converged, plan.Rests},
		capability.Sync:    {plan.CheckInSync, plan.Converged, plan.Served, "sync"},
		capability.Replica: {plan.Converged, plan.Kept, plan.Replica},
		capability.Lease:   {plan.Exclusive, plan.Served},
		capability.BFD:     {"detect"},
	} {
		var got []string
		for _, check := range plan.CheckNames() {
			if notProvided(needs[check], []string{name}) != "" {
				got = append(got, check)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("without %s %q are not judged, want %q", name, got, want)
		}
	}
}
