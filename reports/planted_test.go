package reports_test

import (
	"path/filepath"
	"strings"
	"testing"

	"baton/reports"
	"baton/sim/mutants"
)

// plantedBugs are known bugs of several kinds, a scenario that fails of each, and what the
// first sentence of its report must say: the cause, not only what clients suffered of it.
var plantedBugs = []struct {
	mutant, scenario, seed, says string
}{
	// The core: election, epoch, heartbeat, lease, announcements, tracking.
	{"restored-node-seizes-the-role", "scenarios/freeze-and-thaw", "1", "lb1 claimed the role while lb2 was MASTER"},
	{"expired-lease-renewed", "scenarios/freeze-and-thaw", "1", "lb1 renewed its lease after it had ended, and stayed MASTER"},
	{"input-before-the-lease", "scenarios/freeze-and-thaw", "1", "lb1 stayed MASTER after its lease had ended"},
	{"bfd-down-ignored-while-up", "scenarios/one-way-loss-towards-the-backup", "1", "the BFD sessions of lb1 on clients and sync stayed Up although those of lb2 are Down"},
	{"cold-start-before-the-peer-is-able", "scenarios/master-loses-its-backends", "1", "lb2 became MASTER (no MASTER, table in sync) before lb1"},
	{"lonely-lease-never-renewed", "scenarios/restored-master-does-not-preempt", "1", "lb2 gave up the role (lease expired) and took it again before its peer did"},
	{"own-silence-taken-for-the-peers", "scenarios/freeze-and-thaw", "1", "lb1 claimed the role as soon as it was thawed while lb2 was MASTER"},
	{"one-silent-path-is-enough", "scenarios/crash-master", "1", "lb2 ended by itself (node: lb2 does not settle"},
	{"epoch-not-raised", "scenarios/grant-meets-a-dead-sync-link", "1", "lb1 became MASTER without raising its epoch"},
	{"doubt-not-said-on-a-path-that-is-down", "scenarios/library/partition/unheard-master-freezes", "1", "lb2 claimed the role (no MASTER, table in sync) before the lease of lb1 had ended, which stood still"},
	{"lease-renewed-by-what-was-sent", "scenarios/library/partition/starved-master-is-not-heard", "1", "before the lease of lb1 had ended, which renewed it although what it sent to lb2 was cut off"},
	{"stream-end-is-silence", "scenarios/library/partition/unheard-master-closes-its-stream", "1", "lb2 claimed the role (no MASTER, table in sync) before the lease of lb1 had ended"},
	{"bfd-detects-late", "scenarios/crash-master", "1", "lb2 noticed the fault (crash lb1) later than its BFD detection time allows"},
	{"lease-not-released-on-handover", "scenarios/graceful-stop", "1", "lb1 gave up the role and kept its lease while lb2 became MASTER"},
	{"loser-keeps-forwarding", "scenarios/master-loses-its-backends-and-the-sync-link", "1", "lb2 gave up the role and kept its lease while lb1 became MASTER"},
	{"single-garp", "sim/mutants/scenarios/announcements-get-lost", "1", "lb1 became MASTER and announced itself only once"},
	{"announcements-never-leave", "scenarios/crash-master", "1", "lb2 became MASTER and reported 4 announcements, but none of them came to the network of the clients"},
	{"winner-does-not-announce", "sim/mutants/scenarios/partition-heals", "1", "lb2 stayed MASTER when lb1 gave up the role, and did not announce itself again"},
	{"announce-before-install", "scenarios/both-lose-power", "1", "lb1 announced at +0.025s before it was Master"},
	{"tracked-hosts-ignored", "scenarios/master-loses-its-backends-and-the-sync-link", "1", "lb1 stayed MASTER after cut lb1<->backend1"},
	{"lonely-lease-never-renewed", "scenarios/crash-master", "1", "lb2 gave up the role (lease expired)"},
	{"carrier-loss-unnoticed", "scenarios/library/l2/master-loses-its-client-port", "1", "lb1 stayed MASTER after down lb1 via clients, its gate LinksUp open"},
	{"granted-node-does-not-announce", "scenarios/graceful-stop", "1", "lb2 became MASTER and announced itself not at all"},
	{"grant-not-sent", "scenarios/operator-handover", "1", "lb1 gave up the role (handed over) and took it again before its peer did, which stayed Backup with NoMaster closed (peer is Master)"},
	// Connection sync and the dataplane.
	{"first-lease-clears-the-table", "scenarios/crash-master", "1", "lb2 became MASTER and reported that it was in sync, but not all sessions continued"},
	{"synced-replies-not-installed", "scenarios/crash-master", "1", "lb2 became MASTER and reported that it was in sync, but not all sessions continued"},
	{"failed-write-counts-as-done", "sim/mutants/scenarios/writes-fail", "1", "lb2 repaired its dataplane, which no fault had damaged: 7 entries of its table were missing there or differed"},
	{"failed-dump-reconciled", "sim/mutants/scenarios/reads-fail", "1", "lb1 repaired its dataplane, which no fault had damaged: 100 entries there were missing from its table"},
	{"udp-not-synced", "scenarios/cold-start-together", "1", "lb2 reports that it is in sync, but lacks 1 of the flows of lb1"},
	{"lease-ignored-by-forwarding", "scenarios/freeze-and-thaw", "2", "lb1 still carried the packets of 198.18.1.100 at the backends edge at"},
	{"adopts-by-guess", "sim/mutants/scenarios/heard-with-a-cold-table", "1", "lb1 had no entries for established flows and adopted them"},
	{"adopts-nothing", "scenarios/both-lose-power", "1", "lb1 became MASTER with an empty table"},
	{"snat-port-of-two-flows", "sim/mutants/scenarios/drawn-ports-collide", "1", "lb1 gave a new flow the SNAT port of another one"},
	// The harness.
	{"sim-heal-leaves-one-direction", "scenarios/library/partition/split-heals", "1", "lb1 does not hear lb2 on clients and sync, although nothing is cut"},
	{"sim-stream-dialled-once", "scenarios/sync-cut-and-heal", "1", "lb2 has no sync stream to lb1, although their BFD session on the sync link is Up"},
	{"sim-crash-keeps-tables", "scenarios/control-restored-master-preempts", "1", "lb1 came back from its crash with its old table"},
	{"sim-generator-mixes-up-its-flows", "scenarios/crash-master", "1", "the traffic generator of client1 mixed up its flows"},
	{"sim-unknown-segments-dropped", "scenarios/control-restored-master-preempts", "1", "control not caught by rst: 0 RSTs were seen, and 500 sessions lost"},
}

