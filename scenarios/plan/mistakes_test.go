package plan

import (
	"strings"
	"testing"
)

// The messages translate the habits of other programs: their units, their comparisons, a duration
// without for. A suggestion is made only if it is valid itself.
func TestMistakesOfOtherProgramsAreTranslated(t *testing.T) {
	for _, test := range []struct{ line, says, meant string }{
		{"@2s limit lb2->clients rate=10Mbps", `:29: rate: "10Mbps" is not a rate such as 10mbit or 30/s`, "10mbit"},
		{"@2s limit lb2->clients rate=1.5Gbit/s", `rate: "1.5Gbit/s" is not a rate such as 10mbit or 30/s`, "1.5gbit"},
		{"@2s limit lb2->clients rate=512kb/s", `rate: "512kb/s" is not a rate such as 10mbit or 30/s`, "512kbit"},
		{"@2s limit lb2->clients rate=10MB/s", `rate: "10MB/s" is not a rate such as 10mbit or 30/s`, ""},
		{"@2s limit lb2->clients rate=100pps", `rate: "100pps" is not a rate such as 10mbit or 30/s`, "100/s"},
		{"@2s limit lb2->clients rate=10", `rate: "10" is not a rate such as 10mbit or 30/s`, "10mbit"},
		{"@2s limit lb2->clients rate=fast", `rate: "fast" is not a rate such as 10mbit or 30/s`, ""},
		{"traffic p probe udp rate=2kpps", `rate: "2kpps" is not a rate such as 100/s`, "2k/s"},
		{"traffic p probe udp rate=2Mbps", `rate: "2Mbps" is not a rate such as 100/s`, ""},
		{"traffic b bulk tcp rate=10Mbps", `rate: "10Mbps" is not a rate such as 10mbit`, "10mbit"},
		{"traffic b bulk tcp rate=10pps", `rate: "10pps" is not a rate such as 10mbit`, ""},
		{"@2s lose 5 lb1<->lb2", "lose: 5 is not a share from 0 to 1", "5%"},
		{"@2s lose 500% lb1<->lb2", "lose: 500% is not a share from 0 to 1", ""},
		{"@2s starve lb2 cpu=50", "cpu: 50 is not a share from 0 to 1", "50%"},
		{"@2s freeze lb2 1500ms", `unexpected "1500ms"`, "for 1500ms"},
		{"@2s handover lb2 1500ms", `unexpected "1500ms"`, ""},
		{"@2s crash lb2 3", `unexpected "3"`, ""},
		{"always masters =< 1", `unknown comparison "=<"`, "<="},
		{"always masters => 1", `unknown comparison "=>"`, ">="},
		{"@2s expect lb2 == Master", "lb2 is a node, not a metric; the form is: lb2 is Master", ""},
	} {
		lines := []string{"scenario t", "service  web tcp 198.18.0.100:80", "service  dns udp 198.18.0.100:53", "traffic  web sessions count=10", "@0s wait lb1 is Master within 3s", "@20s end"}
		at := 3
		if strings.HasPrefix(test.line, "@") {
			at = 5
		}
		lines = append(lines[:at], append([]string{test.line}, lines[at:]...)...)
		_, all := Check("t.scn", []byte(strings.Join(lines, "\n")+"\n"))
		found := all.Errors(true)
		if len(found) == 0 || !strings.Contains(found[0].String(), test.says) || found[0].Suggestion != test.meant {
			t.Errorf("%s: %v", test.line, found)
		}
	}
}
