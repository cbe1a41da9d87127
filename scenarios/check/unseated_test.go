package check

import (
	"strings"
	"testing"
	"time"

	"baton/impl/trace"
	"baton/scenarios/capability"
	"baton/scenarios/fault"
)

// TestAStallThatCostsAMasterItsRole: such a stall explains the time without a MASTER and what clients
// notice of it, even if that is much longer than the stall. Failures with another cause stay
// failures.
func TestAStallThatCostsAMasterItsRole(t *testing.T) {
	gap := "gap(web) < detect+300ms" // 450 ms
	for _, c := range []struct {
		name, claim string
		took        time.Duration // of the stall that ends at +4.5s
		left        float64       // when lb2 gives its role up,
		to          string        // for which one
		from, until float64       // the gap of a session
		both        bool          // lb1 is MASTER too
		want        Outcome
	}{
		{"the gap around it", gap, 75 * time.Millisecond, 4500, "Backup", 4450, 5250, false, Inconclusive},
		{"no MASTER", "masters == 1 throughout 1500ms", 75 * time.Millisecond, 4500, "Backup", 4450, 4500, false, Inconclusive},
		{"a session that retransmits later", gap, 75 * time.Millisecond, 4500, "Backup", 5200, 5900, false, Inconclusive},
		{"the role ends a detection time later", gap, 75 * time.Millisecond, 4650, "Backup", 4450, 5250, false, Inconclusive},
		{"the role ends later", gap, 75 * time.Millisecond, 4651, "Backup", 4450, 5250, false, Fail},
		{"the role ends before", gap, 75 * time.Millisecond, 4424, "Backup", 4450, 5250, false, Fail},
		{"a stall too short to end a lease", gap, 74 * time.Millisecond, 4500, "Backup", 4450, 5250, false, Fail},
		{"a role that is handed over", gap, 75 * time.Millisecond, 4500, "Yielding", 4450, 5250, false, Fail},
		{"beside another MASTER", gap, 75 * time.Millisecond, 4500, "Backup", 4450, 5250, true, Fail},
		{"a gap before", gap, 75 * time.Millisecond, 4500, "Backup", 3800, 4400, false, Fail},
		{"a gap long after the role is back", gap, 75 * time.Millisecond, 4500, "Backup", 5201, 5900, false, Fail},
	} {
		tape := crash()
		tape.stall(4500, c.took)
		tape.role(c.left, "lb2", "Master", c.to)
		tape.role(4890, "lb2", c.to, "Claiming")
		tape.role(4900, "lb2", "Claiming", "Master")
		if c.both {
			tape.role(4420, "lb1", "Backup", "Master")
		}
		tape.gap("web", "client1#0", c.from, c.until)
		if v := judged(scenario(t, "", "", "  expect "+c.claim), tape); v.Verdict != c.want {
			t.Errorf("%s: %s, want %s\n%s", c.name, v.Verdict, c.want, show(v))
		}
	}
	tape := crash()
	(*tape)[0].Meta.Lacks = []string{capability.Lease}
	tape.without(func(e trace.Event) bool { return e.Lease != nil })
	tape.stall(4500, 75*time.Millisecond)
	tape.role(4500, "lb2", "Master", "Backup")
	tape.role(4900, "lb2", "Backup", "Master")
	tape.gap("web", "client1#0", 4450, 5250)
	if v := judged(scenario(t, "", "", "  expect "+gap), tape); v.Verdict != Fail {
		t.Errorf("a subject without a lease: %s, want FAIL\n%s", v.Verdict, show(v))
	}
}

// TestANodeWithoutTimeToSync: it was restored and its peer ended, and it could run for less than half of the time
// between. Nothing else excuses the loss of the only table.
func TestANodeWithoutTimeToSync(t *testing.T) {
	for _, test := range []struct {
		name  string
		edit  func(*tape) // of a run that restores lb1 at +4.2s and kills lb2 at +4.4s
		claim string
		want  Outcome
	}{
		{"its start waited for a processor", func(t *tape) { t.start(4310, "lb1", 100*time.Millisecond) }, "lost == 0", Inconclusive},
		{"the host stood still", func(t *tape) { t.stall(4310, 100*time.Millisecond) }, "lost == 0", Inconclusive},
		{"one and the other", func(t *tape) { t.stall(4260, 50*time.Millisecond); t.start(4310, "lb1", 50*time.Millisecond) }, "lost == 0", Inconclusive},
		{"both at a time", func(t *tape) { t.stall(4300, 60*time.Millisecond); t.start(4300, "lb1", 60*time.Millisecond) }, "lost == 0", Fail},
		{"it had more than half", func(t *tape) { t.start(4310, "lb1", 99*time.Millisecond) }, "lost == 0", Fail},
		{"its peer's start waited", func(t *tape) { t.start(4310, "lb2", 100*time.Millisecond) }, "lost == 0", Fail},
		{"a stall before", func(t *tape) { t.stall(4200, 200*time.Millisecond) }, "lost == 0", Fail},
		{"it was in sync", func(t *tape) {
			t.start(4310, "lb1", 100*time.Millisecond)
			t.sync(4390, "lb1", "insync", 2, 80*time.Millisecond)
		}, "lost == 0", Fail},
		{"a loss before", func(t *tape) {
			t.start(4310, "lb1", 100*time.Millisecond)
			t.traffic(4399, "web", "client1#1", trace.TrafficLost, "no echo")
		}, "lost == 0", Fail},
		{"what no table can cost", func(t *tape) { t.start(4310, "lb1", 100*time.Millisecond); t.lease(4450, "lb1", 4600) }, "forwarders <= 0", Fail},
	} {
		tape := crash()
		tape.without(func(e trace.Event) bool { return e.Sync != nil && e.Node == "lb1" })
		tape.fault(4200, fault.Restore, "lb1", "begin")
		tape.fault(4400, fault.Kill, "lb2", "begin")
		test.edit(tape)
		tape.traffic(5800, "web", "client1#1", trace.TrafficLost, "no echo")
		v := judged(scenario(t, "always "+test.claim, "", ""), tape)
		name, _, _ := strings.Cut(test.claim, " ")
		if got, _ := outcome(v, name); got != test.want {
			t.Errorf("%s: %s, want %s\n%s", test.name, got, test.want, show(v))
		}
	}
}

