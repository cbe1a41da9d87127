package subject

import (
	"strings"
	"testing"

	"baton/scenarios/plan"
)

// TestAScenarioThatNoNodeCouldRunIsRefused: the error names the line, before anything starts.
func TestAScenarioThatNoNodeCouldRunIsRefused(t *testing.T) {
	const web = "service web tcp 198.18.0.100:80\n"
	for lines, want := range map[string]string{
		web: "",
		web + "config limits.embryonic=5 limits.syn_challenge=9\n":                                                  "s.scn:3:27: baton node refuses the configuration of lb1: limits.syn_challenge: 9 is never reached: embryonic is 5; use less, or leave it out",
		web + "config lb2 limits.flows=3\nconfig limits.source_flows=4\n":                                           "s.scn:4:8: baton node refuses the configuration of lb2: limits.source_flows: 4 is never reached",
		web + "config lb2 limits.flows=3\nconfig limits.source_flows=4\nconfig lb1 limits.source_flows=2\n":         "s.scn:4:8: baton node refuses the configuration of lb2: limits.source_flows: 4 is never reached",
		web + "config lb2 limits.flows=3\nconfig limits.source_flows=4\n[sim] config lb2 limits.source_flows=2\n":   "s.scn:4:8: baton node refuses the configuration of lb2: limits.source_flows: 4 is never reached",
		web + "config check.type=port check.interval=100ms\n":                                                       "s.scn:3:8: baton node refuses the configuration of lb1: check.timeout: 500ms is out of range; use at most half",
		web + "[sim] config limits.embryonic=5 limits.syn_challenge=9\n":                                            "",
		web + "config ha.hold=1ms ha.preempt=immediate ha.gates=off\n":                                              "s.scn:3:8: baton node refuses the configuration of lb1: ha.hold: 1ms is shorter than the detection time 150ms",
		web + "config subject=keepalived limits.embryonic=5 limits.syn_challenge=9\n":                               "",
		"service web tcp 198.18.0.100:80-99\nconfig check.type=port\n":                                              "s.scn:2:9: baton node refuses the configuration of lb1: service web: check.port: is missing",
		"service all tcp 198.18.0.100:80-81\nservice a tcp 198.18.0.100:80\nservice b tcp 198.18.0.100:81\n":        "s.scn:2:9: baton node refuses the configuration of lb1: service all: port: no packet belongs to",
		"[sim] service x tcp 198.18.0.101:80\n[netns] service all tcp 198.18.0.100:80-99\nconfig check.type=port\n": "s.scn:3:17: baton node refuses the configuration of lb1: service all: check.port",
	} {
		p, err := plan.Parse("s.scn", []byte("scenario s\n"+lines+"control gates\n@1s crash lb1\n@9s end\n"))
		if p == nil {
			t.Fatalf("%q: %v", lines, err)
		}
		got := Refused(p)
		if want == "" && len(got) > 0 || want != "" && (len(got) != 1 || !strings.HasPrefix(got.Error(), want)) {
			t.Errorf("%q: %v", lines, got)
		}
	}
}
