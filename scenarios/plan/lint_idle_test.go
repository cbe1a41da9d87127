package plan

import (
	"strings"
	"testing"
)

// TestLintWarnsOfSettingsWithoutEffect: lint warns of each key of the table in a scenario that lacks
// what the key needs, but not if the scenario has it or leaves the key at its default.
func TestLintWarnsOfSettingsWithoutEffect(t *testing.T) {
	const (
		tcp    = "service web tcp 198.18.0.100:80\n"
		direct = "service web tcp 198.18.0.100:80 mode=dsr-l2\n"
		udp    = "service dns udp 198.18.0.100:53\n"
		dnat   = "service web tcp 198.18.0.100:80 mode=dnat\n"
	)
	tests := map[string]struct{ value, idle, used string }{
		"sync.defer":               {"established", direct, dnat},
		"sync.defer_limit":         {"10ms", tcp, tcp + "config sync.defer=established\n"},
		"snat_ports":               {"20000-30000", dnat, tcp},
		"limits.syn_challenge":     {"5", udp, direct},
		"timeouts.direct_fin_wait": {"5s", tcp + udp, direct},
		"timeouts.fin_wait":        {"5s", direct + udp, tcp},
		"timeouts.syn_sent":        {"5s", udp, direct},
		"timeouts.established":     {"5s", udp, tcp},
		"timeouts.closed":          {"5s", udp, tcp},
		"timeouts.unreplied":       {"5s", tcp, udp},
		"timeouts.assured":         {"5s", direct, udp},
		"track.every":              {"50ms", tcp, tcp + "config track.targets=backends\n"},
		"track.misses":             {"5", tcp, tcp + "config arbiter.gateway=client1\n"},
		"check.interval":           {"3s", tcp, tcp + "config check.type=port\n"},
		"check.timeout":            {"30ms", tcp, tcp + "config check.type=port\n"},
		"check.rise":               {"5", tcp, tcp + "config check.type=port\n"},
		"check.fall":               {"5", tcp, tcp + "config check.type=port\n"},
		"check.jitter":             {"5", tcp, tcp + "config check.type=port\n"},
		"arbiter.policy":           {"keep-serving", tcp, tcp + "[sim] config arbiter.validity=1s\n"},
	}
	rules := 0
	for _, rule := range idles {
		for _, key := range rule.keys {
			rules++
			test, ok := tests[key]
			if !ok {
				t.Errorf("no test of %s", key)
				continue
			}
			said := func(lines, value string) string {
				_, found := Check("w.scn", []byte("scenario s\nconfig "+key+"="+value+"\n"+lines+"always masters <= 1\n@1s crash lb1\n@9s end\n"))
				if len(found.Errors(false)) > 0 {
					t.Errorf("%s: %v", key, found)
				}
				return found.Error()
			}
			k, _ := KeyOf(key)
			if got := said(test.idle, test.value); got != "w.scn:2:8: warning: "+key+" has no effect: it needs "+rule.needs+"; add that, or leave it out" {
				t.Errorf("%s without what it needs: %q", key, got)
			}
			for lines, value := range map[string]string{test.used: test.value, test.idle: k.Default} {
				if got := said(lines, value); got != "" {
					t.Errorf("%s=%s in %q: %s", key, value, lines, got)
				}
			}
		}
	}
	if rules != len(tests) {
		t.Errorf("%d keys have rules, %d have tests", rules, len(tests))
	}
}

// TestASettingOfOneWorldOrNodeIsJudgedThere: it does not help if only the other world or the other node
// has what the key needs.
func TestASettingOfOneWorldOrNodeIsJudgedThere(t *testing.T) {
	for lines, idle := range map[string]bool{
		"config lb1 check.rise=5\nconfig lb2 check.type=port\n":       true,
		"config lb1 check.rise=5\nconfig lb1 check.type=port\n":       false,
		"[sim] config check.rise=5\n[netns] config check.type=port\n": true,
		"config check.rise=5\n[netns] config check.type=port\n":       false,
		"config subject=keepalived sync.defer_limit=7ms\n":            false,
	} {
		_, found := Check("w.scn", []byte("scenario s\nservice web tcp 198.18.0.100:80\n"+lines+"always masters <= 1\n@1s crash lb1\n@9s end\n"))
		if got := strings.Contains(found.Error(), "has no effect"); got != idle {
			t.Errorf("%q: %v", lines, found)
		}
	}
}

// TestSNATAddressesNeedFullNAT
func TestSNATAddressesNeedFullNAT(t *testing.T) {
	for mode, want := range map[string]string{
		"fullnat": "", "dsr-l2": `w.scn:2:45: service "web": snat has no effect with mode=dsr-l2`, "dnat": `w.scn:2:43: service "web": snat has no effect with mode=dnat`,
	} {
		_, found := Check("w.scn", []byte("scenario s\nservice web tcp 198.18.0.100:80 mode="+mode+" snat=2\nalways masters <= 1\n@9s end\n"))
		if want == "" && len(found) > 0 || !strings.HasPrefix(found.Error(), want) || len(found.Errors(false)) != min(len(want), 1) {
			t.Errorf("%s: %v", mode, found)
		}
	}
}
