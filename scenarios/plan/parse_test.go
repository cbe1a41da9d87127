package plan

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/scenarios/fault"
	"baton/scenarios/lab"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// sameMeaning compares plans by what they do, not by where and how it is written.
var sameMeaning = cmp.Options{
	cmpopts.IgnoreTypes(Pos{}), cmpopts.IgnoreFields(Plan{}, "File"), cmpopts.IgnoreFields(Step{}, "Text"), cmpopts.EquateEmpty(),
}

// preamble makes a scenario of a few lines.
const preamble = "scenario s\nservice web tcp 198.18.0.100:80\nservice dns udp 198.18.0.100:53\n" +
	"traffic web sessions tcp service=web\ntraffic new connects service=web\ntraffic probe probe\n"

func mustParse(t *testing.T, src string) *Plan {
	t.Helper()
	p, err := Parse("t.scn", []byte(src))
	if err != nil {
		t.Fatalf("%v\n%s", err, src)
	}
	return p
}

func TestTheDesignExampleIsParsed(t *testing.T) {
	src, err := os.ReadFile("testdata/good/design-example.scn")
	if err != nil {
		t.Fatal(err)
	}
	duration := func(n float64, unit time.Duration) Expr { return Expr{[]Term{{Factor: n, Unit: unit}}} }
	detectPlus := func(ms float64) Expr {
		return Expr{[]Term{{Factor: 1, Name: "detect"}, {Factor: ms, Unit: time.Millisecond}}}
	}
	number := func(n float64) Expr { return Expr{[]Term{{Factor: n}}} }
	at := func(e Expr) *Expr { return &e }
	is := func(node, role string) Cond { return Cond{Role: &RoleIs{Node: node, Role: role}} }
	insync := func(node string) Cond { return Cond{InSync: &InSync{Node: node}} }
	compare := func(metric, arg, op string, value Expr) Cond {
		return Cond{Compare: &Compare{Metric: metric, Arg: arg, Op: op, Value: value}}
	}
	want := &Plan{
		Name: "restored-master-does-not-preempt",
		Doc:  "The seed bug: a restored MASTER must not take the role back before it is in sync.",
		Topo: Topo{Kind: "pair", Clients: 1, Backends: 2},
		Config: []Setting{
			{Key: "bfd.tx", Value: "50ms"}, {Key: "bfd.mult", Value: "3"}, {Key: "ha.hold", Value: "500ms"},
		},
		Services: []Service{{Name: "web", Proto: "tcp", VIP: "198.18.0.100", Port: 80, Mode: "fullnat", Balance: "rr"}},
		Traffic: []Traffic{
			{Name: "web", Kind: Sessions, Proto: "tcp", Service: "web", Count: 500, Every: 100 * time.Millisecond},
			{Name: "new", Kind: Connects, Proto: "tcp", Service: "web", Rate: 100},
		},
		Always: []Always{
			{Cond: compare("masters", "", "<=", number(1))}, {Cond: compare("forwarders", "", "<=", number(1))},
			{Cond: compare("rst", "", "==", number(0))}, {Cond: compare("lost", "", "==", number(0))},
		},
		Tolerate: DefaultTolerate,
		Steps: []Step{
			{Verb: VerbWait, Wait: &Wait{Conds: []Cond{is("lb1", "Master"), insync("lb2")}, Within: duration(3, time.Second)}},
			{At: 2 * time.Second, Verb: fault.Crash, Fault: &Fault{Verb: fault.Crash, Hosts: []string{"lb1"}}},
			{At: 2 * time.Second, Verb: VerbExpect, Expect: &Expect{Conds: []Cond{is("lb2", "Master")}, Within: at(detectPlus(50))}},
			{At: 2 * time.Second, Verb: VerbExpect, Expect: &Expect{Conds: []Cond{compare("gap", "web", "<", detectPlus(300))}}},
			{At: 6 * time.Second, Verb: fault.Restore, Fault: &Fault{Verb: fault.Restore, Hosts: []string{"lb1"}}},
			{At: 6 * time.Second, Verb: VerbExpect, Expect: &Expect{Conds: []Cond{is("lb1", "Backup")}, Throughout: at(duration(5, time.Second))}},
			{At: 6 * time.Second, Verb: VerbExpect, Expect: &Expect{Conds: []Cond{insync("lb1")}, Within: at(duration(2, time.Second))}},
			{At: 12 * time.Second, Verb: VerbEnd, Expect: &Expect{Conds: []Cond{{Named: Converged}}, Within: at(duration(5, time.Second)), Eventually: true}},
		},
		Captures: []Capture{{Where: lab.Clients, Guard: Netns}},
	}
	got := mustParse(t, string(src))
	if diff := cmp.Diff(want, got, sameMeaning); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if text := got.Steps[2].Text; text != "expect lb2 is Master within detect+50ms" {
		t.Errorf("text of a step is %q", text)
	}
	if pos := got.Steps[3].Pos; pos != (Pos{Line: 12, Column: 10}) {
		t.Errorf("position of a step is %v", pos)
	}
}

