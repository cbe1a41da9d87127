package reports_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"baton/reports"
	"baton/reports/export"
	"baton/reports/model"
	"baton/scenarios/plan"
)

// answered stores a run of the seed bug without its expectation, and returns the
// first part of the report.
func answered(t *testing.T, scenario func(string) string) model.Run {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, "run")
	simulate(t, dir, "control-restored-master-preempts", 1)
	file := filepath.Join(dir, "scenario.scn")
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(scenario(string(source))), 0o644); err != nil {
		t.Fatal(err)
	}
	s := reports.Build([]string{root}, nil)
	if len(s.Problems) > 0 {
		t.Fatal(s.Problems)
	}
	var summary strings.Builder
	if err := export.Summary(&summary, s); err != nil {
		t.Fatal(err)
	}
	for _, sentence := range s.Runs[0].Answer {
		if !strings.Contains(summary.String(), sentence[:min(len(sentence), 100)]) {
			t.Errorf("the summary does not say %q", sentence)
		}
	}
	return s.Runs[0]
}

// without removes the lines that begin with any of the words.
func without(words ...string) func(string) string {
	return func(source string) string {
		lines := slices.DeleteFunc(strings.SplitAfter(source, "\n"), func(line string) bool {
			return slices.ContainsFunc(words, func(word string) bool { return strings.HasPrefix(line, word) })
		})
		return strings.Join(lines, "")
	}
}

func TestTheAnswerSaysWhoSentTheFirstRST(t *testing.T) {
	run := answered(t, without("control"))
	if run.Verdict != "FAIL" || len(run.Answer) < 2 {
		t.Fatalf("%s: %q", run.Verdict, run.Answer)
	}
	resets, lost := run.Metrics["rst"], run.Metrics["lost"]
	if resets < 900 || lost < 400 {
		t.Fatalf("%v RSTs, %v sessions lost: the run does not show the bug", resets, lost)
	}
	for _, fact := range []string{fmt.Sprintf("%v RSTs (rst == 0), the first at +5.05", resets), " ms after restore lb1:", "made by backend", "passed on by lb1; lb1 was Master and had adopted the flow from a segment in mid-flow"} {
		if !strings.Contains(run.Answer[0], fact) {
			t.Errorf("%q lacks %q", run.Answer[0], fact)
		}
	}
	if !strings.Contains(run.Answer[1], fmt.Sprintf("%v sessions lost (lost == 0), the first at +5.05", lost)) {
		t.Errorf("%q", run.Answer[1])
	}
}

// If no client was hurt, the first failure comes first, and the others follow.
func TestTheAnswerIsElseWhatFailedFirst(t *testing.T) {
	run := answered(t, func(source string) string {
		return without("control", "always")(source) + "always takeover_ms < 1ms ; masters <= 0\n"
	})
	if run.Verdict != "FAIL" || len(run.Answer) != 2 || !strings.Contains(run.Answer[0], ": masters <= 0 over") || !strings.HasPrefix(run.Answer[1], "Failed too: ") {
		t.Errorf("%s: %q", run.Verdict, run.Answer)
	}
}

// A run that reintroduces a historical bug is refused without the flag, unless it is a control.
func TestTheReplayOfARunWithItsGatesOffAllowsIt(t *testing.T) {
	if run := answered(t, without("control")); !strings.Contains(run.Replay, " --allow-unsafe ") {
		t.Errorf("%s", run.Replay)
	}
	if run := answered(t, without()); strings.Contains(run.Replay, "--allow-unsafe") {
		t.Errorf("of a control: %s", run.Replay)
	}
}

func TestACaughtControlHasNoAnswer(t *testing.T) {
	if run := answered(t, func(source string) string { return source }); run.Verdict != "PASS" || len(run.Answer) > 0 {
		t.Errorf("%s: %q", run.Verdict, run.Answer)
	}
}

