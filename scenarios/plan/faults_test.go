package plan

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestInvalidTargetsOfFaultsAreRefused: a target that does not fit the verb is refused, and the message points at it.
func TestInvalidTargetsOfFaultsAreRefused(t *testing.T) {
	for line, want := range map[string]string{
		"crash backend1\n@2s restore backend1":     "",
		"freeze backend1 lb2\n@2s thaw backend1":   "",
		"crash client1\n@2s restore client1":       "",
		"thaw client1":                             `:10: thaw client1: client1 is not frozen; it needs an earlier freeze`,
		"down client1 via clients for 1s":          "",
		"down client1 via backends":                `:22: down client1 via backends: it has no such link; use clients`,
		"handover backend1":                        `:14: handover backend1: that is a backend, but the verb takes a load balancer; the form is: handover NODE...`,
		"crash backend3":                           `:11: no host "backend3": the topology has backends=2`,
		"crash bakend1":                            `:11: unknown host "bakend1"; did you mean "backend1"?`,
		"crash master":                             `:11: unknown host "master": use lb1, lb2, or a host such as client1 or backend1`,
		"mtu 1280 sync":                            `:5: "mtu" is not a step; the form is: limit [PACKETS] sync KEY=VALUE... [[every DURATION] for DURATION] | limit [PACKETS] FROM->TO|FROM<->TO [via LINK] KEY=VALUE... [[every DURATION] for DURATION]; KEY is rate|queue|mtu|oversize; did you mean "limit"?`,
		"down lb1 via sync for 1s":                 "",
		"down lb1":                                 `:5: down on which link? Links are clients, backends, sync; the form is: down HOST via LINK [[every DURATION] for DURATION] | down LINK [[every DURATION] for DURATION]`,
		"down backend1 via sync":                   `:23: down backend1 via sync: it has no such link; use backends`,
		"up lb1 via sync":                          `:8: up lb1 via sync: it is already up; it needs an earlier down`,
		"freeze lb1 for 1s\n@1500ms handover lb1":  `:18: handover lb1: lb1 cannot hand over: it is frozen`,
		"crash lb1->lb2":                           `:11: lb1->lb2 is not a host; the form is: crash HOST... [[every DURATION] for DURATION]`,
		"crash lb1 via sync":                       `:19: crash takes no via; the form is: crash HOST... [[every DURATION] for DURATION]`,
		"thaw backend1":                            `:10: thaw backend1: backend1 is not frozen; it needs an earlier freeze`,
		"crash backend1\n@2s expect lb1 is Master": "",
		"crash lb1 fr 2s":                          `:15: unexpected "fr"; the form is: crash HOST... [[every DURATION] for DURATION]; did you mean "for"?`,
		"crash lb1 2s":                             `:15: unexpected "2s"; the form is: crash HOST... [[every DURATION] for DURATION]; did you mean "for 2s"?`,
		"crash lb1 for 5s":                         `:15: restore lb1 ends at 6s, after the end at 3s (line 8); end later, or use a shorter for`,
		"reload lb1 backends=3":                    `:16: backends: the topology has backends=2`,
		"run client1 \"date for 1s":                `:17: the quote does not end on its line; the form is: run HOST "COMMAND" [as NAME] for DURATION`,
		"crash lb1 lb2\nexpect masters == 1":       `:8: masters == 1 can never be true: both nodes are down and not restored before it is judged`,
		"crash lb1 lb2\nexpect masters <= 1":       "",
		"crash lb1 lb2\nexpect masters == 1 within 2s\n@2s restore lb1": "",
	} {
		_, found := Check("s.scn", []byte(preamble+"@1s "+line+"\n@3s end\n"))
		errs := found.Errors(true)
		switch {
		case want == "" && len(errs) > 0, want != "" && (len(errs) != 1 || !strings.HasSuffix(errs[0].String(), want)):
			t.Errorf("%q: %v, want %q", line, errs, want)
		}
	}
}

// steps are the times and texts of a plan's steps.
func steps(p *Plan) (list []string) {
	for _, s := range p.Steps {
		list = append(list, formatDuration(s.At)+" "+s.String())
	}
	return list
}