// Different spellings of a line print as the same canonical form.
func TestSpellings(t *testing.T) {
	tests := []struct{ line, canonical string }{
		{"config gates: off, preempt: immediate\ncontrol rst", "config   ha.gates=off\nconfig   ha.preempt=immediate"},
		{"config preempt = after-sync", "config   ha.preempt=after-sync"},
		{"config lb1 priority=200 preempt=after-sync", "config   lb1 ha.priority=200\nconfig   lb1 ha.preempt=after-sync"},
		{"config lb1: priority: 200", "config   lb1 ha.priority=200"},
		{"config lb1.priority=200 lb2.bfd.tx=20ms", "config   lb1 ha.priority=200\nconfig   lb2 bfd.tx=20ms"},
		{"config announce=before-install\ncontrol rst", "config   ha.announce=before-install"},
		{"config hold=1m30s", "config   ha.hold=90s"},
		{"config tx=1.5s", "config   bfd.tx=1500ms"},
		{"service s2 tcp 198.18.0.101:8080 mode=dnat balance=round-robin", "service  s2 tcp 198.18.0.101:8080 mode=dnat balance=rr"},
		{"traffic probe2 probe rate=1k/s", "traffic  probe2 probe udp service=dns rate=1000/s"},
		{"traffic probe2 probe every=10ms", "traffic  probe2 probe udp service=dns rate=100/s"},
		{"traffic connects rate=6000/m", "traffic  connects connects tcp service=web rate=100/s"},
		{"traffic fill flows count=10_000", "traffic  fill flows tcp service=web count=10000"},
		{"traffic fill flows udp count=10k", "traffic  fill flows udp service=dns count=10000"},
		{"traffic w2 sessions", "traffic  w2 sessions tcp service=web count=100 every=100ms"},
		{"always rst = 0, lost == 0 and masters<=1;", "always   rst == 0\nalways   lost == 0\nalways   masters <= 1"},
		{"always gap(web) < 2*detect + 50ms", "always   gap(web) < 2*detect+50ms"},
		{"always gap(web) < detect*2-10ms", "always   gap(web) < 2*detect-10ms"},
		{"always gap(web) < 3*50ms", "always   gap(web) < 150ms"},
		{"always takeover < 200ms\n@1s crash lb1", "always   takeover_ms < 200ms"},
		{"always gap_udp_max_ms <= 170", "always   gap_udp_max_ms <= 170"},
		{"always gap_udp_max_ms <= 170ms", "always   gap_udp_max_ms <= 170ms"},
		{"always gates ; announce ; sticky", "always   gates\nalways   announce\nalways   sticky"},
		{"control rst lost", "control  rst, lost"},
		{"control rst and lost", "control  rst, lost"},
		{"[netns] control rst", "[netns]  control  rst"},
		{"tolerate stall 250ms", "tolerate stall 250ms"},
		{"tolerate stall=250ms", "tolerate stall 250ms"},
		{"[netns] tolerate stall 250ms", "[netns]  tolerate stall 250ms"},
		{"on-failure capture client, sync", "on-failure capture clients\non-failure capture sync"},
		{"@1s wait converged", "@1s      wait converged within 10s"},
		{"@1s wait lb1 and lb2 insync within 3s", "@1s      wait lb1 insync and lb2 insync within 3s"},
		{"@1s wait lb1, lb2 is not Fault within 1500us", "@1s      wait lb1 is not Fault and lb2 is not Fault within 1500us"},
		{"@1s expect lb1 is master and lb2 is in sync within 1s", "@1s      expect lb1 is Master and lb2 insync within 1s"},
		{"@1s expect lb1 not insync within 1s", "@1s      expect lb1 not insync within 1s"},
		{"@1s expect lb1 is not insync", "@1s      expect lb1 not insync"},
		{"@1s expect sessions(web) >= 10 within hold", "@1s      expect sessions(web) >= 10 within hold"},
		{"@ 1s crash lb1 lb2", "@1s      crash lb1 lb2"},
		{"@1s crash lb1, lb2", "@1s      crash lb1 lb2"},
		{"@1s crash lb1 and lb2", "@1s      crash lb1 lb2"},
		{"@0 crash lb1", "@0s      crash lb1"},
		{"@1s cut sync", "@1s      cut lb1<->lb2 via sync"},
		{"@1s cut sync lb1->lb2", "@1s      cut lb1->lb2 via sync"},
		{"@1s cut lb1 -> lb2 via sync", "@1s      cut lb1->lb2 via sync"},
		{"@1s cut lb1<->lb2", "@1s      cut lb1<->lb2"},
		{"@1s cut clients->lb1", "@1s      cut clients->lb1"},
		{"@1s cut backend2->lb1 via backends", "@1s      cut backend2->lb1 via backends"},
		{"@1s cut sync\n@2s heal", "@2s      heal"},
		{"@1s cut sync\n@2s heal all", "@2s      heal"},
		{"@1s cut sync\n@2s heal sync", "@2s      heal lb1<->lb2 via sync"},
		{"@1s cut lb1->lb2\n@2s heal lb1->lb2", "@2s      heal lb1->lb2"},
		{"@1s handover lb1", "@1s      handover lb1"},
		{"[sim] @1s crash lb1\n expect lb2 is Master within 1s", "[sim]    @1s      crash lb1\n[sim]             expect lb2 is Master within 1s"},
		{"[sim] @1s crash lb1", "[sim]    @1s      crash lb1"},
		{"@1s crash lb1 # and say why", "@1s      crash lb1"},
		{"\t@1s\tcrash\tlb1\r", "@1s      crash lb1"},
	}
	for _, test := range tests {
		t.Run(test.line, func(t *testing.T) {
			p := mustParse(t, preamble+test.line+"\n@10s end\n")
			if text := Print(p); !strings.Contains(text, test.canonical+"\n") {
				t.Errorf("printed\n%swithout\n%s", text, test.canonical)
			}
		})
	}
}

