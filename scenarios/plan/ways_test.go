package plan

import (
	"fmt"
	"strings"
	"testing"
)

// TestVerbsWithSeveralMeanings: a step names one meaning, anywhere after the verb.
func TestVerbsWithSeveralMeanings(t *testing.T) {
	for line, want := range map[string]string{
		"map full lb2":                                "1s map full lb2",
		"map lb2 error":                               "1s map error lb2",
		"events lost lb1, lb2":                        "1s events lost lb1 lb2",
		"events lost lb1 for 500ms":                   "1500ms mend lb1",
		"map full lb1\n@1s events lost lb1":           "1s events lost lb1",
		"map damaged lb1\n@1s map unread lb1":         "1s map unread lb1",
		"map full lb1\n@1s map damaged lb1":           "1s map damaged lb1",
		"map full lb1\n@1s kill lb1 for 500ms":        "1500ms restore lb1",
		"map full lb1\n@1s kill lb1\n@2s restore lb1": "2s restore lb1",
	} {
		if got := steps(mustParse(t, preamble+"@1s "+line+"\n@3s end\n")); got[len(got)-2] != want {
			t.Errorf("%s: %q, want %q", line, got[len(got)-2], want)
		}
	}
	for line, want := range map[string]string{
		"map lb1":                                  ":5: map how? The form is: map full|error|unread|damaged NODE...",
		"map ful lb1":                              ":9: unknown way to map \"ful\"; did you mean \"full\"?",
		"map full":                                 ":5: map what? The form is",
		"map full client1":                         ":14: map client1: that is a client",
		"map full lb1\n@2s map error lb1":          ":15: map lb1: an earlier map is still in effect; undo it first with mend",
		"map damaged lb1\n@2s mend lb1":            ": mend lb1: there is nothing to undo; it needs an earlier map or events",
		"mend lb1":                                 ":10: mend lb1: there is nothing to undo; it needs an earlier map or events",
		"kill lb1\n@2s map full lb1":               ":14: map lb1: lb1 is down",
		"freeze lb1\n@2s events lost lb1":          ":17: events lb1: lb1 is frozen and cannot answer; thaw it first",
		"map full lb1 for 1s\n@1500ms freeze lb1":  ": mend lb1: lb1 is frozen and cannot answer; thaw it first",
		"map full lb1\n@2s kill lb1\n@2s mend lb1": ": mend lb1: lb1 is down",
	} {
		_, found := Check("s.scn", []byte(preamble+"@1s "+line+"\n@3s end\n"))
		if errs := found.Errors(true); len(errs) == 0 || !strings.Contains(fmt.Sprint(errs[0]), want) {
			t.Errorf("%q: %v, want %q", line, errs, want)
		}
	}
}
