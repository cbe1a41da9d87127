package scoreboard

import (
	"strings"
	"testing"

	"baton/scenarios/check"
	"baton/scenarios/plan"
)

// scenario is a plan with a number of sessions and steps.
func scenario(t *testing.T, name, count, steps string) *plan.Plan {
	t.Helper()
	p, err := plan.Parse("x.scn", []byte("scenario "+name+"\nservice web tcp 198.18.0.100:80\nservice dns udp 198.18.0.100:53\ntraffic web sessions tcp count="+count+
		"\ntraffic probe probe udp\nalways rst == 0\n@0s wait lb1 is Master within 3s\n"+steps+"\n@9s end\n"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func run(p *plan.Plan, subject string, outcome check.Outcome, dir string, metrics check.Metrics) Run {
	return Run{Plan: p, Subject: subject, Dir: "/out/" + dir, Verdict: check.Verdict{Verdict: outcome, Metrics: metrics}}
}

func text(t *testing.T, b Board) string {
	t.Helper()
	var out strings.Builder
	if err := b.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestEachScenario: times are medians, counts are the worst. The best value and its equals have a
// star, the others their multiple of it. Runs that prove nothing are left out.
func TestEachScenario(t *testing.T) {
	p := scenario(t, "crash", "10", "@1s crash lb1")
	b := Each([]Run{
		run(p, "a", check.Pass, "a", check.Metrics{"takeover_ms": 100, "rst": 0, "lost": 0}),
		run(p, "b", check.Pass, "b", check.Metrics{"takeover_ms": 250, "rst": 0, "lost": 0, "handover_ms": 5}),
		run(p, "a", check.Pass, "a.2", check.Metrics{"takeover_ms": 140, "rst": 0, "lost": 0}),
		run(p, "b", check.Fail, "b.2", check.Metrics{"takeover_ms": 250, "rst": 7, "lost": 3}),
		run(p, "a", check.Pass, "a.3", check.Metrics{"takeover_ms": 125.04, "rst": 0, "lost": 0}),
		run(p, "b", check.Inconclusive, "b.3", check.Metrics{"takeover_ms": 9000, "rst": 99, "lost": 99}),
		run(p, "c", check.Pass, "c", check.Metrics{"takeover_ms": 125.9, "rst": 0, "lost": 0}),
		run(p, "d", check.Skip, "d", nil),
	})
	want := `scenario  subject  verdict                         takeover ms  handover ms  udp gap ms  tcp stall p50 ms  gap tcp max ms  announced unready ms  two forwarders ms  restore gap ms  RST  lost
crash     a        3 PASS                          125.0 *      –            –           –                 –               –                     –                  –               0 *  0 *
          b        1 FAIL, 1 INCONCLUSIVE, 1 PASS  250 ×2.0     5            –           –                 –               –                     –                  –               7    3
          c        PASS                            125.9 *      –            –           –                 –               –                     –                  –               0 *  0 *
          d        SKIP                            –            –            –           –                 –               –                     –                  –               –    –
`
	if got := text(t, b); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	var page strings.Builder
	if err := b.WriteMarkdown(&page, "/out"); err != nil {
		t.Fatal(err)
	}
	for _, cell := range []string{"| crash | a | [3 PASS](a/) | [125.0 *](a.3/) | – |", "| [1 FAIL, 1 INCONCLUSIVE, 1 PASS](b.2/) | [250 ×2.0](b.2/) | [5](b/)", "[7](b.2/) | [3](b.2/)"} {
		if !strings.Contains(page.String(), cell) {
			t.Errorf("no %q in\n%s", cell, page.String())
		}
	}
}

// TestAllOfASubject: each column counts the scenarios that it is about. Scenarios without a column
// are left out, and takeovers are split by the number of connections.
func TestAllOfASubject(t *testing.T) {
	small, large := scenario(t, "small", "200", "@1s crash lb1"), scenario(t, "large", "10200", "@1s crash lb1")
	restore, stop := scenario(t, "restore", "100", "@1s crash lb1\n@3s restore lb1"), scenario(t, "stop", "100", "@1s stop lb1")
	var runs []Run
	for i, subject := range []string{"a", "b"} {
		add := func(p *plan.Plan, outcome check.Outcome, m check.Metrics) {
			for name := range m {
				m[name] *= float64(i + 1)
			}
			runs = append(runs, run(p, subject, outcome, subject+"/"+p.Name, m))
		}
		add(small, check.Pass, check.Metrics{"gap_udp_max_ms": 100, "gap_tcp_max_ms": 200, "takeover_ms": 90, "rst": 0, "dual_ms": 0})
		add(large, check.Pass, check.Metrics{"gap_udp_max_ms": 500, "gap_tcp_max_ms": 900, "takeover_ms": 300, "unready_ms": 70, "rst": 2, "dual_ms": 0})
		add(restore, check.Pass, check.Metrics{"gap_udp_max_ms": 700, "takeover_ms": 700, "restore_gap_ms": 20, "rst": 1, "dual_ms": 30})
		add(stop, check.Skip, nil)
	}
	b := Whole(runs)
	want := `subject                       a               b
verdicts                      1 SKIP, 3 PASS  1 SKIP, 3 PASS
crash: udp gap ms             100 *           200 ×2.0
crash: tcp stall worst ms     200 *           400 ×2.0
takeover, 200 connections ms  90 *            180 ×2.0
takeover, 10k connections ms  300 *           600 ×2.0
unready, 10k connections ms   70 *            140 ×2.0
restore: udp gap ms           20 *            40 ×2.0
two forwarders ms             30 *            60 ×2.0
RST                           2 *             4 ×2.0
`
	if got := text(t, b); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	var page strings.Builder
	if err := b.WriteMarkdown(&page, "/out"); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"| subject | a | b |\n| --- | --- | --- |\n| verdicts | [1 SKIP, 3 PASS](a/stop/) | [1 SKIP, 3 PASS](b/stop/) |\n",
		"| unready, 10k connections ms | [70 *](a/large/) | [140 ×2.0](b/large/) |\n",
	} {
		if !strings.Contains(page.String(), line) {
			t.Errorf("no %q in\n%s", line, page.String())
		}
	}
}
