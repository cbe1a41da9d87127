package plan

import (
	"os"
	"testing"
	"time"

	"baton/scenarios/metric"
)

func readFile(t testing.TB, file string) string {
	t.Helper()
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(src)
}

func TestAnchors(t *testing.T) {
	p := mustParse(t, preamble+`@0s wait lb1 is Master within 1s
     expect lb2 is Backup
@1s  expect lb1 is Master
     expect lb2 is Backup
@2s  crash lb1
     kill lb2
     expect lb1 is not Master
@2s  expect lb2 is not Master
[sim] @3s restore lb1
[netns] @3s restore lb2
     expect lb2 is Backup within 1s
[sim] @3s crash lb2
[netns] @3s expect lb2 is Backup within 1s
@4s  end
`)
	want := []int{0, 0, 2, 2, 4, 5, 5, 5, 8, 9, 9, 11, 9, 13}
	for i := range p.Steps {
		if got := p.Anchor(i); got != want[i] {
			t.Errorf("step %d (%s) counts from step %d, want %d", i, p.Steps[i], got, want[i])
		}
	}
}

func TestValuesOfSettings(t *testing.T) {
	p := mustParse(t, preamble+`config bfd.tx=20ms
config lb2 bfd.tx=100ms bfd.mult=5
[sim] config bfd.rx=200ms
config lb1 hold=2s
@1s end
`)
	for _, test := range []struct{ world, node, key, want string }{
		{Netns, "lb1", "bfd.tx", "20ms"}, {Netns, "lb2", "bfd.tx", "100ms"}, {Netns, "lb1", "bfd.rx", "50ms"}, {Sim, "lb1", "bfd.rx", "200ms"},
		{Netns, "lb1", "ha.priority", "150"}, {Netns, "lb2", "ha.priority", "100"}, {Netns, "lb2", "ha.hold", "500ms"},
	} {
		if got := p.Value(test.world, test.node, test.key); got != test.want {
			t.Errorf("%s of %s in %s is %s, want %s", test.key, test.node, test.world, got, test.want)
		}
	}
	// lb1 detects lb2 after 5 × max(100 ms, rx), lb2 detects lb1 after 3 × max(20 ms, rx).
	if got := p.Detect(Netns); got != 500*time.Millisecond {
		t.Errorf("detection time is %v, want 500ms", got)
	}
	if got := p.Detect(Sim); got != time.Second {
		t.Errorf("detection time in sim is %v, want 1s", got)
	}
	if got := p.Hold(Sim); got != 2*time.Second {
		t.Errorf("hold is %v, want 2s", got)
	}
}

// Healing a link that is not cut is refused, so the second heal shows what the first one left cut.
func TestHealing(t *testing.T) {
	for _, test := range []struct {
		cut, heal, again string
		left             bool
	}{
		{"lb1->lb2", "lb1->lb2", "", false}, {"lb1<->lb2", "lb1->lb2", "lb2->lb1", true}, {"lb1->lb2", "lb1<->lb2", "", false},
		{"lb1<->lb2 via sync", "lb1<->lb2", "", false}, {"lb1<->lb2", "lb1<->lb2 via sync", "lb1->lb2 via clients", true},
		{"lb1<->lb2 via sync", "lb2<->lb1 via sync", "", false}, {"clients->lb1", "client1->lb1", "", false},
	} {
		_, found := Check("heal.scn", []byte(preamble+"@1s cut "+test.cut+"\n@2s heal "+test.heal+"\n@3s heal "+test.again+"\n@4s end\n"))
		if refused := len(found.Errors(true)) > 0; refused == test.left {
			t.Errorf("cut %s, heal %s, heal %s: %v", test.cut, test.heal, test.again, found)
		}
	}
}

func TestLinesThatAreNotExecutedAreNamed(t *testing.T) {
	p := mustParse(t, preamble+"[sim] always rst == 0\n[netns] @1s crash lb1\n expect lb2 is Master within 1s\n@3s end\n")
	if got := p.NotExecuted(Sim); len(got) != 2 || got[0] != "[netns] @1s crash lb1" {
		t.Errorf("skipped in sim: %q", got)
	}
	if got := p.NotExecuted(Netns); len(got) != 1 || got[0] != "[sim] always rst == 0" {
		t.Errorf("skipped in netns: %q", got)
	}
}

