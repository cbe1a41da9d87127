package scenarios_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"baton/scenarios/plan"
)

var update = flag.Bool("update", false, "rewrite docs/library.md")

// library lists the folders of the library in the order of its index.
var library = []struct{ folder, about string }{
	{"crash", "A node loses power, or its process dies"},
	{"restore", "A node comes back"},
	{"handover", "Something dies in a handover, in each of its steps"},
	{"partition", "Machines cannot hear each other"},
	{"sync", "The sync link is bad"},
	{"freeze", "A process stands still"},
	{"l2", "A port loses its carrier, or ARP goes wrong"},
	{"ipv6", "Services of IPv6, and of both families on one pair"},
	{"links", "Links lose, delay, limit and damage packets"},
	{"programs", "Other people's clients and servers over the pair, each a skip where the machine lacks the program"},
	{"overload", "Somebody sends what nobody asked for, or a node lacks processor or descriptors"},
	{"upgrade", "Configurations and versions change while clients are served"},
	{"backends", "Backends die, stand still and return"},
	{"clients", "Clients die, stand still and return"},
	{"regressions", "Bugs that were reported, each with the condition under which it is caught"},
	{"controls", "The harness sees what it must see"},
}

func shipped(t *testing.T, pattern string) map[string]*plan.Plan {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	plans := map[string]*plan.Plan{}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p, err := plan.Parse(file, source)
		if err != nil {
			t.Error(err)
			continue
		}
		plans[file] = p
	}
	return plans
}

// Every shipped scenario parses, has a unique name equal to its file's name, and says what it
// shows. Scenarios with unsafe settings are controls.
func TestShippedScenariosAreSound(t *testing.T) {
	names := map[string]string{}
	for _, pattern := range []string{"*.scn", "library/*/*.scn"} {
		for file, p := range shipped(t, pattern) {
			if p.Name+".scn" != filepath.Base(file) {
				t.Errorf("%s: the scenario is called %s", file, p.Name)
			}
			if other, taken := names[p.Name]; taken {
				t.Errorf("%s and %s are both called %s", file, other, p.Name)
			}
			names[p.Name] = file
			if p.Doc == "" {
				t.Errorf("%s does not say what it shows", file)
			}
			for _, world := range []string{plan.Netns, plan.Sim} {
				if len(p.Unsafe()) > 0 && !p.IsControl(world) {
					t.Errorf("%s: unsafe settings without a control line", file)
				}
			}
		}
	}
}

// The index of the library is generated from its files; -update rewrites it.
func TestLibraryHasAnIndex(t *testing.T) {
	const index = "../docs/library.md"
	var b strings.Builder
	b.WriteString("# The library of scenarios\n\n" +
		"One file a rule, in folders by what goes wrong. `make test-library` runs all of them in both worlds and stores a\n" +
		"report; `baton run --world sim scenarios/library/*/*.scn` takes seconds. `make test-scenarios` runs the ones\n" +
		"directly in `scenarios/`. How to write one: [scenarios.md](scenarios.md).\n")
	listed := 0
	for _, part := range library {
		fmt.Fprintf(&b, "\n## %s\n\n%s.\n\n| scenario | rule | source | lasts |\n|---|---|---|---|\n", part.folder, part.about)
		files, _ := filepath.Glob(filepath.Join("library", part.folder, "*.scn"))
		plans := shipped(t, filepath.Join("library", part.folder, "*.scn"))
		for _, file := range files { // sorted
			p := plans[file]
			if p == nil {
				continue
			}
			rule, source, _ := strings.Cut(p.Doc, " Source: ")
			fmt.Fprintf(&b, "| [%s](../scenarios/%s) | %s | %s | %s |\n", p.Name, file, rule, strings.TrimSuffix(source, "."), p.Steps[len(p.Steps)-1].At)
			listed++
		}
	}
	if all := shipped(t, "library/*/*.scn"); listed != len(all) {
		t.Errorf("%d scenarios listed, %d there: is a folder missing?", listed, len(all))
	}
	if *update {
		if err := os.WriteFile(index, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(index)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.String(), string(text)); diff != "" {
		t.Errorf("(-of the files +%s), rewrite with -update\n%s", index, diff)
	}
}
