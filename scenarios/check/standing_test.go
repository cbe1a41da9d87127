package check

import (
	"slices"
	"strings"
	"testing"

	"baton/impl/trace"
	"baton/scenarios/plan"
)

// Totals come once a second. Sessions that open or end in between count at once. A session that was in
// the totals before its first answer counts only once.
func TestSessionsAreCountedBetweenTheirTotals(t *testing.T) {
	totals := func(at float64, sessions int) func(*tape) {
		return func(t *tape) {
			t.totals(at, trace.Totals{Name: "web", Kind: plan.Sessions, Proto: "tcp", Sessions: sessions, Opened: sessions, Received: 9})
		}
	}
	event := func(at float64, flow, what string) func(*tape) {
		return func(t *tape) { t.traffic(at, "web", flow, what, "") }
	}
	both := func(t *tape) {
		event(1000, "client1/0", trace.TrafficOpened)(t)
		event(1000, "client1/1", trace.TrafficOpened)(t)
	}
	for _, test := range []struct {
		name  string
		edits []func(*tape)
		want  Outcome
		says  string
	}{
		{"none has had an answer since the totals", []func(*tape){totals(2500, 2)}, Pass, "actual 2"},
		{"one too many at the begin of the window", []func(*tape){totals(2500, 3), event(2900, "client1/0", trace.TrafficDone)}, Fail, "actual 3"},
		{"as many as the totals", []func(*tape){both, totals(2500, 2)}, Pass, "actual 2"},
		{"all have opened since the totals", []func(*tape){totals(2500, 0), event(2600, "client1/7", trace.TrafficOpened), event(2610, "client1/8", trace.TrafficOpened)}, Pass, "actual 2"},
		{"one more than the totals", []func(*tape){both, totals(2500, 2), event(2600, "client1/7", trace.TrafficOpened)}, Fail, "actual 3"},
		{"one less than the totals", []func(*tape){both, totals(2500, 2), event(3000, "client1/0", trace.TrafficLost)}, Fail, "actual 1: at +3.000s"},
		{"one has ended and another opened", []func(*tape){both, totals(2500, 2), event(2600, "client1/0", trace.TrafficDone), event(2700, "client1/7", trace.TrafficOpened)}, Pass, "actual 2"},
		{"the totals have one before its first answer, and another had ended", []func(*tape){both, event(1100, "client1/0", trace.TrafficDone), totals(2500, 2), event(2600, "client1/7", trace.TrafficOpened)}, Pass, "actual 2"},
		{"the totals have one before its first answer", []func(*tape){totals(2500, 1), event(2600, "client1/7", trace.TrafficOpened), event(2610, "client1/8", trace.TrafficOpened)}, Pass, "actual 2"},
	} {
		tape := crash()
		tape.without(func(e trace.Event) bool {
			return e.Totals != nil && e.Totals.Name == "web" && e.At < ms(6000) || e.Traffic != nil
		})
		for _, edit := range test.edits {
			edit(tape)
		}
		verdict := judged(scenario(t, "", "@2500ms expect sessions == 2 throughout 500ms", ""), tape)
		i := slices.IndexFunc(verdict.Checks, func(c Check) bool { return c.Name == "sessions" })
		if i < 0 || verdict.Checks[i].Verdict != test.want || !strings.Contains(verdict.Checks[i].Detail, test.says) {
			t.Errorf("%s: %s", test.name, show(verdict))
		}
	}
}