// A scenario whose faults are all for the other world tests nothing in this one.
func TestAPlanWithoutItsFaults(t *testing.T) {
	for _, test := range []struct {
		lines      string
		sim, netns string
	}{
		{"@1s end\n", "", ""},
		{"@1s crash lb1\n@2s end\n", "", ""},
		{"[sim] chaos clients loss=0.1\n@2s end\n", "", "all its faults are guarded for the other world: [sim] chaos clients loss=0.1"},
		{"[sim] chaos until=1s\n@2s end\n", "", ""},
		{"[sim] chaos clients loss=0.1\n@1s crash lb1\n@2s end\n", "", ""},
		{"[sim] chaos clients loss=0.1\n[netns] @1s crash lb1\n@2s end\n", "", ""},
		{"[netns] @1s crash lb1\n[netns] @2s kill lb2\n@3s end\n", "all its faults are guarded for the other world: [netns] @1s crash lb1; [netns] @2s kill lb2", ""},
	} {
		p := mustParse(t, preamble+test.lines)
		if got := p.WithoutFaults(Sim); got != test.sim {
			t.Errorf("%q in sim: %q, want %q", test.lines, got, test.sim)
		}
		if got := p.WithoutFaults(Netns); got != test.netns {
			t.Errorf("%q in netns: %q, want %q", test.lines, got, test.netns)
		}
	}
}

func TestNearestWord(t *testing.T) {
	words := []string{"crash", "cut", "restore", "freeze", "within", "throughout", "insync"}
	for wrong, want := range map[string]string{
		"crsh": "crash", "restor": "restore", "freze": "freeze", "witin": "within", "insnyc": "insync", "thr": "throughout",
		"Crash": "crash", "xyzzy": "", "c": "", "crash": "",
	} {
		if got := Nearest(wrong, words); got != want {
			t.Errorf("%q suggests %q, want %q", wrong, got, want)
		}
	}
}

// Every word of the tables is documented and has a place to be used.
func TestTablesAreWhole(t *testing.T) {
	for _, m := range metric.All() {
		if m.Doc == "" || m.Check == "" {
			t.Errorf("metric %s has no doc or no check", m.Name)
		}
	}
	for _, k := range Keys {
		if k.Doc == "" {
			t.Errorf("key %s has no doc", k.Name)
		}
		for _, value := range []string{k.Default, k.NodeDefault["lb1"]} {
			if canonical, err := k.parse(value); value != "" && (err != nil || canonical != value) {
				t.Errorf("default %s of %s is read as %q (%v)", value, k.Name, canonical, err)
			}
		}
		if found, ok := KeyOf(k.Name); !ok || found.Name != k.Name {
			t.Errorf("key %s is not found by its name", k.Name)
		}
	}
	for _, d := range directives {
		if d.usage == "" {
			t.Errorf("directive %s has no usage", d.word)
		}
	}
}

// What is judged to milliseconds must run alone.
func TestPunctual(t *testing.T) {
	for lines, want := range map[string]bool{
		"@1s crash lb1\n expect lb2 is Master within detect+50ms\n": true, "@1s crash lb1\n expect lb2 is Master within 5s\n": false,
		"@1s crash lb1\n expect lb2 is Master within detect+2s\n": false, "@1s crash lb1\n expect gap(web) < 30ms\n": true,
		"@1s crash lb1\n expect gap(web) < 2s\n": false, "@1s crash lb1\n expect takeover_ms <= 200\n": true, "@1s crash lb1\n expect takeover_ms <= 2000\n": false,
		"[sim] always gap(web) < 30ms\n": false, "always rst == 0 ; masters <= 1\n": false, "always gap(web) > 30ms\n": false, "@1s wait lb1 is Master within 100ms\n": false,
	} {
		if p := mustParse(t, preamble+lines+"@9s end\n"); p.Punctual(Netns) != want || p.Punctual(Sim) {
			t.Errorf("%q: %v in netns, %v in sim", lines, p.Punctual(Netns), p.Punctual(Sim))
		}
	}
}
