package plan

import (
	"strings"
	"testing"
)

// TestWhatAFaultIsDoneTo: what a verb cannot be done to is refused, with the word at fault.
func TestWhatAFaultIsDoneTo(t *testing.T) {
	for line, want := range map[string]string{
		"crash backend1\n@2s restore backend1":     "",
		"freeze backend1 lb2\n@2s thaw backend1":   "",
		"crash client1":                            `:11: crash client1: that is a client; the form is: crash HOST...`,
		"handover backend1":                        `:14: handover backend1: that is a backend; the form is: handover NODE...`,
		"crash backend3":                           `:11: no host "backend3": the topology has backends=2`,
		"crash bakend1":                            `:11: unknown host "bakend1"; did you mean "backend1"?`,
		"crash lb1->lb2":                           `:11: lb1->lb2 is no machine; the form is: crash HOST...`,
		"crash lb1 via sync":                       `:19: crash has no via; the form is: crash HOST...`,
		"thaw backend1":                            `:10: thaw backend1: backend1 is not frozen`,
		"crash backend1\n@2s expect lb1 is Master": "",
	} {
		_, found := Check("s.scn", []byte(preamble+"@1s "+line+"\n@3s end\n"))
		errs := found.Errors(true)
		switch {
		case want == "" && len(errs) > 0, want != "" && (len(errs) != 1 || !strings.HasSuffix(errs[0].String(), want)):
			t.Errorf("%q: %v, want %q", line, errs, want)
		}
	}
}
