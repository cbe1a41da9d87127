package plan

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/scenarios/fault"
	"baton/scenarios/lab"
	"baton/scenarios/metric"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Generators of plans that can be written down, whether they make sense or not.

// aName is any name, or a word that the language has a use for itself.
func aName() *rapid.Generator[string] {
	return rapid.OneOf(rapid.StringMatching(`[a-z][a-z0-9_]{0,6}(-[a-z0-9]{1,3})?`), rapid.SampledFrom(languageWords()))
}

// aTarget is a name that may stand alone among the operands of a fault.
func aTarget() *rapid.Generator[string] {
	return aName().Filter(func(name string) bool { return !slices.Contains(reserved, name) })
}

// languageWords are the words that the grammar matches, that lines begin with, or that suggestions
// name.
func languageWords() []string {
	words := slices.Concat(directiveWords(), fault.Words(), exprNames, roles, named, kinds, protocols, links, lab.KindNames(), fault.FloodKindNames(), CheckNames())
	for _, d := range directives {
		words = append(words, d.words...)
	}
	for _, literal := range regexp.MustCompile(`"([a-z][a-z-]*)"`).FindAllStringSubmatch(grammar.String(), -1) {
		words = append(words, literal[1])
	}
	slices.Sort(words)
	return slices.Compact(words)
}

// A service may have any word of the language for its name, unless a fault that names the service
// would be read as another one: then its line is refused.
func TestNoServiceHasANameThatFaultsReadAsSomethingElse(t *testing.T) {
	words := languageWords()
	if len(words) < 100 {
		t.Fatalf("only %d words: %v", len(words), words)
	}
	hosts := []string{"lb1", "client1", "backend2", "client9"}
	for _, name := range append(words, hosts...) {
		text := "scenario s\ntopo pair\nservice " + name + " udp 198.18.0.100:53\n@0s wait lb1 is Master within 1s\n" +
			"@1s lose 5% " + name + " client1->lb1 for 1s\n@3s flood udp " + name + " from client1 rate=10/s for 1s\n@5s end\n"
		p, found := Check("t.scn", []byte(text))
		refused := slices.ContainsFunc(found, func(d Diagnostic) bool {
			return d.Pos == Pos{File: d.Pos.File, Line: 3, Column: 9} && strings.Contains(d.Message, "use another name")
		})
		var said []string
		for _, s := range p.Steps {
			switch {
			case s.Fault == nil || s.Verb == fault.Heal:
			case s.Fault.On != nil:
				said = append(said, s.Fault.On.String())
			default:
				said = append(said, s.Fault.To)
			}
		}
		if read := slices.Equal(said, []string{name + " client1->lb1", name}); !refused && !read {
			t.Errorf("service %q is accepted, but the faults are on %q: %v", name, said, found)
		} else if refused && read && slices.Contains(reserved, name) {
			t.Errorf("service %q is refused, but every fault reads it right", name)
		}
		if slices.Contains(hosts, name) && !refused {
			t.Errorf("service %q has the name of a host, and is accepted: %v", name, found)
		}
	}
}

func aTime() *rapid.Generator[time.Duration] {
	return rapid.Custom(func(t *rapid.T) time.Duration {
		unit := rapid.SampledFrom([]time.Duration{time.Nanosecond, time.Microsecond, time.Millisecond, time.Second}).Draw(t, "unit")
		return time.Duration(rapid.Int64Range(0, 5000).Draw(t, "n")) * unit
	})
}

func anExpr(isTime bool) *rapid.Generator[Expr] {
	return rapid.Custom(func(t *rapid.T) Expr {
		if !isTime {
			return Expr{[]Term{{Factor: float64(rapid.IntRange(0, 1000).Draw(t, "number"))}}}
		}
		var e Expr
		for i := range rapid.IntRange(1, 3).Draw(t, "terms") {
			term := durationTerm(aTime().Draw(t, "duration"))
			if rapid.Bool().Draw(t, "named") {
				term = Term{Factor: float64(rapid.IntRange(1, 4).Draw(t, "factor")), Name: rapid.SampledFrom(exprNames).Draw(t, "name")}
			}
			if i > 0 && term.Factor != 0 && rapid.Bool().Draw(t, "minus") {
				term.Factor = -term.Factor
			}
			e.Terms = append(e.Terms, term)
		}
		return e
	})
}

func aGuard() *rapid.Generator[Guard] {
	return rapid.SampledFrom([]Guard{"", "", "", Netns, Sim})
}

