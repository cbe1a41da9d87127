package plan

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// Whatever a file contains, Check says where in it the problems are; and a file
// that it accepts means the same when it is printed.
func FuzzParse(f *testing.F) {
	for _, file := range scenarioFiles(f) {
		f.Add(readFile(f, file))
	}
	for _, line := range []string{
		"@1s cut sync lb1->lb2", "[sim] @1s heal", "config lb1: gates: off", "always gap(web) < detect-2*hold-1us", "@0 wait lb1, lb2 in sync",
		"traffic a flows udp count=1k", "[", "@", "scenario \x00", "doc", "@1s expect a(b)", "always lb1 and", "service a tcp [::1]:1 mode",
		"let a = 1s\n@1s+$a crash lb1", "for a in lb1->lb2, lb2->lb1\n@1s cut $a", "for v in crash kill\n@1s $v lb1", "include x", "let a =", "@1s+ crash lb1", "doc $a $b",
	} {
		f.Add(preamble + line + "\n@9s end\n")
	}
	f.Fuzz(func(t *testing.T, src string) {
		p, found := Check("f.scn", []byte(src))
		lines := strings.Split(strings.TrimPrefix(src, "\ufeff"), "\n")
		for _, d := range found {
			if d.Pos.Line < 1 || d.Pos.Line > len(lines) || d.Pos.Column < 1 ||
				utf8.ValidString(src) && d.Pos.Column > utf8.RuneCountInString(lines[d.Pos.Line-1])+1 {
				t.Fatalf("%q points outside the file", d)
			}
			if d.Message == "" || strings.Contains(d.String(), "\n") {
				t.Fatalf("%q is not one line", d)
			}
		}
		if len(found.Errors(true)) > 0 {
			return
		}
		again, err := Parse("f.scn", []byte(Print(p)))
		if err != nil {
			t.Fatalf("%v\n%s", err, Print(p))
		}
		if diff := cmp.Diff(p, again, sameMeaning); diff != "" {
			t.Fatalf("(-first +again)\n%s\n%s", diff, Print(p))
		}
	})
}
