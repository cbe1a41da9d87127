package plan

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
)

// files is a Reader of a few files.
func files(list map[string]string) Reader {
	return func(name string) ([]byte, error) {
		text, ok := list[name]
		if !ok {
			return nil, fs.ErrNotExist
		}
		return []byte(text), nil
	}
}

// expanded are the canonical forms of what a file stands for, by their names.
func expanded(t *testing.T, src string, read Reader) (names []string, texts map[string]string) {
	t.Helper()
	plans, found := Expand("dir/t.scn", []byte(src), read)
	if len(found.Errors(true)) > 0 {
		t.Fatalf("%v\n%s", found, src)
	}
	texts = map[string]string{}
	for _, p := range plans {
		names = append(names, p.Name)
		texts[p.Name] = Print(p)
	}
	return names, texts
}

func TestAFileWithForLinesExpandsToEveryCase(t *testing.T) {
	names, texts := expanded(t, `scenario race
doc      A cut $gap before the $how.
for      gap in 0ms 50ms 500ms
for      how in crash kill
let      tx = 20ms
let      late = $tx
service  web tcp 198.18.0.100:80
traffic  web sessions
config   bfd.tx=$tx
always   rst == 0
@2s      cut   sync
@2s+$gap+1ms-1ms $how lb1
         expect lb2 is Master within detect+2*$late
@9s      end
`, nil)
	want := []string{"race-0ms-crash", "race-0ms-kill", "race-50ms-crash", "race-50ms-kill", "race-500ms-crash", "race-500ms-kill"}
	if strings.Join(names, " ") != strings.Join(want, " ") {
		t.Errorf("scenarios %q, want %q", names, want)
	}
	for _, line := range []string{"doc      A cut 50ms before the kill.\n", "config   bfd.tx=20ms\n", "@2050ms  kill lb1\n", "expect lb2 is Master within detect+40ms\n"} {
		if !strings.Contains(texts["race-50ms-kill"], line) {
			t.Errorf("no %q in\n%s", line, texts["race-50ms-kill"])
		}
	}
	if !strings.Contains(texts["race-0ms-crash"], "@2s      crash lb1\n") {
		t.Errorf("printed\n%s", texts["race-0ms-crash"])
	}
}

func TestScenarioNamesMayContainVariables(t *testing.T) {
	names, _ := expanded(t, "scenario $how-of-lb1-then\nfor how in crash, kill\nfor where in lb1->lb2 lb2->lb1 lb1<->lb2\nservice web tcp 198.18.0.100:80\nalways masters <= 1\n@1s $how lb1\n@2s cut $where via sync\n@3s end\n", nil)
	if want := "crash-of-lb1-then-lb1-to-lb2 crash-of-lb1-then-lb2-to-lb1 crash-of-lb1-then-lb1-and-lb2 " +
		"kill-of-lb1-then-lb1-to-lb2 kill-of-lb1-then-lb2-to-lb1 kill-of-lb1-then-lb1-and-lb2"; strings.Join(names, " ") != want {
		t.Errorf("scenarios %q, want %s", names, want)
	}
}

// The text of a step, which traces show, has the values too.
func TestStepsShowValues(t *testing.T) {
	plans, _ := Expand("t.scn", []byte("scenario s\nlet wait = 3s\nalways masters <= 1\n@0s wait lb1 is Master within $wait\n@1s end\n"), nil)
	if got := plans[0].Steps[0].Text; got != "wait lb1 is Master within 3s" {
		t.Errorf("text %q", got)
	}
}

