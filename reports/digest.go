package reports

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"baton/impl/trace"
	"baton/reports/load"
	"baton/reports/model"
	"baton/reports/sanitize"
	"baton/reports/timeline"
	"baton/scenarios/check"
	"baton/scenarios/coverage"
	"baton/scenarios/plan"
)

// rowKey identifies a row: runs with the same key are repeats.
type rowKey struct{ scenario, world, sut, settings string }

// claim is a claim of the scenario about a metric, with its line.
type claim struct {
	metric, text string
	line         int
}

// digest judges a run and keeps what the report needs.
func digest(run *load.Run) gathered {
	verdict, only := run.Verdict()
	sentences, cause := answer(run, verdict)
	g := gathered{problems: run.Problems, Run: model.Run{
		Dir: run.Dir, Verdict: string(verdict.Verdict), Answer: sentences, Cause: cause, Reasons: nonNil(verdict.Reasons), Checks: checks(run, verdict.Checks), Metrics: verdict.Metrics,
		Seed: run.Meta.Seed, Took: run.Took(), Events: len(run.Events), Environment: -1, Stored: storedVerdict(run, verdict, only),
	}}
	g.key = rowKey{orElse(run.Meta.Scenario, "unknown"), orElse(run.Meta.World, "unknown"), run.Meta.SUT, ""}
	if origin := run.Meta.Origin; origin != nil {
		g.key.settings = strings.Join(origin.Set, " ")
		g.Began, g.host = origin.Began, origin.Host
	}
	g.Replay = replay(run.Meta, run.Plan, run.Dir)
	if run.Plan != nil {
		g.doc, g.skipped = run.Plan.Doc, verdict.NotExecuted
		if run.Plan.IsControl(run.Meta.World) {
			g.control = run.Plan.Control
		}
		g.plan = fmt.Sprintf("%x", sha256.Sum256([]byte(plan.Print(run.Written))))[:12]
		g.claims = claims(run.Plan, run.Meta.World)
		if verdict.Verdict == check.Pass || verdict.Verdict == check.Fail {
			g.cells = coverage.Of(run.Plan, run.Meta.World, run.Events)
			g.sometimes = verdict.Sometimes
		}
	}
	for _, f := range run.Evidence.Files {
		g.Evidence = append(g.Evidence, model.Evidence{File: f.File, Kind: f.Kind, What: f.What, Bytes: f.Bytes, Cut: f.Cut})
	}
	for _, m := range run.Evidence.Missing {
		g.Missing = append(g.Missing, strings.Join(strings.Fields(m.Kind+" "+m.Edge+" "+m.Node), " ")+": "+m.Why)
	}
	return g
}

func checks(run *load.Run, from []check.Check) []model.Check {
	list := []model.Check{}
	for _, c := range from {
		shown := model.Check{Name: c.Name, Verdict: string(c.Verdict), Detail: c.Detail, Line: c.Line, Control: c.Control}
		if c.Failed != nil && len(run.Events) > 0 {
			start := timeline.Start(run.Events)
			shown.Failed = &model.Span{From: c.Failed.From.Sub(start).Microseconds(), To: c.Failed.To.Sub(start).Microseconds()}
		}
		list = append(list, shown)
	}
	return list
}

// storedVerdict returns the stored verdict of a run, nil if it equals the new one.
func storedVerdict(run *load.Run, now check.Verdict, only string) *model.Stored {
	if run.Stored == nil {
		if only == "" {
			return nil
		}
		return &model.Stored{Only: only, Reasons: []string{}}
	}
	s := &model.Stored{Verdict: string(run.Stored.Verdict), Reasons: nonNil(run.Stored.Reasons), Only: only}
	if only == "" {
		s.Changed = changed(run.Stored.Checks, now.Checks)
	}
	if only == "" && s.Verdict == string(now.Verdict) && len(s.Changed) == 0 {
		return nil
	}
	return s
}

// changed lists the checks whose verdict has changed. Checks of the same name are compared in order,
// because line numbers may refer to another file.
func changed(was, now []check.Check) []string {
	before, after := byName(was), byName(now)
	var list []string
	for _, name := range namesOf(was, now) {
		for i := range max(len(before[name]), len(after[name])) {
			old, new := at(before[name], i), at(after[name], i)
			if old != new {
				list = append(list, fmt.Sprintf("%s: %s, was %s", name, cmp.Or(string(new), "not judged"), cmp.Or(string(old), "not judged")))
			}
		}
	}
	return list
}

func byName(checks []check.Check) map[string][]check.Outcome {
	m := map[string][]check.Outcome{}
	for _, c := range checks {
		m[c.Name] = append(m[c.Name], c.Verdict)
	}
	return m
}

func namesOf(lists ...[]check.Check) []string {
	var names []string
	for _, c := range slices.Concat(lists...) {
		if !slices.Contains(names, c.Name) {
			names = append(names, c.Name)
		}
	}
	return names
}

func at(list []check.Outcome, i int) check.Outcome {
	if i < len(list) {
		return list[i]
	}
	return ""
}

// claims returns the plan's claims about metrics in the world.
func claims(p *plan.Plan, world string) []claim {
	var list []claim
	add := func(guard plan.Guard, line int, conds ...plan.Cond) {
		for _, c := range conds {
			if c.Compare != nil && guard.In(world) {
				list = append(list, claim{c.Compare.Metric, c.String(), line})
			}
		}
	}
	for _, a := range p.Always {
		add(a.Guard, a.Pos.Line, a.Cond)
	}
	for _, s := range p.Steps {
		if s.Expect != nil {
			add(s.Guard, s.Pos.Line, s.Expect.Conds...)
		}
	}
	return list
}

// replay returns the command that repeats the run: its original command line, or one derived from the
// trace. p is nil if no plan was kept.
func replay(m trace.Meta, p *plan.Plan, dir string) string {
	words := replayWords(m, p, dir)
	if m.World == plan.Netns {
		words = append([]string{"sudo"}, words...)
	}
	for i, word := range words {
		words[i] = quote(word)
	}
	return strings.Join(words, " ")
}

func replayWords(m trace.Meta, p *plan.Plan, dir string) []string {
	if o := m.Origin; o != nil && len(o.Args) > 0 {
		return append([]string{"baton", "run"}, o.Args...)
	}
	words := []string{"baton", "run", "--world", m.World, "--seed", strconv.FormatUint(m.Seed, 10)}
	if p != nil && len(p.Unsafe()) > 0 && !p.IsControl(m.World) {
		words = append(words, "--allow-unsafe")
	}
	file := dir + "/" + load.ScenarioFile
	if o := m.Origin; o != nil {
		for _, set := range o.Set {
			words = append(words, "--set", set)
		}
		file = orElse(o.File, file)
	}
	return append(words, file)
}

// quote quotes a word for a shell and replaces control characters.
func quote(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./=:,+@%", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(sanitize.Terminal(word), "'", `'\''`) + "'"
}

func orElse(s, other string) string { return cmp.Or(s, other) }

func nonNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
