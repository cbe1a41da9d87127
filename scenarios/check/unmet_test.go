package check

import (
	"slices"
	"testing"

	"baton/impl/trace"
)

// A cut or loss of some packets that drops none is listed beside the verdict, because the run proves
// nothing about it.
func TestAFaultThatTookNoPacketIsTold(t *testing.T) {
	for _, test := range []struct {
		name, verb, target string
		loss               trace.Loss
		at                 float64
		want               []string
	}{
		{"took none", "cut", "web lb1->backend1", trace.Loss{}, 0, []string{"cut web lb1->backend1 at +4.700s: it took no packet"}},
		{"took some", "cut", "web lb1->backend1", trace.Loss{Planned: true, Count: 7, Where: "web lb1>backend1 on backends"}, 4800, nil},
		{"took some at once", "cut", "web lb1->backend1", trace.Loss{Planned: true, Count: 7, Where: "web lb1>backend1 on backends"}, 4700, nil},
		{"took some one way", "lose", "web lb1<->backend1", trace.Loss{Planned: true, Count: 7, Where: "web backend1>lb1 on backends"}, 4800, nil},
		{"lost otherwise", "lose", "web lb1->backend1", trace.Loss{Count: 7, Where: "web lb1>backend1 on backends"}, 4800, []string{"lose web lb1->backend1 at +4.700s: it took no packet"}},
		{"another took some", "cut", "web lb1->backend1", trace.Loss{Planned: true, Count: 7, Where: "lb1>backend1 on backends"}, 4800, []string{"cut web lb1->backend1 at +4.700s: it took no packet"}},
		{"an earlier one took some", "cut", "web lb1->backend1", trace.Loss{Planned: true, Count: 7, Where: "web lb1>backend1 on backends"}, 4600, []string{"cut web lb1->backend1 at +4.700s: it took no packet"}},
		{"of no direction", "cut", "", trace.Loss{}, 0, nil},
		{"of all packets", "cut", "lb1->backend1", trace.Loss{}, 0, nil},
		{"no packet was longer", "limit", "lb1->backend1 mtu=1280", trace.Loss{}, 0, []string{"limit lb1->backend1 mtu=1280 at +4.700s: it took no packet"}},
		{"some were longer", "limit", "lb1->backend1 mtu=1280", trace.Loss{Planned: true, Count: 3, Where: "lb1>backend1 on backends"}, 4800, nil},
		{"a rate, which delays", "limit", "lb1->backend1 rate=10mbit", trace.Loss{}, 0, nil},
		{"a delay", "delay", "web lb1->backend1", trace.Loss{}, 0, nil},
	} {
		tape := crash()
		tape.struck(4700, test.verb, test.target)
		if test.at > 0 {
			tape.add(test.at, "", trace.Event{Kind: trace.KindLoss, Loss: &test.loss})
		}
		if v := judged(scenario(t, "always masters <= 1", "", ""), tape); !slices.Equal(v.NotExecuted, test.want) {
			t.Errorf("%s: %q, want %q", test.name, v.NotExecuted, test.want)
		}
	}
}