func TestEventuallyMayStandOnALineOfItsOwn(t *testing.T) {
	for _, src := range []string{"@9s end eventually converged within 5s", "@9s end converged within 5s", "@9s end\n   eventually converged within 5s"} {
		p := mustParse(t, preamble+src+"\n")
		if text := Print(p); !strings.Contains(text, "@9s      end eventually converged within 5s\n") {
			t.Errorf("%q printed as\n%s", src, text)
		}
	}
}

func TestALongDocHasSeveralLines(t *testing.T) {
	p := mustParse(t, preamble+"doc  LoxiLB #565: the bug\ndoc   and more.\n@1s end\n")
	if p.Doc != "LoxiLB #565: the bug and more." {
		t.Errorf("doc is %q", p.Doc)
	}
}

func TestWindowsFilesParse(t *testing.T) {
	mustParse(t, "\ufeff"+strings.ReplaceAll(preamble+"@1s end\n", "\n", "\r\n"))
}

// Every scenario of the project, and every good example, survives printing.
func TestScenariosSurvivePrinting(t *testing.T) {
	for _, file := range scenarioFiles(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			first := mustParse(t, string(src))
			again := mustParse(t, Print(first))
			if diff := cmp.Diff(first, again, sameMeaning); diff != "" {
				t.Errorf("(-first +again)\n%s", diff)
			}
		})
	}
}

