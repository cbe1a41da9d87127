package compare

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"baton/reports/model"
)

// suite returns repeats of scenarios with the given takeover time and noise of 4 %. The other
// figures are constant.
func suite(r *rand.Rand, repeats int, takeover float64) *model.Suite {
	s := &model.Suite{Counts: map[string]int{"PASS": repeats}, Environments: []model.Environment{{Arch: "amd64", CPU: "x", Cores: 2, Kernel: "6.9"}}}
	for _, name := range []string{"crash", "freeze", "restore", "stop"} {
		row := model.Row{Scenario: name, World: "netns", Plans: []string{name}}
		for _, m := range []struct {
			name  string
			level float64
		}{{"takeover_ms", takeover}, {"detect_ms", 120}, {"gap_udp_max_ms", 125}, {"gap_tcp_p50_ms", 100}, {"rst", 0}, {"lost", 0}} {
			f := model.Figure{Name: m.name}
			for range repeats {
				f.Values = append(f.Values, m.level*(1+0.04*r.NormFloat64()))
			}
			row.Figures = append(row.Figures, f)
		}
		s.Rows = append(s.Rows, row)
	}
	return s
}

// TestEqualDistributionsAreSeldomReportedAsDifferent: at most in a share Alpha of 2000 pairs.
func TestEqualDistributionsAreSeldomReportedAsDifferent(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	const pairs = 2000
	other := 0
	for range pairs {
		if c := Compare("a", "b", suite(r, 10, 130), suite(r, 10, 130)); c.Verdict != model.Same {
			other++
		}
	}
	if other > pairs*Alpha {
		t.Errorf("%d of %d equal pairs were reported as different", other, pairs)
	}
}

// TestAFifthSlowerIsWorse expects that 10 repeats show it in each scenario, and that other figures
// differ no more often than alpha allows.
func TestAFifthSlowerIsWorse(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	const rounds = 200
	for _, c := range []struct {
		was, now float64
		want     string
	}{{130, 156, model.Worse}, {156, 130, model.Better}} {
		wrong := 0
		for range rounds {
			found := Compare("a", "b", suite(r, 10, c.was), suite(r, 10, c.now))
			for _, row := range found.Rows {
				switch {
				case row.Metric == "takeover_ms" && row.Verdict != c.want:
					t.Fatalf("%s: %s (%s)", row.Scenario, row.Verdict, row.Why)
				case row.Metric != "takeover_ms" && row.Verdict != model.Same:
					wrong++
				}
			}
			if c.want == model.Worse && found.Verdict != model.Worse {
				t.Fatalf("verdict %s", found.Verdict)
			}
		}
		if wrong > rounds*Alpha {
			t.Errorf("%d other figures were told apart in %d comparisons", wrong, rounds)
		}
	}
}

func TestASmallChangeDoesNotMatter(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	if c := Compare("a", "b", suite(r, 200, 130), suite(r, 200, 134)); c.Verdict != model.Same {
		t.Errorf("3 %% with 200 repeats: %s", c.Verdict)
	}
}

func TestTooFewRunsGiveNoVerdict(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	c := Compare("a", "b", suite(r, 3, 130), suite(r, 3, 260))
	if c.Verdict != model.TooFew || !strings.Contains(c.Rows[0].Why, "3 and 3 runs") {
		t.Errorf("verdict %s: %+v", c.Verdict, c.Rows[0])
	}
}

func TestRemarksNameWhatWeakensAComparison(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	was, now := suite(r, 10, 130), suite(r, 10, 130)
	now.Environments[0].CPU = "y"
	now.Rows[0].Plans = []string{"changed"}
	now.Rows[1].Scenario = "new"
	now.Counts["FAIL"] = 2
	now.Problems = []model.Problem{{}}
	remarks := Compare("a", "b", was, now).Remarks
	for _, want := range []string{"another machine", "crash (netns) is another scenario", "freeze (netns) is in the baseline only", "new (netns) has no baseline",
		"2 of 12 runs of the new runs did not pass", "1 problem with the input of the new runs"} {
		if !slices.ContainsFunc(remarks, func(s string) bool { return strings.Contains(s, want) }) {
			t.Errorf("no remark says %q: %q", want, remarks)
		}
	}
}

// TestOtherSettingsAreComparedAndSaid: the changed setting is often the subject of the comparison.
func TestOtherSettingsAreComparedAndSaid(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	was, now := suite(r, 10, 130), suite(r, 10, 156)
	now.Rows[2].Settings = []string{"bfd.tx=60ms"}
	c := Compare("a", "b", was, now)
	at := slices.IndexFunc(c.Rows, func(row model.Change) bool {
		return row.Scenario == "restore bfd.tx=60ms" && row.Metric == "takeover_ms"
	})
	if at < 0 || c.Rows[at].Verdict != model.Worse || !slices.Contains(c.Remarks, "restore (netns) was run with other settings: bfd.tx=60ms, was none") {
		t.Errorf("row %d, remarks %q", at, c.Remarks)
	}
}
