package scoreboard

import (
	"strings"
	"testing"

	"baton/scenarios/check"
)

func run(subject string, outcome check.Outcome, dir string, metrics check.Metrics) Run {
	return Run{Scenario: "crash", Subject: subject, Dir: "/out/" + dir, Verdict: check.Verdict{Verdict: outcome, Metrics: metrics}}
}

// TestTheBoard: medians of times, the worst of counts, a star for the best and what is as
// good, a multiple for the rest, and nothing of runs that prove nothing.
func TestTheBoard(t *testing.T) {
	b := New([]Run{
		run("a", check.Pass, "a", check.Metrics{"takeover_ms": 100, "rst": 0, "lost": 0}),
		run("b", check.Pass, "b", check.Metrics{"takeover_ms": 250, "rst": 0, "lost": 0, "handover_ms": 5}),
		run("a", check.Pass, "a.2", check.Metrics{"takeover_ms": 140, "rst": 0, "lost": 0}),
		run("b", check.Fail, "b.2", check.Metrics{"takeover_ms": 250, "rst": 7, "lost": 3}),
		run("a", check.Pass, "a.3", check.Metrics{"takeover_ms": 125.04, "rst": 0, "lost": 0}),
		run("b", check.Inconclusive, "b.3", check.Metrics{"takeover_ms": 9000, "rst": 99, "lost": 99}),
		run("c", check.Pass, "c", check.Metrics{"takeover_ms": 125.9, "rst": 0, "lost": 0}),
		run("d", check.Skip, "d", nil),
	})
	var text, page strings.Builder
	if err := b.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	want := `scenario  subject  verdict                         takeover ms  handover ms  udp gap ms  tcp stall p50 ms  gap tcp max ms  RST  lost
crash     a        PASS                            125.0 *      –            –           –                 –               0 *  0 *
          b        1 FAIL, 1 INCONCLUSIVE, 1 PASS  250 ×2.0     5            –           –                 –               7    3
          c        PASS                            125.9 *      –            –           –                 –               0 *  0 *
          d        SKIP                            –            –            –           –                 –               –    –
`
	if got := text.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if err := b.WriteMarkdown(&page, "/out"); err != nil {
		t.Fatal(err)
	}
	for _, cell := range []string{"| crash | a | [PASS](a/) | [125.0 *](a.3/) | – |", "[250 ×2.0](b.2/) | [5](b/)", "[7](b.2/) | [3](b.2/)"} {
		if !strings.Contains(page.String(), cell) {
			t.Errorf("no %q in\n%s", cell, page.String())
		}
	}
}