func aCond() *rapid.Generator[Cond] {
	return rapid.Custom(func(t *rapid.T) Cond {
		node, not := rapid.SampledFrom(nodes).Draw(t, "node"), rapid.Bool().Draw(t, "not")
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0:
			return Cond{Role: &RoleIs{Node: node, Role: rapid.SampledFrom(roles).Draw(t, "role"), Not: not}}
		case 1:
			return Cond{InSync: &InSync{Node: node, Not: not}}
		case 2:
			return Cond{Named: rapid.SampledFrom(named).Draw(t, "named")}
		case 3:
			return Cond{Output: &Output{Program: aName().Draw(t, "program"), Text: rapid.StringMatching(`[a-z #=$@]{1,12}`).Draw(t, "text"), Not: not}}
		}
		m := rapid.SampledFrom(metric.All()).Draw(t, "metric")
		c := &Compare{Metric: m.Name, Op: rapid.SampledFrom([]string{"<", "<=", "==", ">=", ">", "!="}).Draw(t, "op")}
		if (m.PerLine || m.PerProgram) && not {
			c.Arg = aName().Draw(t, "arg")
		}
		c.Value = anExpr(m.Unit == metric.Duration || m.Unit == metric.Milliseconds && not).Draw(t, "value")
		return Cond{Compare: c}
	})
}

func someConds() *rapid.Generator[[]Cond] { return rapid.SliceOfN(aCond(), 1, 3) }

func aTraffic() *rapid.Generator[Traffic] {
	return rapid.Custom(func(t *rapid.T) Traffic {
		tr := Traffic{Name: aName().Draw(t, "name"), Kind: rapid.SampledFrom(kinds).Draw(t, "kind"),
			Service: aName().Draw(t, "service"), Guard: aGuard().Draw(t, "guard"), Client: rapid.SampledFrom([]string{"", "client1"}).Draw(t, "client")}
		tr.Proto = rapid.SampledFrom(Protocols(tr.Kind)).Draw(t, "proto")
		switch tr.Kind {
		case Sessions:
			tr.Count = rapid.IntRange(1, maxCount).Draw(t, "count")
			tr.Every = max(aTime().Draw(t, "every"), time.Millisecond)
			tr.Half = rapid.Bool().Draw(t, "half")
		case Flows:
			tr.Count = rapid.IntRange(1, maxCount).Draw(t, "count")
			tr.Sample = rapid.IntRange(0, min(tr.Count, maxSample)).Draw(t, "sample")
			tr.Every = rapid.SampledFrom([]time.Duration{0, 100 * time.Millisecond}).Draw(t, "every")
			tr.Rebind = rapid.SampledFrom([]time.Duration{0, 2 * time.Second}).Draw(t, "rebind")
		case Connects:
			tr.Rate = float64(rapid.IntRange(1, 100000).Draw(t, "rate")) / 4
			tr.Closer, tr.Ports = rapid.SampledFrom([]string{"", CloseServer, CloseReset}).Draw(t, "closer"), rapid.IntRange(0, maxPorts).Draw(t, "ports")
		case Bulk:
			tr.Count, tr.Size = rapid.IntRange(1, maxCount).Draw(t, "count"), rapid.IntRange(1, maxSize).Draw(t, "size")
			tr.Rate = 1000 * float64(rapid.IntRange(1, 100000).Draw(t, "rate"))
			tr.Half, tr.Up = rapid.Bool().Draw(t, "half"), rapid.Bool().Draw(t, "up")
		default:
			tr.Rate = float64(rapid.IntRange(1, 100000).Draw(t, "rate")) / 4
		}
		tr.From, tr.Until = aTime().Draw(t, "from"), aTime().Draw(t, "until")
		return tr
	})
}

func aChaos() *rapid.Generator[Chaos] {
	return rapid.Custom(func(t *rapid.T) Chaos {
		key := rapid.SampledFrom(ChaosKeys).Draw(t, "key")
		c := Chaos{Key: key.Name, Guard: aGuard().Draw(t, "guard")}
		if key.OnLink {
			c.Link = rapid.SampledFrom(links).Draw(t, "link")
			c.From = rapid.SampledFrom([]string{"", "lb1", "client1"}).Draw(t, "from")
		}
		for _, text := range []string{"0.5", "5ms", "7"} {
			if canonical, err := key.quantity(text); err == nil {
				c.Value = canonical
			}
		}
		return c
	})
}