func scenarioFiles(t testing.TB) []string {
	var files []string
	for _, pattern := range []string{"testdata/good/*.scn", "../*.scn", "../library/*/*.scn"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) < 2 {
		t.Fatalf("only %d scenarios found", len(files))
	}
	return files
}

// Each bad file has a golden file with all its messages.
func TestMessages(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.scn")
	if err != nil || len(files) == 0 {
		t.Fatal("no bad scenarios", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, found := Check(filepath.Base(file), src)
			got := found.Error() + "\n"
			golden := strings.TrimSuffix(file, ".scn") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got), rewrite with -update\n%s", diff)
			}
		})
	}
}

func TestParseRefusesWithEveryProblem(t *testing.T) {
	if _, err := Parse("x.scn", []byte("scenario x\n@1s partition lb1 lb2\n@2s end\n")); err == nil || !strings.Contains(err.Error(), `did you mean "cut"?`) {
		t.Errorf("a word of another tool: %v", err)
	}
	_, err := Parse("x.scn", []byte("scenario x\n@1s crsh lb1\n@2s end evntually converged\nalways rsst == 0\n"))
	want := "x.scn:2:5: \"crsh\" is not a step; did you mean \"crash\"?\n"
	if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("error is\n%v", err)
	}
}

// TestAGuardMustPrecedeTheTime: the message for a guard after the time says where it belongs.
func TestAGuardMustPrecedeTheTime(t *testing.T) {
	_, err := Parse("x.scn", []byte(preamble+"@1s [netns] crash lb1\n@2s end\n"))
	if err == nil || !strings.Contains(err.Error(), ":5: [netns] belongs in front of the time: [netns] @2s …") {
		t.Errorf("error is\n%v", err)
	}
}

func TestAWarningDoesNotRefuse(t *testing.T) {
	src := []byte(preamble + "@1s crash lb1\n@2s end\n")
	if _, found := Check("w.scn", src); found.Error() != "w.scn:1:10: warning: the scenario claims nothing: add always or expect lines" {
		t.Errorf("found %v", found)
	}
	if _, err := Parse("w.scn", src); err != nil {
		t.Error(err)
	}
}

func TestLintWarnsOfClaimsThatCannotFail(t *testing.T) {
	for claim, want := range map[string]string{
		"masters <= 2": "warning: masters <= 2 cannot fail", "masters < 3": "warning: masters < 3 cannot fail", "role_changes >= 0": "warning: role_changes >= 0 cannot fail",
		"masters == 1 within 0s": "warning: within 0s leaves no time", "masters <= 1": "", "masters < 2": "", "role_changes >= 1": "", "masters == 1 within 1s": "",
		"rst >= 0": `warning: rst >= 0 cannot fail; did you mean "rst == 0"?`, "lost >= 0": `did you mean "lost == 0"?`, "lost > 0": "", "rst != 0": "",
		"forwarders <= 2": `did you mean "forwarders <= 1"?`, "masters != 3": "masters != 3 cannot fail", "masters > 2": "masters > 2 can never be true: masters is from 0 to 2",
		"masters == 3": "can never be true", "rst < 0": "rst < 0 can never be true: rst is 0 or more", "masters >= 2": "",
		"gap(web) < 2s": "", "gap(web) < 2001ms": "gap(web) < 2001ms cannot fail: the run lasts at most 2s", "gap(web) < 1999ms": "", "gap_tcp_max_ms <= 2000": "cannot fail", "gap(web) > 2s": "can never be true",
		"masters == 1 throughout 20s": "warning: throughout 20s goes on after the end at 2s; write @21s end, or throughout 1s", "masters == 1 throughout 1s": "",
	} {
		_, found := Check("w.scn", []byte(preamble+"@1s expect "+claim+"\n@2s end\n"))
		if want == "" && len(found) > 0 || len(found.Errors(false)) > 0 || strings.Count(found.Error(), want) != 1 && want != "" {
			t.Errorf("%s: %v", claim, found)
		}
	}
}

