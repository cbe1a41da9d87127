package compare

import (
	"math"
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

// figures returns a suite of one scenario that ran ten times, with the same value each time.
func figures(values map[string]float64) *model.Suite {
	row := model.Row{Scenario: "crash", World: "netns", Plans: []string{"crash"}}
	for name, value := range values {
		f := model.Figure{Name: name}
		for range 10 {
			f.Values = append(f.Values, value)
		}
		row.Figures = append(row.Figures, f)
	}
	return &model.Suite{Rows: []model.Row{row}, Counts: map[string]int{"PASS": 10}, Environments: []model.Environment{{CPU: "x"}}}
}

func TestTheChangeIsRelativeToTheBaseline(t *testing.T) {
	for _, c := range []struct{ was, now, delta float64 }{
		{130, 156, 0.2}, {156, 130, -1. / 6}, {130, 130, 0}, {0, 0, 0}, {0, 40, 1}, {40, 0, -1},
	} {
		rows := Compare("a", "b", figures(map[string]float64{"takeover_ms": c.was}), figures(map[string]float64{"takeover_ms": c.now})).Rows
		if len(rows) != 1 || math.Abs(rows[0].Delta-c.delta) > 1e-9 {
			t.Errorf("from %v to %v: %+v, want a change of %v", c.was, c.now, rows, c.delta)
		}
	}
}

// TestAChangeMattersFromTheLeastOfItsMetric on, and from a twentieth of the baseline on.
func TestAChangeMattersFromTheLeastOfItsMetric(t *testing.T) {
	m := metricOf("takeover_ms")
	big := 100 * m.Least
	for _, c := range []struct {
		before, after float64
		want          bool
	}{
		{0, m.Least, true}, {0, m.Least - 0.001, false}, {m.Least, 0, true}, {1, 1, false},
		{big, big * (1 + Effect), true}, {big, big*(1+Effect) - 0.001, false}, {big, big * (1 - Effect), true},
	} {
		if got := matters(m, c.before, c.after); got != c.want {
			t.Errorf("from %v to %v ms matters: %v, want %v", c.before, c.after, got, c.want)
		}
	}
}

func TestAFigureOfOneSideIsNotCompared(t *testing.T) {
	one, both := figures(map[string]float64{"rst": 0}), figures(map[string]float64{"rst": 0, "takeover_ms": 130})
	for _, c := range [][2]*model.Suite{{one, both}, {both, one}} {
		if rows := Compare("a", "b", c[0], c[1]).Rows; len(rows) != 1 || rows[0].Metric != "rst" {
			t.Errorf("compared: %+v, want rst alone", rows)
		}
	}
}

// TestTheVerdictIsTheWorstOfTheRows: of those that could be judged.
func TestTheVerdictIsTheWorstOfTheRows(t *testing.T) {
	ten := func(level float64) (values []float64) {
		for i := range 10 {
			values = append(values, level+float64(i)/10)
		}
		return values
	}
	few := []float64{130}
	for _, c := range []struct {
		what string
		rows [][2][]float64
		want string
	}{
		{"one better, one worse", [][2][]float64{{ten(200), ten(130)}, {ten(130), ten(200)}}, model.Worse},
		{"one better, one as before", [][2][]float64{{ten(200), ten(130)}, {ten(130), ten(130)}}, model.Better},
		{"one as before, one with too few runs", [][2][]float64{{ten(130), ten(130)}, {few, few}}, model.Same},
		{"too few runs", [][2][]float64{{few, few}}, model.TooFew},
		{"nothing", nil, model.TooFew},
	} {
		comparison := &model.Comparison{}
		for _, row := range c.rows {
			comparison.Rows = append(comparison.Rows, change(key{scenario: "crash"}, metricOf("takeover_ms"), row[0], row[1]))
		}
		if judge(comparison); comparison.Verdict != c.want {
			t.Errorf("%s: %s, want %s", c.what, comparison.Verdict, c.want)
		}
	}
}

// TestNothingWeakensAComparisonOfLikeRuns: and other settings are said once. Virtual time does not depend on the machine.
func TestNothingWeakensAComparisonOfLikeRuns(t *testing.T) {
	values := map[string]float64{"takeover_ms": 130}
	if got := Compare("a", "b", figures(values), figures(values)).Remarks; len(got) != 0 {
		t.Errorf("remarks %q", got)
	}
	set := figures(values)
	set.Rows[0].Settings, set.Rows[0].Plans = []string{"bfd.tx=60ms"}, []string{"crash with bfd.tx=60ms"}
	if got := Compare("a", "b", figures(values), set).Remarks; len(got) != 1 || !strings.Contains(got[0], "was run with other settings") {
		t.Errorf("remarks %q, want the settings alone", got)
	}
	for world, want := range map[string]int{"netns": 1, "sim": 0} {
		was, now := figures(values), figures(values)
		was.Rows[0].World, now.Rows[0].World, now.Environments[0].CPU = world, world, "y"
		if got := Compare("a", "b", was, now).Remarks; len(got) != want {
			t.Errorf("%s on another machine: remarks %q, want %d", world, got, want)
		}
	}
}

// TestSettingsAreMatchedOnlyIfThereIsOneWay: of several nobody knows which the baseline is to be compared with.
func TestSettingsAreMatchedOnlyIfThereIsOneWay(t *testing.T) {
	with := func(settings ...string) *model.Suite {
		s := figures(map[string]float64{"takeover_ms": 130})
		row := s.Rows[0]
		s.Rows = nil
		for _, setting := range settings {
			row.Settings = []string{setting}
			s.Rows = append(s.Rows, row)
		}
		return s
	}
	one, two := with("bfd.tx=10ms"), with("bfd.tx=20ms", "bfd.tx=30ms")
	for _, c := range [][2]*model.Suite{{one, two}, {two, one}} {
		got := Compare("a", "b", c[0], c[1])
		said := strings.Join(got.Remarks, "; ")
		if len(got.Rows) != 0 || len(got.Remarks) != 3 || strings.Contains(said, "other settings") {
			t.Errorf("%d rows, remarks %q; want none compared, and each named", len(got.Rows), got.Remarks)
		}
	}
	unknown := with("bfd.tx=20ms")
	unknown.Environments = nil
	if got := Compare("a", "b", unknown, two).Remarks; !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "the baseline on an unknown machine") }) {
		t.Errorf("remarks %q, want one that the machine of the baseline is unknown", got)
	}
}