func aStep() *rapid.Generator[Step] {
	return rapid.Custom(func(t *rapid.T) Step {
		s := Step{At: aTime().Draw(t, "at"), Guard: aGuard().Draw(t, "guard")}
		window := anExpr(true).Draw(t, "window")
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			s.Verb, s.Wait = VerbWait, &Wait{Conds: someConds().Draw(t, "conds"), Within: window}
		case 1:
			s.Verb, s.Expect = VerbExpect, &Expect{Conds: someConds().Draw(t, "conds")}
			switch rapid.IntRange(0, 2).Draw(t, "for") {
			case 0:
				s.Expect.Within = &window
			case 1:
				s.Expect.Throughout = &window
			}
		case 2:
			s.Verb = VerbEnd
			if rapid.Bool().Draw(t, "eventually") {
				s.Expect = &Expect{Conds: someConds().Draw(t, "conds"), Within: &window, Eventually: true}
			}
		case 3:
			verbs := slices.DeleteFunc(fault.Verbs(), func(v fault.Verb) bool { return v.As != "" }) // a Plan has none
			verb := rapid.SampledFrom(verbs).Draw(t, "verb")
			s.Verb, s.Fault = verb.Word, aFault(verb).Draw(t, "fault")
		}
		return s
	})
}

func aPlan() *rapid.Generator[*Plan] {
	return rapid.Custom(func(t *rapid.T) *Plan {
		p := &Plan{
			File: "r.scn", Name: aName().Draw(t, "name"), Doc: rapid.SampledFrom([]string{"", "One sentence, with # and \"quotes\"."}).Draw(t, "doc"),
			Topo:     Topo{Kind: "pair", Clients: rapid.IntRange(1, 3).Draw(t, "clients"), Backends: rapid.IntRange(1, 3).Draw(t, "backends")},
			Traffic:  rapid.SliceOfN(aTraffic(), 0, 3).Draw(t, "traffic"),
			Steps:    rapid.SliceOfN(aStep(), 0, 6).Draw(t, "steps"),
			Chaos:    rapid.SliceOfN(aChaos(), 0, 4).Draw(t, "chaos"),
			Tolerate: aTime().Draw(t, "tolerate"), TolerateGuard: aGuard().Draw(t, "guard"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "settings") {
			k := rapid.SampledFrom(Keys).Draw(t, "key")
			p.Config = append(p.Config, Setting{Node: rapid.SampledFrom([]string{"", "lb1", "lb2"}).Draw(t, "node"), Key: k.Name, Value: k.Default, Guard: aGuard().Draw(t, "guard")})
		}
		for range rapid.IntRange(0, 2).Draw(t, "services") {
			p.Services = append(p.Services, Service{Name: aName().Draw(t, "name"), Proto: rapid.SampledFrom(protocols).Draw(t, "proto"),
				VIP: fmt.Sprint("198.18.0.", rapid.IntRange(100, 254).Draw(t, "vip")), Port: rapid.Uint16Range(1, 9999).Draw(t, "port"), Last: rapid.SampledFrom([]uint16{0, 0, 10000, 65535}).Draw(t, "last"),
				Mode: rapid.SampledFrom(modes).Draw(t, "mode"), Balance: rapid.SampledFrom(balances).Draw(t, "balance"),
				Affinity: rapid.SampledFrom([]time.Duration{0, time.Second, 10 * time.Minute}).Draw(t, "affinity"), SNAT: rapid.SampledFrom([]int{0, 2, 16}).Draw(t, "snat"), Bare: rapid.Bool().Draw(t, "bare"), Guard: aGuard().Draw(t, "guard")})
		}
		for _, c := range rapid.SliceOfN(aCond(), 0, 3).Draw(t, "always") {
			p.Always = append(p.Always, Always{Cond: c, Guard: aGuard().Draw(t, "guard")})
		}
		if rapid.Bool().Draw(t, "control") {
			p.Control = rapid.SliceOfNDistinct(rapid.SampledFrom(CheckNames()), 1, 3, rapid.ID[string]).Draw(t, "checks")
			p.ControlGuard = aGuard().Draw(t, "guard")
		}
		for _, where := range rapid.SliceOfN(rapid.SampledFrom(links), 0, 2).Draw(t, "captures") {
			p.Captures = append(p.Captures, Capture{Where: where, Guard: aGuard().Draw(t, "guard")})
		}
		return p
	})
}

// Every Plan can be printed and read back without errors in its words and lines, even if
// Lint objects to the plan as a whole.
func TestPrintedPlansReadBackTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := aPlan().Draw(t, "plan")
		text := Print(p)
		again, found := Check("r.scn", []byte(text))
		if diff := cmp.Diff(p, again, sameMeaning); diff != "" {
			t.Fatalf("(-plan +again)\n%s\n%s\n%v", diff, text, found)
		}
		if Print(again) != text {
			t.Fatalf("printed differently:\n%s\n%s", text, Print(again))
		}
		if want := Lint(again); len(want) != len(found) {
			t.Fatalf("Lint finds\n%v\nCheck finds\n%v\nin\n%s", want, found, text)
		}
	})
}

