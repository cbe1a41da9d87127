package plan

import (
	"strings"
	"testing"
)

func TestBothNodesHaveOneArbiter(t *testing.T) {
	for config, want := range map[string]string{
		"config arbiter.validity=1s":                                     "",
		"config lb1 arbiter.validity=1s":                                 "s.scn:2:12: arbiter.validity is 1s for lb1 and 0s for lb2; both nodes need the same arbiter",
		"config lb1 arbiter.validity=1s\nconfig lb2 arbiter.validity=2s": "both nodes need the same arbiter",
		"config arbiter.validity=200ms":                                  "s.scn:2:8: arbiter.validity=200ms is shorter than twice the detection time; use at least 300ms",
		"config bfd.tx=500ms bfd.rx=500ms arbiter.validity=1s":           "use at least 3s",
		"config lb1 arbiter.policy=keep-serving":                         "s.scn:2:12: arbiter.policy is keep-serving for lb1 and fail-closed for lb2; both nodes need the same",
		"config arbiter.validity=1s arbiter.policy=keep-serving":         "",
		"[netns] config arbiter.validity=1s":                             "",
		"config arbiter.validity=1s\n[sim] config arbiter.validity=2s":   "set twice",
	} {
		source := "scenario s\n" + config + "\nservice web tcp 198.18.0.100:80\ntraffic web sessions tcp count=1\nalways rst == 0\n@0s wait lb1 is Master within 5s\n@1s kill lb1\n@2s end\n"
		_, found := Expand("s.scn", []byte(source), nil)
		var text strings.Builder
		for _, d := range found.Errors(false) {
			text.WriteString(d.String() + "\n")
		}
		if got := text.String(); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", config, got, want)
		}
	}
}