func TestLintWarnsOfChaosThatOutlastsTheRun(t *testing.T) {
	for until, want := range map[string]string{"1999ms": "", "2s": "warning: chaos until=2s has no effect: the run lasts at most 2s; leave it out", "12s": "chaos until=12s has no effect"} {
		_, found := Check("w.scn", []byte(preamble+"always rst == 0\nchaos clients loss=0.1\nchaos until="+until+"\n@1s crash lb1\n@2s end\n"))
		if want == "" && len(found) > 0 || !strings.Contains(found.Error(), want) {
			t.Errorf("%s: %v", until, found)
		}
	}
}

func TestConditionsThatExcludeEachOther(t *testing.T) {
	for conds, wrong := range map[string]bool{
		"lb1 is Master and lb1 is Backup": true, "lb1 is Master and lb1 is not Master": true, "lb1 is Master and lb1 is not Backup": false,
		"lb1 is Master and lb2 is Master": false, "lb1 is not Master and lb1 is not Backup": false,
	} {
		for _, line := range []string{"@1s wait " + conds, "@1s expect " + conds + " within 1s"} {
			_, found := Check("w.scn", []byte(preamble+line+"\n@2s end\n"))
			if strings.Contains(found.Error(), "cannot be true together; write an expectation for each") != wrong {
				t.Errorf("%s: %v", line, found)
			}
		}
	}
}

func TestTheEndCannotBeRepeated(t *testing.T) {
	_, found := Check("w.scn", []byte(preamble+"@1s repeat 2 every 1s {\n@0s end\n}\n"))
	if !strings.Contains(found.Error(), "w.scn:8:5: an end cannot be repeated; write it below the }") {
		t.Error(found)
	}
}

func TestUnsafeSettingsAreTheCallersChoice(t *testing.T) {
	src := preamble + "config gates=off preempt=immediate announce=before-install hold=1s\n@1s end\n"
	p := mustParse(t, src)
	if n := len(p.Unsafe()); n != 3 {
		t.Errorf("%d unsafe settings, want 3", n)
	}
	if n := len(Lint(p).Errors(false)); n != 3 {
		t.Errorf("%d errors without leave, want 3: %v", n, Lint(p))
	}
	if n := len(Lint(p).Errors(true)); n != 0 {
		t.Errorf("%d errors with leave, want none", n)
	}
	control := mustParse(t, src+"control rst\n")
	if n := len(Lint(control).Errors(false)); n != 0 {
		t.Errorf("a control has %d problems: %v", n, Lint(control))
	}
}

// Each world keeps the frames of the links that are named for it, and those of the
// clients if none is.
func TestWhichFramesAreKept(t *testing.T) {
	for lines, want := range map[string][2][]string{
		"":                             {{"clients"}, {"clients"}},
		"on-failure capture sync\n":    {{"sync"}, {"sync"}},
		"on-failure capture backend\n": {{"backends"}, {"backends"}},
		"[netns] on-failure capture backends, sync\n":                 {{"backends", "sync"}, {"clients"}},
		"on-failure capture sync\n[sim] on-failure capture clients\n": {{"sync"}, {"sync", "clients"}},
	} {
		p, err := Parse("x.scn", []byte("scenario x\nservice web tcp 198.18.0.100:80\n@1s end\n"+lines))
		if err != nil {
			t.Errorf("%s: %v", lines, err)
			continue
		}
		for i, world := range []string{Netns, Sim} {
			if got := p.CaptureLinks(world); !slices.Equal(got, want[i]) {
				t.Errorf("%sin %s: %v, want %v", lines, world, got, want[i])
			}
		}
	}
}
