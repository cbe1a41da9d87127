package plan

import (
	"fmt"
	"strings"
	"testing"
)

// TestStarvedNodes: how a ration is written, and which ones are invalid.
func TestStarvedNodes(t *testing.T) {
	for line, want := range map[string]string{
		"starve lb1 cpu=20%":                        "1s starve lb1 cpu=0.2",
		"starve lb1, lb2 files=0 cpu=0.5 period=1s": "1s starve lb1 lb2 cpu=0.5 period=1s files=0",
		"step 300ms lb2":                            "1s step 300ms lb2",
		"starve lb1 files=2\n@2s feed lb1":          "2s feed lb1",
		"crash lb1\n@2s restore lb1":                "2s restore lb1",
	} {
		if got := steps(mustParse(t, preamble+"@1s "+line+"\n@3s end\n")); got[len(got)-2] != want {
			t.Errorf("%s: %q, want %q", line, got[len(got)-2], want)
		}
	}
	for line, want := range map[string]string{
		"starve lb1":                       ":5: starve: say cpu, period, files or memory; the form is: starve NODE... KEY=VALUE...",
		"starve backend1 cpu=20%":          ":12: starve backend1: that is a backend, but the verb takes a load balancer; the form is",
		"starve lb1 period=1s":             ":5: period has no effect without cpu",
		"starve lb1 cpu=100%":              ":5: starve: cpu=1 limits nothing",
		"starve lb1 cpu=0%":                ":5: starve: the process would run for 0s of each period, less than 1ms; to stop it, use freeze",
		"starve lb1 cpu=1% period=20ms":    ":5: starve: the process would run for 200us of each period, less than 1ms",
		"feed lb1":                         ":10: feed lb1: there is nothing to undo; it needs an earlier starve",
		"crash lb1\n@2s starve lb1 cpu=1%": ":12: starve lb1: lb1 is down",
		"starve lb1 files=0\n@1500ms crash lb1\n@2s restore lb1\n@2500ms feed lb1": ":14: feed lb1: there is nothing to undo",
		"starve lb1 files=2\n@1500ms starve lb1 cpu=9%":                            ": starve lb1: an earlier starve is still in effect; write all keys in one step, or undo it first with feed",
		"starve lb1 cpu=20%\n@1500ms freeze lb1\n@2s feed lb1":                     ":10: feed lb1: lb1 is frozen and cannot answer; thaw it first",
		"step lb1":                   ":5: step what? The form is: step DURATION NODE...",
		"crash lb1\n@2s step 1s lb1": ":13: step lb1: lb1 is down",
	} {
		_, found := Check("s.scn", []byte(preamble+"@1s "+line+"\n@3s end\n"))
		if errs := found.Errors(true); len(errs) == 0 || !strings.Contains(fmt.Sprint(errs[0]), want) {
			t.Errorf("%q: %v, want %q", line, errs, want)
		}
	}
}
