package mutants

import (
	"os"
	"os/exec"
	"path/filepath"
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

func main() {
	c := &counter{}
	n, err := c.add("x", 1, 2)
	say("say", 0, first(n, err))
	fmt.Println(limit)
}
`

// TestEachMutantOfAJoinedTextIsPlayed: methods, variadic, unnamed and generic functions,
// two mutants of one function and one of two functions; without a number, or with that of
// another package's mutant, the program is unchanged.
func TestEachMutantOfAJoinedTextIsPlayed(t *testing.T) {
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
		{Name: "constant", Edits: []Edit{edit("var limit = 3\n", "var limit = 4\n")}},
		{Name: "signature", Edits: []Edit{edit("func say(text string, _, times int) {\n", "func say(text string, times, _ int) {\n")}},
		{Name: "main", Edits: []Edit{edit("\tfmt.Println(limit)\n", "")}},
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
		"": "say 3 3", "minus": "say -3 3", "error": "say 0 3", "both": "3", "generic": "say 0 3",
		"stale": "", "constant": "", "signature": "", "main": "",
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

func write(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
