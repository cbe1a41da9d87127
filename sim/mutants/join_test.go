package mutants

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const joinedProgram = `package main

import "fmt"

type counter struct{ n int }

// add adds.
func (c *counter) add(_ string, by ...int) (n int, err error) {
	for _, b := range by {
		c.n += b
	}
	return c.n, nil
}

func first[T any, U any](t T, _ U) T { return t }

func say(text string, _, times int) {
	fmt.Println(text, times)
}

var limit = 3

const factor = 1

var (
	one, two         = 1, 2
	words    []string = nil // of a type
	three            = map[string]int{
		"three": 3, // three
	}
)

func main() {
	c := &counter{}
	n, err := c.add("x", 1, 2)
	say("say", 0, first(n, err))
	fmt.Println(limit * factor, one, two, words, three)
}
`

// TestAJoinedProgramRunsAsEachMutant: methods, variadic functions, unnamed parameters, generic
// functions and variables can be joined; two mutants may change one function, and one mutant two
// functions. Without a number the program is unchanged.
func TestAJoinedProgramRunsAsEachMutant(t *testing.T) {
	root := t.TempDir()
	write(t, root, map[string]string{"main.go": joinedProgram, "go.mod": "module m\n\ngo 1.24\n"})
	edit := func(old, new string) Edit { return Edit{File: "main.go", Old: old, New: new} }
	minus := edit("\t\tc.n += b\n", "\t\tc.n -= b\n")
	list := []Mutant{
		{Name: "minus", Edits: []Edit{minus}},
		{Name: "error", Edits: []Edit{edit("\treturn c.n, nil\n", "\treturn 0, fmt.Errorf(\"no\")\n")}},
		{Name: "both", Edits: []Edit{minus, edit("\tfmt.Println(text, times)\n", "")}},
		{Name: "generic", Edits: []Edit{edit("func first[T any, U any](t T, _ U) T { return t }\n", "func first[T any, U any](t T, _ U) T { var zero T; return zero }\n")}},
		{Name: "stale", Edits: []Edit{edit("\tgone\n", "")}},
		{Name: "variable", Edits: []Edit{edit("var limit = 3\n", "var limit = 4\n")}},
		{Name: "signature", Edits: []Edit{edit("func say(text string, _, times int) {\n", "func say(text string, times, _ int) {\n")}},
		{Name: "main", Edits: []Edit{edit("\tfmt.Println(limit * factor, one, two, words, three)\n", "")}},
		{Name: "fixed", Edits: []Edit{edit("const factor = 1\n", "const factor = 2\n")}},
		{Name: "pair", Edits: []Edit{edit("\tone, two         = 1, 2\n", "\tone, two = 2, 1\n")}},
		{Name: "typed", Edits: []Edit{edit("\twords    []string = nil // of a type\n", "\twords    []string = []string{\"w\"}\n")}},
		{Name: "map", Edits: []Edit{edit("\t\t\"three\": 3, // three\n", "\t\t\"four\": 4,\n"), minus}},
	}
	j, err := join(root, list)
	if err != nil {
		t.Fatal(err)
	}
	write(t, root, j.files)
	build := exec.Command("go", "build", "-o", "program", ".")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, j.files["main.go"])
	}
	b := binary{path: filepath.Join(root, "program")}
	for name, want := range map[string]string{
		"": "say 3 3 1 2 [] map[three:3]", "minus": "say -3 3 1 2 [] map[three:3]", "error": "say 0 3 1 2 [] map[three:3]", "both": "3 1 2 [] map[three:3]",
		"generic": "say 0 3 1 2 [] map[three:3]", "variable": "say 3 4 1 2 [] map[three:3]", "typed": "say 3 3 1 2 [w] map[three:3]", "map": "say -3 3 1 2 [] map[four:4]",
		"stale": "", "fixed": "", "pair": "", "signature": "", "main": "",
	} {
		number := j.of(name)
		if (want == "") != (number == 0) && name != "" {
			t.Errorf("%s has number %d", name, number)
			continue
		}
		if want == "" {
			continue
		}
		b.play = ""
		if number > 0 {
			b.play = string(rune('0' + number))
		}
		out, err := b.command(t.Context(), root).Output()
		if got := strings.Join(strings.Fields(string(out)), " "); err != nil || got != want {
			t.Errorf("mutant %q: %q, %v; want %q", name, got, err, want)
		}
	}
}

// TestAMutantThatDoesNotCompileIsBlamed: no other mutant is blamed, and none for errors elsewhere.
func TestAMutantThatDoesNotCompileIsBlamed(t *testing.T) {
	root := t.TempDir()
	write(t, root, map[string]string{"main.go": joinedProgram, "go.mod": "module m\n\ngo 1.24\n"})
	edit := func(old, new string) Edit { return Edit{File: "main.go", Old: old, New: new} }
	list := []Mutant{
		{Name: "value", Edits: []Edit{edit("var limit = 3\n", "var limit = gone\n")}},
		{Name: "sound", Edits: []Edit{edit("\tfmt.Println(text, times)\n", "")}},
		{Name: "broken", Edits: []Edit{edit("\t\tc.n += b\n", "\t\tc.n += gone\n")}},
		{Name: "unused", Edits: []Edit{edit("\tfmt.Println(text, times)\n", "\tfmt.Println(text)\n\tx := times\n")}},
	}
	j, err := join(root, list)
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := writeOverlay(t.Context(), new(meter), root, t.TempDir(), j.files)
	if err != nil {
		t.Fatal(err)
	}
	r := Runner{Root: root}
	err = r.goCommand(t.Context(), new(meter), "build", "-overlay", overlay, "-o", os.DevNull, ".")
	if got := j.blamed(err); len(got) != 3 || !got["broken"] || !got["unused"] || !got["value"] {
		t.Errorf("blamed %v for\n%v", got, err)
	}
	if got := j.blamed(errors.New("m\n./main.go:3:1: x\n/elsewhere/other.go:12:1: y\n")); len(got) > 0 {
		t.Errorf("blamed %v", got)
	}
}

// TestPackagesWithEqualLastElementsAreBuiltSeparately: their binaries would have the same name.
func TestPackagesWithEqualLastElementsAreBuiltSeparately(t *testing.T) {
	got := groups([]Mutant{{Suite: "./a/x"}, {Suite: SimSuite}, {Suite: "./b"}, {Suite: "./a/x"}, {Suite: "./c/x"}, {Suite: "./d"}})
	if want := [][]string{{"./a/x", "./b", "./d"}, {SimSuite}, {"./c/x"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func write(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