func TestSumsEvaluateAsTheyRead(t *testing.T) {
	env := func(name string) (time.Duration, bool) {
		d, ok := map[string]time.Duration{"detect": 150 * time.Millisecond, "hold": 500 * time.Millisecond, "track": 400 * time.Millisecond}[name]
		return d, ok
	}
	for text, want := range map[string]time.Duration{
		"detect+50ms": 200 * time.Millisecond, "2*detect": 300 * time.Millisecond, "detect*2-50ms": 250 * time.Millisecond,
		"hold-detect": 350 * time.Millisecond, "2*detect-10ms": 290 * time.Millisecond, "hold-2*detect": 200 * time.Millisecond, "2*hold-2*2*detect-1ms": 399 * time.Millisecond, "detect-10ms": 140 * time.Millisecond, "detect - 10ms": 140 * time.Millisecond,
		"1.5*detect+1us": 225001 * time.Microsecond, "0.5s": 500 * time.Millisecond, "3*50ms": 150 * time.Millisecond, "0": 0,
	} {
		p := mustParse(t, preamble+"always gap(web) < "+text+"\n@1s end\n")
		got, err := p.Always[0].Cond.Compare.Value.Duration(env)
		if err != nil || got != want {
			t.Errorf("%s is %v (%v), want %v", text, got, err, want)
		}
	}
	if _, err := (Expr{[]Term{{Factor: 1, Name: "nothing"}}}).Duration(env); err == nil {
		t.Error("an unknown name has a value")
	}
	if _, err := (Expr{[]Term{{Factor: 1, Name: "detect"}}}).Number(); err == nil {
		t.Error("a time is a number")
	}
}

// Each candidate of a valid plan is valid and smaller, so shrinking terminates.
func TestCandidatesShrink(t *testing.T) {
	for _, file := range scenarioFiles(t) {
		p := mustParse(t, readFile(t, file))
		steps := 0
		for next := p; next != nil; steps++ {
			if steps > 500 {
				t.Fatalf("%s: no end after %d steps:\n%s", file, steps, Print(next))
			}
			smaller := (*Plan)(nil)
			before := Print(next)
			for c := range Candidates(next) {
				if errs := Lint(c).Errors(true); len(errs) > 0 {
					t.Fatalf("%s: a candidate is wrong: %v\n%s", file, errs, Print(c))
				}
				if size(c) >= size(next) {
					t.Fatalf("%s: a candidate is not smaller:\n%s\n%s", file, before, Print(c))
				}
				smaller = c
				break
			}
			if Print(next) != before {
				t.Fatalf("%s: making candidates changed the plan", file)
			}
			next = smaller
		}
		if steps < 10 {
			t.Errorf("%s shrank only %d times", file, steps)
		}
	}
}

// size orders plans by their lines, then by what there is many of, then by time.
func size(p *Plan) float64 {
	lines := float64(strings.Count(Print(p), "\n")) + float64(len(p.Steps))
	for _, s := range p.Steps {
		if s.Verb == VerbEnd && s.Expect != nil {
			lines++
		}
	}
	many := float64(p.Topo.Clients + p.Topo.Backends)
	for _, t := range p.Traffic {
		many += float64(t.Count) + t.Rate
	}
	total := 0.0
	if n := len(p.Steps); n > 0 {
		total = p.Steps[n-1].At.Seconds()
	}
	return lines*1e12 + many*1e3 + total
}