func TestIncludedLinesStandInTheirPlace(t *testing.T) {
	read := files(map[string]string{
		"dir/common/web.inc":   "service web tcp 198.18.0.100:80\ninclude load.inc # more\n",
		"dir/common/load.inc":  "traffic web sessions count=$count\n",
		"dir/common/wrong.inc": "always rst == 0\nalways rsst == 0\nservice web tcp 198.18.0.101:80\n",
		"dir/loop.inc":         "include loop.inc\n",
	})
	_, texts := expanded(t, "scenario s\nlet count = 7\ninclude common/web.inc\nalways rst == 0\n@1s crash lb1\n@2s end\n", read)
	if text := texts["s"]; !strings.Contains(text, "traffic  web sessions tcp service=web count=7") {
		t.Errorf("printed\n%s", text)
	}
	for src, want := range map[string]string{
		"include common/web.inc\nlet count = 7\n":                     `dir/common/load.inc:1:28: unknown variable "$count"; define it above: let NAME = VALUE`,
		"service web tcp 198.18.0.100:80\ninclude common/wrong.inc\n": "dir/common/wrong.inc:3:9: a second service \"web\"; the first is line 2\ndir/common/wrong.inc:2:8: unknown metric \"rsst\"; did you mean \"rst\"?",
		"include common/wrong.inc\nservice web tcp 198.18.0.102:80\n": "dir/t.scn:3:9: a second service \"web\"; the first is line 3 of dir/common/wrong.inc",
		"include none.inc\n": "dir/t.scn:2:9: include none.inc: file does not exist",
		"include loop.inc\n": "dir/loop.inc:1:9: include loop.inc: the file includes itself",
		"include \n":         "dir/t.scn:2:9: the line ends too early; the form is: include FILE",
	} {
		_, found := Expand("dir/t.scn", []byte("scenario s\n"+src+"@1s end\n"), read)
		for _, line := range strings.Split(want, "\n") {
			if !strings.Contains(found.Error(), line) {
				t.Errorf("%q: no %q in\n%v", src, line, found)
			}
		}
	}
	if _, err := Parse("t.scn", []byte("scenario s\ninclude x.inc\n@1s end\n")); err == nil || !strings.Contains(err.Error(), "files cannot be included here") {
		t.Errorf("error %v", err)
	}
}

func TestInvalidVariablesAreRefused(t *testing.T) {
	for src, want := range map[string]string{
		"let gap = 1s\n@1s+$gpa crash lb1\n":            `t.scn:3:5: unknown variable "$gpa"; define it above: let NAME = VALUE; did you mean "$gap"?`,
		"let gap = 1s\nlet gap = 2s\n@$gap crash lb1\n": "t.scn:3:5: a second $gap; the first is line 2",
		"let gap\n":                   "t.scn:2:8: unexpected end or word; the form is: let NAME = VALUE",
		"for gap = 1s\n":              "the form is: for NAME in VALUE...",
		"let gap = 1s\n":              "t.scn:2:5: warning: $gap is not used",
		"for n in a b\n":              "t.scn:2:5: warning: $n is not used",
		"for n in a b {\n":            "t.scn:2:14: for opens no block",
		"for n in {\n":                "t.scn:2:10: for opens no block",
		"let n = 99\n@$n crash lb1\n": "t.scn:3:2: duration \"99\" has no unit; did you mean \"99s\"?",
		"let h = lb9\n@1s crash $h\n": "t.scn:3:11: unknown host \"lb9\"",
		"@1s-2s crash lb1\n":          "t.scn:2:2: -1s is outside of 0s to 86400s",
		"for a in 1 2 3 4 5 6 7\nfor b in 1 2 3 4 5 6 7\nfor c in 1 2 3 4 5 6 7\nconfig bfd.mult=$a\n": "t.scn:1:1: the file defines 343 scenarios, more than 256",
	} {
		if _, found := Expand("t.scn", []byte("scenario s\n"+src+"@9s end\n"), nil); !strings.Contains(found.Error(), want) {
			t.Errorf("%q: no %q in\n%v", src, want, found)
		}
	}
	var d Diagnostics
	if _, err := Parse("t.scn", []byte("scenario s\nfor m in 3 5\nconfig bfd.mult=$m\nalways masters <= 1\n@9s end\n")); !errors.As(err, &d) || !strings.Contains(err.Error(), "the file defines 2 scenarios, not one") {
		t.Errorf("error %v", err)
	}
}
