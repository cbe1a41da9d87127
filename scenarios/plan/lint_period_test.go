package plan

import (
	"strings"
	"testing"

	"baton/impl/dataplane"
)

// An entry whose flow is used less often than it lives, less the second by which it may expire early,
// may be gone by the next packet.
func TestTrafficThatIsRarerThanItsTimeoutIsWarnedOf(t *testing.T) {
	if storedEvery != dataplane.SeenEvery {
		t.Errorf("lint counts with %s, the dataplane with %s", storedEvery, dataplane.SeenEvery)
	}
	const tcp, udp = "service web tcp 198.18.0.100:80\n", "service dns udp 198.18.0.100:53\n"
	for _, test := range []struct{ lines, says string }{
		{udp + "config timeouts.assured=2s\ntraffic f flows udp every=1500ms", `traffic "f" uses each flow every 1500ms, but an entry may expire 1s after a packet: timeouts.assured=2s less 1s; write at least timeouts.assured=2500ms`},
		{udp + "config subject=ucarp timeouts.assured=2s\ntraffic f flows udp every=1500ms", ""},
		{udp + "config timeouts.assured=2500ms\ntraffic f flows udp every=1500ms", ""},
		{udp + "config lb2 timeouts.assured=2s\ntraffic f flows udp every=1500ms", "may expire 1s after a packet"},
		{udp + "[sim] config timeouts.assured=2s\n[netns] traffic f flows udp every=1500ms\n[sim] traffic f flows udp every=500ms", ""},
		{udp + "config timeouts.assured=1500ms\ntraffic f flows udp", "uses each flow every 1s"},
		{udp + "config timeouts.assured=1s\ntraffic p probe udp rate=100/s", ""},
		{tcp + "config timeouts.established=2s\ntraffic s sessions every=1500ms", "timeouts.established=2s less 1s"},
		{tcp + "config timeouts.established=1200ms\ntraffic s sessions every=100ms", ""},
		{tcp + "traffic s sessions every=10s", ""},
	} {
		_, found := Check("t.scn", []byte("scenario t\n"+test.lines+"\nalways masters <= 1\n@0s wait lb1 is Master within 3s\n@60s end\n"))
		if errs := found.Errors(true); len(errs) > 0 {
			t.Fatalf("%s: %v", test.lines, errs)
		}
		if test.says == "" && len(found) > 0 || test.says != "" && (len(found) != 1 || !strings.Contains(found[0].Message, test.says)) {
			t.Errorf("%s: %v", test.lines, found)
		}
	}
}
