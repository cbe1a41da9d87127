package doctest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func page(t *testing.T, text string) *Page {
	t.Helper()
	file := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := Read(file)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestABlockSaysHowItIsTried(t *testing.T) {
	for _, tt := range []struct{ info, wrong string }{
		{"console run", ""},
		{"sh run=nightly needs=ip,nft figures exit=3", ""},
		{`sh skip="takes a year"`, ""},
		{"yaml", ""},
		{"text file=a.scn", ""},
		{"console", "says none of run"},
		{"sh figures", "says none of run"},
		{"sh run=never", "use run or run=nightly"},
		{"sh skip", "needs a reason"},
		{"sh ran", "unknown attribute"},
		{"yaml run", "is not executed"},
	} {
		_, err := newBlock(tt.info)
		if (err == nil) != (tt.wrong == "") || err != nil && !strings.Contains(err.Error(), tt.wrong) {
			t.Errorf("%s: %v, not %q", tt.info, err, tt.wrong)
		}
	}
}

func TestWhatIsShownIsWhatWasPrinted(t *testing.T) {
	for _, tt := range []struct {
		name           string
		figures        bool
		shown, printed string
		agrees         bool
	}{
		{"equal", false, "a 1\nb\n", "a 1\nb\n", true},
		{"another figure", false, "a 1\n", "a 2\n", false},
		{"another figure where they vary", true, "took 1m25.8s, 3 %, –\n", "took 9.1s,   14.25 %, 7\n", true},
		{"another verdict where figures vary", true, "PASS 1 ms\n", "FAIL 1 ms\n", false},
		{"another node where figures vary", true, "lb1: digest bca11211cad0018e\n", "lb2: digest 0000000000000000\n", false},
		{"a line less", false, "a\n", "a\nb\n", false},
		{"a line more", false, "a\nb\n", "a\n", false},
		{"lines left out", false, "a\n…\nd\n", "a\nb\nc\nd\n", true},
		{"lines left out, another end", false, "a\n…\nd\n", "a\nb\nc\n", false},
		{"the end of a line left out", true, "rst: 998 …\n", "rst: 1002 RSTs from backend1\n", true},
		{"another beginning", true, "rst: 998 …\n", "lost: 1002 sessions\n", false},
	} {
		if got := (Block{Figures: tt.figures}).agrees(tt.shown, tt.printed); got != tt.agrees {
			t.Errorf("%s: agrees %v", tt.name, got)
		}
	}
}

func TestCommandsRunAndAreCompared(t *testing.T) {
	p := page(t, "```text file=x\nhello\n```\n\n```console run exit=3\n$ echo one \\\n    two\none two\n$ echo wrong; exit 3\nright\n```\n\n"+
		"```sh run\nsleep 60 &\nfalse\ntrue\n```\n")
	shell := Shell{Dir: t.TempDir()}
	began := time.Now()
	printed, err := shell.Execute(context.Background(), p.Blocks[1])
	if err == nil || !strings.Contains(err.Error(), "shown:\nright") {
		t.Errorf("another output passes: %v", err)
	}
	if want := "$ echo one \\\n    two\none two\n$ echo wrong; exit 3\nwrong\n"; printed != want {
		t.Errorf("printed:\n%s", printed)
	}
	if err := p.Rewrite(map[int]string{1: printed}); err != nil {
		t.Fatal(err)
	}
	if p, err = Read(p.File); err != nil || p.Blocks[1].Text != printed || p.Blocks[0].Text != "hello\n" {
		t.Errorf("rewritten: %v\n%s", err, p.Source)
	}
	if _, err := shell.Execute(context.Background(), p.Blocks[1]); err != nil {
		t.Errorf("the page that was written anew: %v", err)
	}
	if _, err := shell.Execute(context.Background(), p.Blocks[2]); err == nil {
		t.Error("a script whose second command fails passes")
	}
	if shell.Close(); time.Since(began) > 30*time.Second {
		t.Error("what runs in the background keeps the page waiting")
	}
}

func TestLinksLeadSomewhere(t *testing.T) {
	p := page(t, "# One `two`, three\n\n## Same\n\n## Same\n\n[a](#one-two-three) [b](#same-1) [c](page.md#same) [d](https://example.com/x)\n"+
		"[e](#same-2) [f](none.md) [g](page.md#none)\n\n`[h](none.md)`\n")
	var wrong []string
	for _, err := range p.Links() {
		_, text, _ := strings.Cut(err.Error(), "link to ")
		wrong = append(wrong, strings.Fields(text)[0])
	}
	if got := strings.Join(wrong, " "); got != "#same-2: none.md: page.md#none:" {
		t.Errorf("wrong links: %s", got)
	}
}