func aFault(verb fault.Verb) *rapid.Generator[*Fault] {
	return rapid.Custom(func(t *rapid.T) *Fault {
		f := &Fault{Verb: verb.Word}
		switch {
		case verb.On == fault.Machines:
			f.Hosts = rapid.SampledFrom([][]string{{"lb1"}, {"lb2"}, {"lb1", "lb2"}}).Draw(t, "hosts")
			if verb.Time {
				f.Time = rapid.SampledFrom([]time.Duration{time.Millisecond, time.Second}).Draw(t, "time")
			}
			if verb.Wants {
				f.Args = someArgs(verb, f).Draw(t, "args")
			}
		case verb.On == fault.Traits:
			if len(verb.Ways) > 0 {
				f.Way = rapid.SampledFrom(verb.WayNames()).Draw(t, "way")
			}
			hosts := [][]string{{"client1"}, {"client1", "backend1"}}
			if slices.Contains(verb.Kinds, lab.Node) {
				hosts = [][]string{{"lb1"}, {"lb1", "lb2"}}
			}
			f.Hosts = rapid.SampledFrom(hosts).Draw(t, "hosts")
			f.Args = someArgs(verb, f).Draw(t, "args")
		case verb.On == fault.Senders:
			f.Hosts, f.To, f.Time = []string{"client1"}, aTarget().Draw(t, "to"), rapid.SampledFrom([]time.Duration{time.Millisecond, time.Minute}).Draw(t, "time")
			f.Flood = rapid.SampledFrom(fault.FloodKindNames()).Draw(t, "flood")
			f.Args = []Arg{{fault.KeyRate, rapid.SampledFrom([]string{"1/s", "2000/s", "10mbit"}).Draw(t, "rate")}}
		case verb.On == fault.Programs:
			f.Hosts, f.Command, f.Name = []string{"client1"}, rapid.SampledFrom([]string{"curl", "sh -c 'a # b'"}).Draw(t, "command"), aName().Draw(t, "name")
			f.Time = rapid.SampledFrom([]time.Duration{time.Millisecond, time.Minute}).Draw(t, "time")
		case verb.On == fault.Ports:
			f.Hosts, f.Via = rapid.SampledFrom([][]string{nil, {"lb1"}, {"backend1"}, {"client1"}}).Draw(t, "host"), rapid.SampledFrom(links).Draw(t, "via")
		case verb.Word != fault.Heal || rapid.Bool().Draw(t, "some"):
			f.On = &lab.Selector{From: aName().Draw(t, "from"), To: aName().Draw(t, "to"), Both: rapid.Bool().Draw(t, "both"),
				Via:  rapid.SampledFrom(append([]string{""}, links...)).Draw(t, "via"),
				Only: rapid.SampledFrom(append([]string{""}, lab.KindNames()...)).Draw(t, "only")}
			if verb.Time {
				f.Time = rapid.SampledFrom([]time.Duration{time.Millisecond, 50 * time.Millisecond, time.Second}).Draw(t, "time")
			}
			if verb.Share {
				f.Share = rapid.SampledFrom([]float64{0.001, 0.05, 1}).Draw(t, "share")
			}
			f.Args = someArgs(verb, f).Draw(t, "args")
		}
		return f
	})
}

// someArgs are keys of a verb that go together.
func someArgs(verb fault.Verb, f *Fault) *rapid.Generator[[]Arg] {
	sets := map[string][][]Arg{
		fault.Lose:    {{{fault.KeyBurst, "8"}}, {{fault.KeyBurst, "20"}, {fault.KeyBad, "0.8"}}, {{fault.KeyBurst, "20"}, {fault.KeyBad, "0.8"}, {fault.KeyGood, "0.0001"}}},
		fault.Drain:   {{{fault.KeyBackend, "1"}}, {{fault.KeyBackend, "1"}, {fault.KeyDeadline, "2s"}}},
		fault.Delay:   {{{fault.KeyJitter, "1ms"}}},
		fault.Starve:  {{{fault.KeyCPU, "0.2"}}, {{fault.KeyCPU, "0.2"}, {fault.KeyPeriod, "50ms"}, {fault.KeyFiles, "0"}}},
		fault.Reorder: {{{fault.KeyAfter, "20ms"}}},
		fault.Limit: {{{fault.KeyRate, "10mbit"}, {fault.KeyQueue, "20ms"}}, {{fault.KeyRate, "30/s"}},
			{{fault.KeyMTU, "1300"}, {fault.KeyOversize, fault.OversizeTell}}},
	}[verb.Word]
	if !verb.Wants && f.Share < 0.5 {
		sets = append(sets, nil)
	}
	if f.Share > 0.5 {
		sets = [][]Arg{nil} // no burst loses more than all
	}
	return rapid.SampledFrom(sets)
}