// The first sentence names the cause: what a node refused, what held or ended a host, which gate was closed. It
// does not name the latest fault if another one did it.
func TestTheAnswerNamesTheCause(t *testing.T) {
	const pair = "topo pair clients=1 backends=2\nservice web tcp 198.18.0.100:80 mode=fullnat\n"
	const sessions = pair + "traffic web sessions tcp count=100 every=100ms\n@0s wait lb1 is Master and lb2 insync within 3s\n"
	const connects = "always connects_failed == 0\n" + pair + "traffic web connects tcp rate=50/s\n@0s wait lb1 is Master and lb2 insync within 3s\n"
	for _, test := range []struct{ name, source, says string }{
		{"flows", "config snat_ports=20000-20019\n" + pair + `traffic web sessions tcp count=100
always unanswered == 0
@0s wait lb1 is Master and lb2 insync within 3s
@5s end
`, "lb1 refused new flows of web, because no SNAT port was free"},
		{"handover", pair + `service idle udp 198.18.0.100:53 mode=fullnat
traffic idle flows udp count=2000 rate=5000/s
@0s wait lb1 is Master and lb2 insync within 3s
@1s limit sync mtu=1280
@2s kill lb2
@3s restore lb2
@5s handover lb1
expect lb2 is Master within 1s
@8s end
`, "lb1 refused handover lb1 after kill lb2 and restore lb2: PeerReady (peer is not in sync)"},
		{"a MASTER that was frozen", sessions + "@1s freeze lb1 for 1s\nexpect lb1 is Master throughout 3s\n@8s end\n",
			"lb1 gave up the role (lease expired) after freeze lb1 and thaw lb1"},
		{"a BACKUP that is frozen in a handover", sessions + "@999ms freeze lb2 for 100ms\n@1s handover lb1\nexpect lb2 is Master within 50ms\n@8s end\n",
			"lb2 stayed Backup after handover lb1 during freeze lb2 with NoMaster closed (peer is Master)"},
		{"a BACKUP that was frozen in a handover", sessions + "@999ms freeze lb2 for 60ms\n@1s handover lb1\n@1500ms expect lb2 is Master within 500ms\n@8s end\n",
			"lb1 gave up the role (handed over) and took it again before its peer did, which stayed Backup during freeze lb2 with NoMaster closed (peer is Backup and ranks above)"},
		{"a client that crashed after that handover", sessions + "@999ms freeze lb2 for 30ms\n@1s handover lb1\n@2500ms crash client1\n@3s expect lb2 is Master within 500ms\n@8s end\n",
			"which stayed Backup during freeze lb2 with NoMaster closed"},
		{"a cut that takes nothing", sessions + "@1s cut bfd\n@2s expect lb2 is Master within 1s\n@8s end\n",
			"lb1 became MASTER (no MASTER, table in sync) and kept the role; lb2 stayed Backup with NoMaster closed (peer is Master)"},
		{"a backend that neither node reaches", "config track.targets=backends\n" + sessions + "@1s crash backend1\nexpect lb2 is Master within 500ms\n@8s end\n",
			"lb1 stayed MASTER after crash backend1; lb2 stayed Backup with Reachable closed (backend1 does not answer any more)"},
		{"both nodes are cut off in turn", "config track.targets=clients\nalways gap < 1s\n" + sessions + "@1s cut lb1<->clients for 3s\n@2s cut lb2<->clients for 3s\n@12s end\n",
			"neither node could serve the clients without an answer (cut lb1<->clients and cut lb2<->clients)"},
		{"one crashes and the other is cut off", "always gap < 300ms\n" + sessions + "@1s crash lb1\n@2s down lb2 via clients for 2s\n@8s end\n",
			"neither node could serve the clients without an answer (crash lb1 and down lb2 via clients)"},
		{"one is cut off from the clients, the other from the backends", "always gap < 300ms\n" + sessions + "@1s down lb1 via backends for 3s\n@1200ms down lb2 via clients for 3s\n@8s end\n",
			"neither node could serve the clients without an answer (down lb1 via backends and down lb2 via clients)"},
		{"the same with an echo whose backend is not known", "always gap < 300ms\n" + pair + "traffic udp probe udp service=dns rate=100/s\nservice dns udp 198.18.0.101:53\n" +
			"@0s wait lb1 is Master and lb2 insync within 3s\n@1s down lb1 via backends for 3s\n@1200ms down lb2 via clients for 3s\n@8s end\n",
			"neither node could serve the clients without an answer (down lb1 via backends and down lb2 via clients)"},
		{"both lose their tables", "always lost == 0\n" + sessions + "@1s crash lb1 lb2\n@3s restore lb1 lb2\n@12s end\n",
			"lb1 became MASTER with an empty table, because crash lb1 and crash lb2 took the tables of both nodes"},
		{"a backend that comes back", "always rst == 0 ; gap < 400ms\n" + sessions + "@1s crash backend2\n@3s restore backend2\n@8s end\n",
			"backend2 came back after crash backend2 without its connections, and reset their segments: 100 RSTs"},
		{"a backend whose process ends", "always lost == 0\n" + sessions + "@1s kill backend1\n@4s end\n",
			"kill backend1 ended its connections: 50 sessions lost"},
		{"a table that is not synced", "always lost == 0\n" + sessions + "@1s down lb2 via sync\n@1500ms kill lb2\n@2s restore lb2\n@3s crash lb1\n@9s end\n",
			"lb2 became MASTER out of sync (down lb2 via sync), and not all sessions continued"},
		{"a starved MASTER", sessions + "@1s starve lb1 cpu=1% period=1s\nexpect lb1 is Master throughout 3s\n@5s end\n",
			"lb1 gave up the role (lease expired) after starve lb1 cpu=0.01 period=1s"},
		{"a lossy path", sessions + "@1s lose 60% lb1<->lb2\nexpect lb1 is Master throughout 3s\n@5s end\n",
			"lb1 gave up the role (lease expired) after lose 0.6 lb1<->lb2"},
		{"both nodes are frozen", "always gap < 200ms\n" + sessions + "@1s freeze lb1 lb2 for 2s\n@9s end\n",
			"neither node could serve the clients without an answer (freeze lb2 and freeze lb1)"},
		{"a client's port", "always gap < 200ms\n" + sessions + "@1s flap client1 via clients every 600ms for 3s\n@6s end\n",
			"neither node could serve the clients without an answer (down client1 via clients)"},
		{"a certificate", sessions + "@1s certificate foreign lb2\n@1100ms kill lb2\n@1200ms restore lb2\n@3s expect lb2 insync\n@4s end\n",
			"lb2 has no sync stream to lb1, although their BFD session on the sync link is Up (certificate foreign lb2)"},
		{"flows that move", "always moved == 0\nservice dns udp 198.18.0.100:53 mode=fullnat\n" + pair + "traffic idle flows udp count=2000 from=1s\n@0s wait lb1 is Master and lb2 insync within 3s\n@500ms cut sync\n@3s crash lb1\n@6s end\n",
			"lb2 became MASTER out of sync (cut lb1<->lb2 via sync), and gave flows of lb1 to other backends"},
		{"transfers of a backend whose process ends", "always incomplete == 0\n" + pair + "traffic get bulk tcp count=4 size=5000000\n@0s wait lb1 is Master and lb2 insync within 3s\n@1s kill backend1\n@4s end\n",
			"kill backend1 ended its connections"},
		{"a crash that a takeover ends", "always gap < 20ms\n" + sessions + "@1s crash lb1\n@4s end\n",
			"lb2 became MASTER (no MASTER, table in sync) after crash lb1, and the flows continued: gap < 20ms"},
		{"a silence that began before that crash", "always gap < 300ms\n" + sessions + "@1s cut lb1<->clients\n@2s crash lb1\n@9s end\n",
			"lb1 stayed MASTER after cut lb1<->clients, its gate Reachable open (no target is tracked)"},
		{"announcements that are policed", "always gap < 300ms\n" + sessions + "@1s lose 100% garp lb2->clients\n@2s crash lb1\n@9s end\n",
			"lb2 became MASTER, but the clients without an answer did not hear its announcements (lose 1 garp lb2->clients)"},
		{"a damaged table", "always gap < 300ms\n" + sessions + "@1s map damaged lb1\n@6s crash lb1\n@9s end\n", "lb1 stayed MASTER after map damaged lb1: "},
		{"a node that has no table yet", "always lost == 0\n" + sessions + "@1s crash lb1\n@2s restore lb1\n@2010ms crash lb2\n@12s end\n",
			"lb1 became MASTER with an empty table, because crash lb1 and crash lb2 took the tables of both nodes"},
		{"a node that stopped and has no table yet", "always lost == 0\n" + sessions + "@1s stop lb1\n@2s restore lb1\n@2001ms crash lb2\n@12s end\n",
			"lb1 became MASTER with an empty table, because stop lb1 and crash lb2 took the tables of both nodes"},
		{"connections that get no SYN-ACK", connects + "@1s lose 100% syn clients->lb1 for 4s\n@6s end\n",
			"lb1 stayed MASTER after lose 1 syn clients->lb1, its gate Reachable open (no target is tracked): connects_failed == 0"},
		{"connections to a backend that crashed", connects + "@1s crash backend1\n@6s end\n",
			"lb1 gave new flows to backends that were down (crash backend1): connects_failed == 0"},
		{"connections to a backend whose process ended", connects + "@1s kill backend1\n@2s end\n",
			"lb1 gave new flows to backends that were down (kill backend1): connects_failed == 0"},
		{"connections without a node", connects + "@1s crash lb1\n@1010ms crash lb2\n@6s end\n",
			"neither node could serve the clients without an answer (crash lb1 and crash lb2)"},
		{"connections over two takeovers", connects + "@1s kill lb1\n@1100ms restore lb1\n@2075ms kill lb2\n@6s end\n",
			"kill lb1 and kill lb2 left the VIPs without a MASTER more than once while the connections were made: connects_failed == 0"},
		{"no stream", sessions + "@1s down sync\n@2s expect lb2 insync\n@8s end\n", "lb2 had no sync stream to lb1 (down sync)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := plan.Parse("x.scn", []byte("scenario refused\n"+test.source))
			if err != nil {
				t.Fatal(err)
			}
			root := t.TempDir()
			execute(t, filepath.Join(root, "run"), p, 1)
			run := reports.Build([]string{root}, nil).Runs[0]
			if run.Verdict != "FAIL" || !strings.Contains(run.Answer[0], test.says) {
				t.Errorf("%s: %q", run.Verdict, run.Answer)
			}
		})
	}
}
