package plan

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"baton/scenarios/fault"
	"baton/scenarios/metric"

	"github.com/google/go-cmp/cmp"
)

const editors = "../../docs/editors"

// The files of editors are those of the tables; -update rewrites them.
func TestEditorsKnowTheTables(t *testing.T) {
	grammar, err := TextMate()
	if err != nil {
		t.Fatal(err)
	}
	snippets, err := Snippets()
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string][]byte{
		"vscode/syntaxes/baton.tmLanguage.json": grammar, "vscode/snippets/baton.json": snippets, "vim/syntax/baton.vim": VimSyntax(),
	} {
		path := filepath.Join(editors, file)
		if *update {
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(string(want), readFile(t, path)); diff != "" {
			t.Errorf("%s (-tables of the code +file), rewrite with -update\n%s", file, diff)
		}
	}
}

// Every word of the language has one look, and its pattern takes the whole word.
func TestEveryWordIsHighlighted(t *testing.T) {
	text, err := TextMate()
	if err != nil {
		t.Fatal(err)
	}
	var g tmGrammar
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	look := func(word string) (scopes []string) {
		for _, p := range g.Patterns {
			// Go has no look-around; of a word alone nothing else is around.
			match := strings.NewReplacer(`(?<![A-Za-z0-9_.-])`, "", `(?![A-Za-z0-9_]|[-.][A-Za-z0-9_])`, "").Replace(p.Match)
			if regexp.MustCompile(`^(?:` + match + `)$`).MatchString(word) {
				scopes = append(scopes, p.Name)
			}
		}
		return scopes
	}
	for _, word := range slices.Concat(fault.Words(), metric.Names(), keyWords(), named, roles, directiveWords(), links, nodes, kinds, []string{"client1", "backend12", "insync", "50ms", "100/s", "$gap", "[sim]", "# x", "<->"}) {
		if scopes := look(word); len(scopes) != 1 {
			t.Errorf("%s looks like %q", word, scopes)
		}
	}
	for word, want := range map[string]string{"crash": "keyword.other.fault.baton", "gap": "support.function.metric.baton", "bfd.tx": "variable.parameter.setting.baton", "Master": "constant.language.state.baton", "expect": "keyword.control.baton"} {
		if scopes := look(word); len(scopes) != 1 || scopes[0] != want {
			t.Errorf("%s looks like %q, want %s", word, scopes, want)
		}
	}
}