// TestAStallExcusesTheEndOfARoleOnlyIfItWasTheMasters: not that of a claim.
func TestAStallExcusesTheEndOfARoleOnlyIfItWasTheMasters(t *testing.T) {
	tape := crash()
	tape.role(4300, "lb2", "Master", "Yielding")
	tape.role(4310, "lb2", "Yielding", "Claiming")
	tape.stall(4500, 75*time.Millisecond)
	tape.role(4500, "lb2", "Claiming", "Backup")
	tape.role(4900, "lb2", "Backup", "Master")
	tape.gap("web", "client1#0", 4450, 5250)
	if v := judged(scenario(t, "", "", "  expect gap(web) < detect+300ms"), tape); v.Verdict != Fail {
		t.Errorf("%s, want FAIL\n%s", v.Verdict, show(v))
	}
}

// TestAStallExcusesUntilTheNextMaster: not until a later one.
func TestAStallExcusesUntilTheNextMaster(t *testing.T) {
	tape := crash()
	tape.stall(4500, 75*time.Millisecond)
	tape.role(4500, "lb2", "Master", "Backup")
	tape.role(4900, "lb2", "Backup", "Master")
	tape.role(5400, "lb2", "Master", "Fault")
	tape.role(5500, "lb2", "Fault", "Master")
	tape.gap("web", "client1#0", 5201, 5900)
	if v := judged(scenario(t, "", "", "  expect gap(web) < detect+300ms"), tape); v.Verdict != Fail {
		t.Errorf("%s, want FAIL\n%s", v.Verdict, show(v))
	}
}

// TestAStallThatCostsTheOnlyTable: the sessions of a MASTER that a stall has ended are gone if its peer
// claims without the complete table. Nothing else excuses their loss.
func TestAStallThatCostsTheOnlyTable(t *testing.T) {
	for _, test := range []struct {
		name     string
		claim    string
		took     time.Duration // of the stall that ends at +4.5s
		claims   float64       // when lb1 claims, lb2 gives its role up at +4.5s
		degraded bool
		fails    func(*tape)
		want     Outcome
	}{
		{"sessions lost", "lost == 0", 75 * time.Millisecond, 4498, true, func(t *tape) { t.traffic(5800, "web", "client1#1", trace.TrafficLost, "no echo") }, Inconclusive},
		{"sessions reset", "rst == 0", 75 * time.Millisecond, 4498, true, func(t *tape) { t.rst(4600) }, Inconclusive},
		{"sessions moved", "sticky", 75 * time.Millisecond, 4498, true, func(t *tape) { t.traffic(4600, "web", "client1#1", trace.TrafficMoved, "backend1, then backend2") }, Inconclusive},
		{"data corrupted", "corrupt == 0", 75 * time.Millisecond, 4498, true, func(t *tape) { t.traffic(4600, "web", "client1#1", trace.TrafficCorrupt, "sequence 7, want 6") }, Fail},
		{"a claim after the role has ended", "lost == 0", 75 * time.Millisecond, 4900, true, func(t *tape) { t.traffic(5800, "web", "client1#1", trace.TrafficLost, "no echo") }, Inconclusive},
		{"a claim before the stall", "lost == 0", 75 * time.Millisecond, 4424, true, func(t *tape) { t.traffic(5800, "web", "client1#1", trace.TrafficLost, "no echo") }, Fail},
		{"a claim with the complete table", "lost == 0", 75 * time.Millisecond, 4498, false, func(t *tape) { t.traffic(5800, "web", "client1#1", trace.TrafficLost, "no echo") }, Fail},
		{"a stall too short to end a lease", "lost == 0", 74 * time.Millisecond, 4498, true, func(t *tape) { t.traffic(5800, "web", "client1#1", trace.TrafficLost, "no echo") }, Fail},
		{"a loss before the stall", "lost == 0", 75 * time.Millisecond, 4498, true, func(t *tape) { t.traffic(4400, "web", "client1#1", trace.TrafficLost, "reset by peer") }, Fail},
	} {
		tape := crash()
		tape.role(test.claims, "lb1", "Backup", "Claiming")
		(*tape)[len(*tape)-1].Role.Degraded = test.degraded
		tape.stall(4500, test.took)
		tape.role(4500, "lb2", "Master", "Backup")
		tape.role(4910, "lb1", "Claiming", "Master")
		test.fails(tape)
		v := judged(scenario(t, "always "+test.claim, "", ""), tape)
		name, _, _ := strings.Cut(test.claim, " ")
		if got, _ := outcome(v, name); got != test.want {
			t.Errorf("%s: %s, want %s\n%s", test.name, got, test.want, show(v))
		}
	}
}
