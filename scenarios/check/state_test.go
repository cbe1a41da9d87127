package check

import (
	"strings"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/fault"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// after returns the state after the events of the tape up to an instant.
func after(t *testing.T, tape *tape, at float64) *State {
	t.Helper()
	p := scenario(t, "", "", "")
	s := NewState(p, plan.Netns)
	events := append([]trace.Event(nil), *tape...)
	trace.Sort(events)
	for _, e := range events {
		if e.At <= ms(at) {
			s.Apply(&e)
		}
	}
	return s
}

// condition parses one condition.
func condition(t *testing.T, text string) plan.Cond {
	t.Helper()
	p := scenario(t, "[sim] always "+text, "", "")
	return p.Always[0].Cond
}

func TestStateHolds(t *testing.T) {
	tests := []struct {
		at        float64
		condition string
		want      bool
		why       string
	}{
		{-850, "lb1 is Init", true, "lb1 is Init"},
		{0, "lb1 is Backup", true, ""},
		{0, "lb2 insync", false, "no sync yet"},
		{300, "lb2 insync", true, "lb2 is insync with 2 entries"},
		{300, "lb1 is not Master", false, "lb1 is Master"},
		{2003, "lb1 is Master", true, ""}, // no receipt yet
		{2004, "lb1 is Master", false, "lb1 is down"},
		{2004, "lb1 is not Master", true, "lb1 is down"},
		{2004, "lb1 insync", false, "lb1 is down"},
		{4300, "gates", false, "judged over a window"},
		{4000, "lb1 is Init", true, "lb1 is Init"},
		{4200, "lb1 insync", false, "lb1 is not insync (snapshot, 1 entries)"},
		{4299, "converged", false, "no digest of lb1's table yet"},
		{4300, "converged", true, "converged"},
		{3000, "converged", true, "converged"}, // alone, but whole
		{2100, "converged", false, "0 masters"},
		{1300, "sessions == 2", true, "sessions is 2"},
		{300, "masters == 1", true, "masters is 1"},
		{2100, "forwarders == 0", true, "forwarders is 0"},
		{2160, "forwarders == 1", true, ""},
		{2200, "gap(web) > 200ms", true, "gap(web) is 205ms"},
		{2200, "gap(web) < detect+100ms", true, ""},
		{1000, "sync_entries >= 2", true, ""},
		{-500, "sync_entries >= 2", false, "sync_entries is not known yet"},
		{2500, "gap > 200ms", true, "gap is 205ms"},
		{2500, "gap(probe) > 200ms", false, "gap(probe) is 158ms"},
		{5000, "role_changes == 2", true, ""},
	}
	for _, test := range tests {
		got, why := after(t, crash(), test.at).Holds(condition(t, test.condition))
		if got != test.want || !strings.Contains(why, test.why) {
			t.Errorf("%s at %v is %v (%s), want %v (%s)", test.condition, test.at, got, why, test.want, test.why)
		}
	}
}

// A node is in sync if the sync has proved the table equal and the gate InSync is open. The gate can
// close later although the sync phase stays insync. An open gate alone proves nothing: it is also
// open without a peer to sync with.
func TestInSyncNeedsTheGateAndEqualTables(t *testing.T) {
	gate := func(name string, open bool) trace.Event {
		return trace.Event{Kind: trace.KindGate, Gate: &trace.Gate{Name: name, Open: open, Why: "peer was lost"}}
	}
	for _, test := range []struct {
		name  string
		lines []trace.Event
		want  bool
		why   string
	}{
		{"a closed gate", []trace.Event{gate("InSync", false)}, false, "lb2 is not insync: gate InSync is closed: peer was lost"},
		{"another gate", []trace.Event{gate("NoMaster", false)}, true, ""},
		{"opened again", []trace.Event{gate("InSync", false), gate("InSync", true)}, true, ""},
		{"neither proof nor gate", []trace.Event{gate("InSync", false), {Kind: trace.KindSync, Sync: &trace.Sync{Phase: "live", Entries: 1, Why: "the peer is not heard"}}},
			false, "lb2 is not insync (live, 1 entries, the peer is not heard)"},
		{"no proof", []trace.Event{gate("InSync", true), {Kind: trace.KindSync, Sync: &trace.Sync{Phase: "live"}}}, false, "lb2 is not insync (live"},
	} {
		tape := crash()
		for _, e := range test.lines {
			tape.add(400, "lb2", e)
		}
		s := after(t, tape, 401)
		if got, why := s.Holds(condition(t, "lb2 insync")); got != test.want || !strings.Contains(why, test.why) {
			t.Errorf("%s: %v (%s), want %v (%s)", test.name, got, why, test.want, test.why)
		}
	}
}

// TestConverged: a pair without exactly one MASTER has not converged, even if all else is well.
func TestConverged(t *testing.T) {
	for _, test := range []struct {
		name string
		edit func(*tape)
		why  string
	}{
		{"a pair that is well", func(*tape) {}, "converged"},
		{"two MASTERs", func(t *tape) { t.role(5000, "lb1", "Backup", "Master") }, "2 masters"},
		{"a Backup that is not in sync", func(t *tape) { t.sync(5000, "lb1", "snapshot", 1, 0) }, "lb1 is not insync (snapshot, 1 entries)"},
		{"no MASTER", func(t *tape) { t.role(5000, "lb2", "Master", "Backup"); t.sync(5000, "lb2", "insync", 2, 0) }, "0 masters"},
		{"no node", func(t *tape) { t.struck(5000, fault.Crash, "lb1"); t.struck(5000, fault.Crash, "lb2") }, "no node is up"},
		{"no node that moves", func(t *tape) { t.struck(5000, fault.Freeze, "lb1"); t.struck(5000, fault.Freeze, "lb2") }, "no node is up"},
	} {
		tape := crash()
		test.edit(tape)
		trace.Sort(*tape)
		if ok, why := after(t, tape, 5500).Holds(condition(t, "converged")); ok != (why == "converged") || why != test.why {
			t.Errorf("%s: converged %v: %s, want %s", test.name, ok, why, test.why)
		}
		nobody := test.why == "no node is up"
		if ok, why := after(t, tape, 5500).Holds(condition(t, "replica")); ok == nobody {
			t.Errorf("%s: replica %v: %s", test.name, ok, why)
		}
	}
}

func TestStateNamesWhatIsMissing(t *testing.T) {
	s := after(t, crash(), 100)
	ok, why := s.HoldAll([]plan.Cond{condition(t, "lb1 is Master"), condition(t, "lb2 insync"), condition(t, "sessions == 2")})
	if ok || why != "lb2 is not insync (no sync yet); sessions is 0" {
		t.Errorf("%v: %s", ok, why)
	}
	if ok, why := s.HoldAll([]plan.Cond{condition(t, "lb1 is Master")}); !ok || why != "lb1 is Master" {
		t.Errorf("%v: %s", ok, why)
	}
}

// A session that has just come up still reports its former slow interval. A window must not grow with
// it.
func TestDetectIsNegotiatedButNotAboveTheConfigured(t *testing.T) {
	if got := after(t, crash(), 0).Detect(); got != 150*time.Millisecond {
		t.Errorf("detect is %v, want the configured 150ms, not the 3s of sessions that came up", got)
	}
	tape := crash()
	for _, node := range lab.Nodes() {
		for _, path := range []string{"clients", "sync"} {
			tape.bfd(500, node, path, "Up", "Up", 90*time.Millisecond)
		}
	}
	if got := after(t, tape, 600).Detect(); got != 90*time.Millisecond {
		t.Errorf("detect is %v, want the negotiated 90ms", got)
	}
	for _, node := range lab.Nodes() {
		for _, path := range []string{"clients", "sync"} {
			tape.bfd(540, node, path, "Up", "Up", 0)
		}
	}
	if got := after(t, tape, 600).Detect(); got != 90*time.Millisecond {
		t.Errorf("detect is %v, want the 90ms of before: the report has none", got)
	}
	if got, _ := after(t, tape, 600).Env()("detect"); got != 90*time.Millisecond {
		t.Errorf("an expression has %v, want the negotiated 90ms", got)
	}
	tape.bfd(550, "lb1", "sync", "Up", "Down", 120*time.Millisecond)
	if got := after(t, tape, 600).Detect(); got != 90*time.Millisecond {
		t.Errorf("detect is %v, want that of the paths that are up", got)
	}
	for _, path := range []string{"clients", "sync"} { // each is the longest in turn
		tape.bfd(700, "lb2", path, "Up", "Up", 100*time.Millisecond)
		if got := after(t, tape, 700).Detect(); got != 100*time.Millisecond {
			t.Errorf("detect is %v, want the longest", got)
		}
		tape.bfd(700, "lb2", path, "Up", "Up", 90*time.Millisecond)
	}
	(*tape)[0].Meta.Detect = trace.Dur(70 * time.Millisecond)
	if got := after(t, tape, 700).Detect(); got != 70*time.Millisecond {
		t.Errorf("detect is %v, want at most the 70ms of the trace", got)
	}
	if got := NewState(scenario(t, "config bfd.mult=5", "", ""), plan.Netns).Detect(); got != 250*time.Millisecond {
		t.Errorf("detect before any event is %v, want 250ms", got)
	}
}

func TestCutsExplainAPathThatIsDown(t *testing.T) {
	for _, test := range []struct {
		cut, path string
		explained bool
	}{
		{"lb1<->lb2 via sync", "sync", true}, {"lb1->lb2 via sync", "sync", true}, {"lb1<->lb2 via sync", "clients", false},
		{"lb1->lb2", "clients", true}, {"clients->lb1", "clients", false}, {"lb1->clients", "clients", false}, {"lb1<->lb2 via clients", "clients", true},
		{"bfd lb1<->lb2 via sync", "sync", true}, {"stream lb1<->lb2 via sync", "sync", false}, {"arp lb1<->lb2 via clients", "clients", false},
	} {
		tape := crash()
		tape.fault(4400, fault.Cut, test.cut, "begin")
		tape.fault(4400, fault.Cut, test.cut, "receipt")
		tape.bfd(4500, "lb2", test.path, "Up", "Down", 0)
		s := after(t, tape, 4600)
		if ok, why := s.Holds(condition(t, "converged")); ok != test.explained {
			t.Errorf("cut %s, path %s down: converged is %v (%s)", test.cut, test.path, ok, why)
		}
		tape.fault(4700, fault.Heal, test.cut, "receipt")
		s = after(t, tape, 4800)
		if ok, _ := s.Holds(condition(t, "converged")); ok || len(s.Cuts) != 0 {
			t.Errorf("cut %s is healed, but path %s counts as explained; cuts %v", test.cut, test.path, s.Cuts)
		}
	}
}

// TestAHealCountsForWhatItsCutDropped: a heal of one direction or one kind of packets says nothing about the others.
func TestAHealCountsForWhatItsCutDropped(t *testing.T) {
	for _, test := range []struct {
		cut, kind, from, link string
		counts                bool
	}{
		{"lb1->lb2", lab.BFD, "lb1", "sync", true},
		{"lb1->lb2", lab.BFD, "lb1", "clients", true},
		{"lb1->lb2", lab.BFD, "lb2", "sync", false},
		{"lb1->lb2 via sync", lab.BFD, "lb1", "clients", false},
		{"bfd lb1->lb2", lab.BFD, "lb1", "sync", true},
		{"bfd lb1->lb2", lab.Stream, "lb1", "sync", false},
		{"stream lb1->lb2", lab.Stream, "lb1", "sync", true},
		{"stream lb1->lb2", lab.BFD, "lb1", "sync", false},
		{"lb1->clients", lab.BFD, "lb1", "clients", false},
		{"clients->lb2", lab.BFD, "lb1", "clients", false},
	} {
		tape := crash()
		tape.fault(4400, fault.Cut, test.cut, "begin")
		tape.fault(4400, fault.Cut, test.cut, "receipt")
		tape.fault(4500, fault.Heal, test.cut, "receipt")
		want := clock.Instant(0)
		if test.counts {
			want = ms(4600)
		}
		if got := after(t, tape, 4600).afterHeal(test.kind, test.from, test.link, 100*time.Millisecond); got != want {
			t.Errorf("cut %s healed: afterHeal of %s from %s on %s is %v, want %v", test.cut, test.kind, test.from, test.link, got, want)
		}
	}
}

func TestHealWithoutATargetHealsAll(t *testing.T) {
	tape := crash()
	tape.fault(4400, fault.Cut, "lb1<->lb2 via sync", "begin")
	tape.fault(4400, fault.Cut, "clients->lb1", "begin")
	tape.fault(4440, fault.Heal, "", "begin")
	tape.fault(4500, fault.Heal, "", "receipt")
	if s := after(t, tape, 4450); len(s.Cuts) != 3 {
		t.Errorf("cuts are %v, want three directions", s.Cuts)
	}
	if s := after(t, tape, 4600); len(s.Cuts) != 0 {
		t.Errorf("cuts are %v, want none", s.Cuts)
	}
}

func TestAThawedNodeCountsOnceItReportsItsRole(t *testing.T) {
	tape := frozen()
	tape.role(4100, "lb1", "Master", "Backup")
	for _, test := range []struct {
		at      float64
		masters int
	}{{1999, 1}, {2000.5, 1}, {2050, 0}, {3000, 1}, {4050, 1}, {4100, 1}} {
		if got := after(t, tape, test.at).Masters(); got != test.masters {
			t.Errorf("%d masters at %v, want %d", got, test.at, test.masters)
		}
	}
}

func TestAThawedNodeMustSpeakBeforeThePairIsConverged(t *testing.T) {
	tape := crash()
	tape.fault(4400, fault.Freeze, "lb2", "receipt")
	tape.bfd(4450, "lb2", "sync", "Up", "Up", 0) // written before the freeze
	tape.fault(4460, fault.Handover, "lb2", "begin")
	if live := after(t, tape, 4470).Live(); len(live) != 1 {
		t.Errorf("%d nodes are live although one is frozen", len(live))
	}
	tape.fault(4500, fault.Thaw, "lb2", "begin")
	if ok, why := after(t, tape, 4501).Holds(condition(t, "converged")); ok || why != "lb2 has not reported anything since its thaw" {
		t.Errorf("converged is %v: %s", ok, why)
	}
	tape.bfd(4600, "lb2", "sync", "Up", "Up", 0)
	if ok, why := after(t, tape, 4601).Holds(condition(t, "converged")); !ok {
		t.Errorf("not converged: %s", why)
	}
}

func TestAThawedBackupMayHaveNothingToSay(t *testing.T) {
	tape := crash()
	tape.fault(4400, fault.Freeze, "lb1", "receipt")
	tape.fault(4500, fault.Thaw, "lb1", "begin")
	if ok, why := after(t, tape, 4501).Holds(condition(t, "converged")); !ok {
		t.Errorf("not converged: %s", why)
	}
}

// A restored carrier ends no cut, and a heal restores no carrier.
func TestACutOutlivesTheCarrier(t *testing.T) {
	tape := crash()
	tape.struck(4400, fault.Cut, "lb1<->lb2 via clients")
	tape.struck(4450, fault.Down, "lb1<->lb2 via clients")
	tape.struck(4500, fault.Up, "lb1<->lb2 via clients")
	tape.struck(4600, fault.Down, "lb1<->lb2 via clients")
	tape.struck(4700, fault.Heal, "lb1<->lb2 via clients")
	tape.struck(4800, fault.Up, "lb1<->lb2 via clients")
	for at, want := range map[float64]int{4420: 2, 4470: 4, 4550: 2, 4650: 4, 4750: 2, 4850: 0} {
		if s := after(t, tape, at); len(s.Cuts) != want {
			t.Errorf("at %v ms the cuts are %v, want %d directions", at, s.Cuts, want)
		}
	}
}

// TestWhatCannotBeJudgedIsLeftOut: a wait for it would never end.
func TestWhatCannotBeJudgedIsLeftOut(t *testing.T) {
	s := after(t, silent(crash()), 5000)
	conds := []plan.Cond{condition(t, "lb2 is Master"), condition(t, "converged")}
	if ok, why := s.HoldAll(conds); !ok || !strings.HasPrefix(why, "lb2 is Master; converged is not judged: the subject does not provide ") {
		t.Errorf("%v: %s", ok, why)
	}
}

// TestOnlyWhatWasHealedIsHealed: a cut that stays says nothing about a heal.
func TestOnlyWhatWasHealedIsHealed(t *testing.T) {
	tape := crash()
	tape.struck(4400, fault.Cut, "lb1->lb2")
	tape.struck(4500, fault.Heal, "lb1->lb2 via sync")
	s := after(t, tape, 4600)
	if got := s.afterHeal(lab.BFD, "lb1", "sync", time.Millisecond); got != ms(4501) {
		t.Errorf("sync was healed at %v", got)
	}
	if got := s.afterHeal(lab.BFD, "lb1", "clients", time.Millisecond); got != 0 {
		t.Errorf("clients, still cut, counts as healed at %v", got)
	}
}

// TestANodeThatCannotReadItsTable: from the receipt of such a fault to that of its mend.
func TestANodeThatCannotReadItsTable(t *testing.T) {
	tape := crash()
	for i, f := range []struct{ verb, target string }{{fault.Events, "unread lb1"}, {fault.Map, "full lb1"}, {fault.Map, "unread lb1"}, {fault.Handover, "lb1"}, {fault.Mend, "lb1"}} {
		at := 1000 + 100*float64(i)
		tape.fault(at, f.verb, f.target, "begin")
		tape.fault(at+50, f.verb, f.target, "receipt")
	}
	for at, want := range map[float64]bool{1075: false, 1175: false, 1225: false, 1275: true, 1325: true, 1375: true, 1425: true, 1475: false} {
		if got := after(t, tape, at).Nodes["lb1"].Unread; got != want {
			t.Errorf("at %v ms: cannot read its table %v, want %v", at, got, want)
		}
	}
}

// TestARestoredNodeKeepsItsPinnedLease, and a fault of another host changes no node.
func TestARestoredNodeKeepsItsPinnedLease(t *testing.T) {
	s := NewState(scenario(t, "config pin=on", "", ""), plan.Netns)
	tape := &tape{}
	tape.lease(10, "lb1", 5000)
	tape.struck(20, fault.Kill, "lb1")
	tape.struck(25, fault.Crash, "backend1")
	tape.struck(30, fault.Restore, "lb1")
	for i := range *tape {
		s.Apply(&(*tape)[i])
	}
	if s.Forwarders() != 1 || len(s.Live()) != 2 {
		t.Errorf("%d forwarders and %d live nodes, want 1 and 2", s.Forwarders(), len(s.Live()))
	}
}

// TestTheLatestHealCounts: of several cuts of the same packets.
func TestTheLatestHealCounts(t *testing.T) {
	tape := crash()
	tape.struck(4400, fault.Cut, "lb1->lb2 via sync")
	tape.struck(4500, fault.Heal, "lb1->lb2 via sync")
	tape.struck(4600, fault.Cut, "bfd lb1->lb2 via sync")
	tape.struck(4700, fault.Heal, "bfd lb1->lb2 via sync")
	for range 20 { // the heals are in a map
		if got := after(t, tape, 4800).afterHeal(lab.BFD, "lb1", "sync", time.Millisecond); got != ms(4701) {
			t.Fatalf("healed at %v, want +4.7s", got)
		}
	}
}

// TestANodeIsThawedWhenItsThawBegins: the receipt does not thaw it again.
func TestANodeIsThawedWhenItsThawBegins(t *testing.T) {
	tape := crash()
	tape.struck(5000, fault.Freeze, "lb2")
	tape.fault(5100, fault.Thaw, "lb2", "begin")
	tape.fault(5150, fault.Thaw, "lb2", "receipt")
	if got := after(t, tape, 5200).Nodes["lb2"].Resumed; got != ms(5100) {
		t.Errorf("thawed at %v, want +5.1s", got.Sub(origin))
	}
}

// TestARestoredNodeMayReportBeforeTheReceipt: the receipt does not start it again.
func TestARestoredNodeMayReportBeforeTheReceipt(t *testing.T) {
	tape := crash()
	tape.without(func(e trace.Event) bool { return e.Role != nil && e.At == ms(4100) })
	tape.role(4020, "lb1", "Init", "Backup")
	if ok, why := after(t, tape, 4060).Holds(condition(t, "lb1 is Backup")); !ok {
		t.Error(why)
	}
}

// TestCountsOfTheMoment: a repeated role is no change, and sessions are counted by line.
func TestCountsOfTheMoment(t *testing.T) {
	tape := crash()
	tape.role(5000, "lb2", "Master", "Master")
	tape.totals(5000, trace.Totals{Name: "two", Kind: plan.Sessions, Proto: "tcp", Sessions: 5})
	tape.totals(5000, trace.Totals{Name: "idle", Kind: plan.Flows, Proto: "tcp", Sessions: 3})
	tape.sync(5000, "lb1", "insync", 9, 0)
	tape.gap("web", "client1#0", 4990, 5000)
	s := after(t, tape, 5000)
	if gap, _ := s.longestGap("web"); gap != 205 {
		t.Errorf("the longest gap is %v ms, want the 205 ms of before", gap)
	}
	if entries, _ := s.syncEntries(""); entries != 9 {
		t.Errorf("%v entries are in sync, want 9, the most of both nodes", entries)
	}
	if s.Tally.RoleChanges != 2 || s.Sessions("web") != 2 || s.Sessions("two") != 5 || s.Sessions("") != 7 {
		t.Errorf("%d changes of role, want 2; %d and %d sessions, %d in all, want 2, 5 and 7", s.Tally.RoleChanges, s.Sessions("web"), s.Sessions("two"), s.Sessions(""))
	}
}

// TestANodesOwnReportsShowThatItIsAlive: what the harness or the wire says of it does not.
func TestANodesOwnReportsShowThatItIsAlive(t *testing.T) {
	for kind, want := range map[trace.Kind]bool{
		trace.KindRole: true, trace.KindGate: true, trace.KindBFD: true, trace.KindSync: true, trace.KindLease: true,
		trace.KindAnnounce: true, trace.KindReplica: true,
		trace.KindFault: false, trace.KindForwarder: false, trace.KindGARP: false, trace.KindRST: false, trace.KindDied: false, trace.KindNote: false,
	} {
		if own(kind) != want {
			t.Errorf("an event %s comes from the node itself: %v, want %v", kind, own(kind), want)
		}
	}
}

// TestWhatAStateMissesIsTheFirstOfItsConditions: of several conditions it is the first that is not true.
func TestWhatAStateMissesIsTheFirstOfItsConditions(t *testing.T) {
	for _, test := range []struct {
		at    float64
		conds []string
		want  Missed
	}{
		{0, []string{"lb1 is Backup", "lb2 insync"}, Missed{Node: "lb2", InSync: true}},
		{0, []string{"lb2 is Master", "lb2 insync"}, Missed{Node: "lb2"}},
		{4200, []string{"converged"}, Missed{Node: "lb1", InSync: true}},
		{-850, []string{"converged"}, Missed{Node: "lb1"}},
		{2100, []string{"converged"}, Missed{}}, // no MASTER: no node in particular
		{1300, []string{"sessions == 3"}, Missed{}},
		{300, []string{"lb2 insync", "lb1 is Master"}, Missed{}},
	} {
		var conds []plan.Cond
		for _, text := range test.conds {
			conds = append(conds, condition(t, text))
		}
		got := after(t, crash(), test.at).missed(conds...)
		if got == nil {
			got = &Missed{}
		}
		if *got != test.want {
			t.Errorf("%v at %v: %+v, want %+v", test.conds, test.at, *got, test.want)
		}
	}
}