// TestStepsThatAreWrittenOut: for and repeat become steps in order of time, after the
// steps and claims written at the same time.
func TestStepsThatAreWrittenOut(t *testing.T) {
	p := mustParse(t, preamble+`@1s  cut lb1<->clients for 500ms
     expect masters == 1
@1500ms crash backend1
     expect rst == 0
@2s  repeat 3 every 1s {
     @0s    lose 5% bfd lb1->lb2 via sync for 200ms
     @500ms cut bfd
            expect masters == 1
     @700ms heal
}
@6s  end
`)
	want := []string{"1s cut lb1<->clients", "1s expect masters == 1", "1500ms crash backend1", "1500ms expect rst == 0", "1500ms heal lb1<->clients"}
	for n := 2; n < 5; n++ {
		at := func(ms int) string {
			return formatDuration(time.Duration(n)*time.Second + time.Duration(ms)*time.Millisecond)
		}
		want = append(want, at(0)+" lose 0.05 bfd lb1->lb2 via sync", at(200)+" heal bfd lb1->lb2 via sync", at(500)+" cut bfd lb1<->lb2",
			at(500)+" expect masters == 1", at(700)+" heal")
	}
	want = append(want, "6s end")
	got := steps(p)
	if diff := cmp.Diff(want, got[len(got)-len(want):]); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestPeriodicFaultsAlternateWithTheirUndoing(t *testing.T) {
	for line, want := range map[string][]string{
		"flap lb1 via clients every 200ms for 500ms": {"1s down lb1 via clients", "1100ms up lb1 via clients", "1200ms down lb1 via clients", "1300ms up lb1 via clients"},
		"down clients every 400ms for 400ms":         {"1s down clients", "1200ms up clients"},
		"lose 5% sync every 100ms for 200ms":         {"1s lose 0.05 lb1<->lb2 via sync", "1050ms heal lb1<->lb2 via sync", "1100ms lose 0.05 lb1<->lb2 via sync", "1150ms heal lb1<->lb2 via sync"},
	} {
		p := mustParse(t, preamble+"@1s "+line+"\n     expect rst == 0\n@3s end\n")
		got := slices.DeleteFunc(steps(p), func(s string) bool { return strings.Contains(s, "expect") || strings.HasSuffix(s, " end") })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", line, diff)
		}
	}
}

func TestInvalidRepeatsAndFaultsAreRefused(t *testing.T) {
	for lines, want := range map[string]string{
		"@1s repeat 2 every 1s {\n@2s end":                                       "the repeat has no end: a line with }",
		"}\n@2s end":                                                             "this } ends no repeat",
		"@1s repeat 2 every 1s {\n}\n@2s end":                                    "the repeat has no steps",
		"@1s repeat 0 every 1s {\n@0s crash lb1\n}\n@2s end":                     "repeat: 0 is not a whole number from 1 to 1000",
		"@1s repeat 2 every 1s {\n@2s crash lb1\n}\n@9s end":                     "the step at 2s is later than the next repetition, which begins after 1s",
		"@1s repeat 2 every 1s {\n@0s repeat 2 every 1s {\n@0s heal\n}\n@9s end": "a repeat within the repeat of line 7",
		"@1s freeze lb1 for 0s\n@9s end":                                         "for 0s ends the fault as it begins",
		"@1s sleep 5s\n@9s end":                                                  "no line says how long to pause: the time of the next one does",
		"@1s handover lb1 for 1s\n@9s end":                                       "handover has no duration, so it takes no for",
		"@1s lose lb1->lb2\n@9s end":                                             "lose what? The form is: lose SHARE [PACKETS] sync",
		"@1s lose 0% lb1->lb2\n@9s end":                                          "0% has no effect",
		"@1s lose 105% lb1->lb2\n@9s end":                                        "is not a share from 0 to 1",
		"@1s flap lb1 via sync\n@9s end":                                         "7:5: flap every how long? The form is: flap HOST via LINK every DURATION for DURATION | flap LINK every DURATION for DURATION",
		"@1s flap sync every 1s\n@9s end":                                        "7:21: every 1s for how long? Add for DURATION",
		"@1s flap sync every 2s for 1s\n@9s end":                                 "7:21: every 2s for 1s is outside of 1 to 1000 repetitions",
		"@1s handover lb1 every 1s for 2s\n@9s end":                              "handover has no duration, so it takes no for",
		"@1s cut 5% lb1->lb2\n@9s end":                                           `unexpected "5%"`,
	} {
		_, found := Check("s.scn", []byte(preamble+lines+"\n"))
		if errs := found.Errors(true); len(errs) == 0 || !strings.Contains(fmt.Sprint(errs), want) {
			t.Errorf("%q: %v, want %q", lines, errs, want)
		}
	}
}

// TestAFaultThatEndsWhenAWaitStartsEndsFirst, because a wait stops the scenario's clock.
func TestAFaultThatEndsWhenAWaitStartsEndsFirst(t *testing.T) {
	p := mustParse(t, preamble+`@1s  cut sync for 1s
@2s  crash backend1
     expect masters == 1
     wait lb2 insync
@3s  end
`)
	want := []string{"1s cut lb1<->lb2 via sync", "2s crash backend1", "2s expect masters == 1", "2s heal lb1<->lb2 via sync", "2s wait lb2 insync within 10s", "3s end"}
	if diff := cmp.Diff(want, steps(p)[len(steps(p))-len(want):]); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestNoMoreFlowsThanThereArePorts: in each world that executes the line.
func TestNoMoreFlowsThanThereArePorts(t *testing.T) {
	for line, want := range map[string]string{
		"count=2500000": "",
		"count=3000000": "[netns]",
		"count=100000\ntraffic b flows udp service=dns count=1300000": "[netns]",
	} {
		_, found := Check("s.scn", []byte("scenario s\nservice dns udp 198.18.0.100:53\ntraffic a flows udp "+line+"\nalways masters <= 1\n@1s end\n"))
		errs := found.Errors(true)
		if want == "" && len(errs) > 0 || want != "" && (len(errs) == 0 || !strings.Contains(errs[0].String(), want)) {
			t.Errorf("%s: %v, want %q", line, errs, want)
		}
	}
}
