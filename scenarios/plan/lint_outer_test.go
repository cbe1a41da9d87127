package plan

import (
	"strings"
	"testing"
)

// TestOuterHeadersNeedDSRIPIP: other packets have none.
func TestOuterHeadersNeedDSRIPIP(t *testing.T) {
	for mode, want := range map[string]string{
		"dsr-ipip": "", "dsr-l2": `w.scn:2:45: service "web": outer has no effect with mode=dsr-l2`, "fullnat": `w.scn:2:46: service "web": outer has no effect with mode=fullnat`,
	} {
		_, found := Check("w.scn", []byte("scenario s\nservice web tcp 198.18.0.100:80 mode="+mode+" outer=ipv6\nalways masters <= 1\n@9s end\n"))
		if want == "" && len(found) > 0 || !strings.HasPrefix(found.Error(), want) || len(found.Errors(false)) != min(len(want), 1) {
			t.Errorf("%s: %v", mode, found)
		}
	}
}

// TestALabHasTheFamiliesOfVIPsAndBackends, whichever of them has IPv6.
func TestALabHasTheFamiliesOfVIPsAndBackends(t *testing.T) {
	for service, want := range map[string]struct{ ipv6, across bool }{
		"198.18.0.100:80 mode=dsr-ipip": {}, "198.18.0.100:80 mode=dsr-ipip outer=ipv4": {},
		"198.18.0.100:80 mode=dsr-ipip outer=ipv6": {true, true}, "[2001:2::100]:80 mode=dsr-ipip outer=ipv4": {true, true},
		"[2001:2::100]:80 mode=dsr-ipip outer=ipv6": {true, false},
	} {
		p, found := Check("w.scn", []byte("scenario s\nservice web tcp "+service+"\nalways masters <= 1\n@9s end\n"))
		if len(found) > 0 || p.Lab().IPv6 != want.ipv6 || p.Services[0].Across() != want.across {
			t.Errorf("%s: %v, IPv6: %v, across: %v", service, found, p.Lab().IPv6, p.Services[0].Across())
		}
		if again, found := Check("w.scn", []byte(Print(p))); len(found) > 0 || again.Services[0].Outer != p.Services[0].Outer {
			t.Errorf("%s is printed as %s", service, Print(p))
		}
	}
}
