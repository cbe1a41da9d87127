package plan

import (
	"strings"
	"testing"
)

func TestRoundTripsAreOfAWholeRun(t *testing.T) {
	text := "scenario s\nservice web tcp 198.18.0.100:80\ntraffic web sessions\nalways rtt_p99_ms(web) < 5ms\n" +
		"@0s wait lb1 is Master within 3s\n@3s crash lb1\nexpect rtt_p50_ms < 1ms\n@4s end\n"
	_, found := Check("s.scn", []byte(text))
	if errs := found.Errors(true); len(errs) != 1 || errs[0].Pos.Line != 7 || !strings.Contains(errs[0].Message, "use always") {
		t.Errorf("%v, want one at line 7", errs)
	}
}

func TestTrafficTimesAreWithinTheScenario(t *testing.T) {
	for keys, want := range map[string]string{
		"from=1s until=2s":  "",
		"until=2s":          "",
		"from=2s until=1s":  `traffic "web" stops at 1s, but starts at 2s`,
		"from=1s until=1s":  `traffic "web" stops at 1s, but starts at 1s`,
		"from=4s":           `traffic "web" starts or stops at 4s, not before the end at 4s`,
		"from=1s until=10s": `traffic "web" starts or stops at 10s, not before the end at 4s`,
	} {
		text := "scenario s\nservice web tcp 198.18.0.100:80\ntraffic web sessions " + keys + "\n@0s wait lb1 is Master within 3s\n@3s crash lb1\n@4s end\n"
		_, found := Check("s.scn", []byte(text))
		errs := found.Errors(true)
		switch {
		case want == "" && len(errs) > 0:
			t.Errorf("%s: %v", keys, errs)
		case want != "" && (len(errs) != 1 || !strings.Contains(errs[0].Message, want)):
			t.Errorf("%s: %v, want %q", keys, errs, want)
		}
	}
}

// TestTrafficOfOneClient: it is one of the topology, and another has nothing to end then.
func TestTrafficOfOneClient(t *testing.T) {
	for line, want := range map[string]string{
		"traffic web sessions client=client1\n":                    "",
		"traffic web sessions client=client2\n":                    `no host "client2": the topology has clients=1`,
		"traffic web sessions client=backend1\n":                   `traffic "web": backend1 is a backend, but traffic comes from a client`,
		"traffic web sessions client=cliant1\n":                    `unknown host "cliant1"; did you mean "client1"?`,
		"topo pair clients=2\ntraffic web sessions client=client1": "kill client2: no traffic comes from it",
	} {
		text := "scenario s\nservice web tcp 198.18.0.100:80\n" + line + "\n@0s wait lb1 is Master\n"
		if strings.Contains(line, "clients=2") {
			text += "@1s kill client2\n"
		}
		_, found := Check("s.scn", []byte(text+"@3s end\n"))
		switch errs := found.Errors(true); {
		case want == "" && len(errs) > 0, want != "" && (len(errs) != 1 || !strings.HasSuffix(errs[0].String(), want)):
			t.Errorf("%q: %v, want %q", line, errs, want)
		}
	}
}

// TestFlowsThatRebind: of UDP alone, and no more often than they are asked.
func TestFlowsThatRebind(t *testing.T) {
	for line, want := range map[string]string{
		"udp every=200ms rebind=200ms": "",
		"udp rebind=500ms":             `traffic "q": each flow sends a request every 1s; rebind must not be shorter`,
		"tcp rebind=2s":                `traffic "q": a TCP connection cannot change its source port; use flows udp`,
	} {
		_, found := Check("s.scn", []byte("scenario s\nservice d udp 198.18.0.100:53\nservice w tcp 198.18.0.100:80\ntraffic q flows "+line+"\n@0s wait lb1 is Master\n@3s end\n"))
		if errs := found.Errors(true); want == "" && len(errs) > 0 || want != "" && (len(errs) != 1 || !strings.HasSuffix(errs[0].String(), want)) {
			t.Errorf("%q: %v, want %q", line, errs, want)
		}
	}
}