// The first sentence of a red report names the bug that made it red.
func TestTheFirstSentenceNamesThePlantedBug(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program with planted bugs")
	}
	all, err := mutants.Load("../sim/mutants")
	if err != nil {
		t.Fatal(err)
	}
	var list []mutants.Mutant
	for _, m := range all {
		for _, bug := range plantedBugs {
			if m.Name == bug.mutant {
				list = append(list, m)
				break // a bug may fail several scenarios
			}
		}
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	program, err := mutants.BuildProgram(t.Context(), root, t.TempDir(), "./cmd/baton", list)
	if err != nil {
		t.Fatal(err)
	}
	for _, bug := range plantedBugs {
		t.Run(bug.mutant, func(t *testing.T) {
			dir := t.TempDir()
			run := program.Command(t.Context(), root, bug.mutant, "run", "--world", "sim", "--seed", bug.seed, "--out", dir, bug.scenario+".scn")
			out, err := run.CombinedOutput()
			if err == nil {
				t.Fatalf("it passed\n%s", out)
			}
			s := reports.Build([]string{dir}, nil)
			if len(s.Runs) != 1 || len(s.Runs[0].Answer) == 0 {
				t.Fatalf("%v\n%s", s.Problems, out)
			}
			if first := s.Runs[0].Answer[0]; !strings.Contains(first, bug.says) {
				t.Errorf("the first sentence lacks %q: %s", bug.says, first)
			}
		})
	}
}
