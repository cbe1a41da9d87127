package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"baton/scenarios/fault"
	"baton/scenarios/lab"
	"baton/scenarios/metric"
)

// timeline walks the steps of one world and checks that each can follow those above it.
type timeline struct {
	*linter
	world  string
	hosts  map[string]fault.State
	cuts   []lab.Rule
	healed map[lab.Rule]int // the line of the last heal
	down   map[string]bool  // ports without carrier: lb1 via sync
	traits map[trait]bool
	last   Step
	ended  bool
}

// timelines checks the steps as each world executes them. A problem of one world only names it.
func (l *linter) timelines() {
	var perWorld [][]Diagnostic
	for _, world := range worlds {
		perWorld = append(perWorld, l.timeline(world))
	}
	for i, found := range perWorld {
		for _, d := range found {
			if !slices.Contains(perWorld[1-i], d) {
				d.Message += " in [" + worlds[i] + "]"
			}
			l.found = append(l.found, d)
		}
	}
}

// draws is how many draws of random steps are checked.
const draws = 16

// timeline checks the steps of one world. If some are random it checks several draws.
func (l *linter) timeline(world string) (found []Diagnostic) {
	for seed := range uint64(draws) {
		drawn := l.Drawn(seed)
		one := &linter{Plan: drawn, broken: l.broken}
		(&timeline{linter: one, world: world, hosts: map[string]fault.State{}, down: map[string]bool{}, traits: map[trait]bool{}, healed: map[lab.Rule]int{}}).walk()
		for _, d := range one.found {
			if !slices.Contains(found, d) {
				found = append(found, d)
			}
		}
		if drawn == l.Plan {
			break
		}
	}
	return found
}

func (t *timeline) walk() {
	for i, s := range t.Steps {
		if !s.Guard.In(t.world) {
			continue
		}
		t.order(s)
		switch {
		case s.Wait != nil:
			t.comeTrue(i, s.Wait.Conds)
		case s.Expect != nil:
			t.expect(i, s)
		case s.Fault != nil:
			t.fault(s)
		}
		t.ended = t.ended || s.Verb == VerbEnd
		t.last = s
	}
	if !t.ended && t.RunsIn(t.world) && !t.broken["step"] {
		last := t.Steps[len(t.Steps)-1]
		t.errorf(last.Pos, "", "@"+formatDuration(last.At)+" end", "the scenario has no end")
	}
}

func (t *timeline) order(s Step) {
	switch {
	case t.ended && s.Verb == VerbEnd:
		t.errorf(s.Pos, "", "", "a second end; the first is %s", t.last.Pos)
	case t.ended && t.undoes(s):
		t.errorf(s.Pos, "for", "", "%s ends at %s, after the end at %s (%s); end later, or use a shorter for",
			s.Text, formatDuration(s.At), formatDuration(t.last.At), t.last.Pos)
	case t.ended && !(s.Verb == VerbExpect && s.At == t.last.At):
		t.errorf(s.Pos, "", "", "the scenario ended in %s; move the end below this line", t.last.Pos)
	case s.At < t.last.At:
		t.errorf(s.Pos, "", "", "the step at %s is below one at %s; move it above %s, or give it a later time",
			formatDuration(s.At), formatDuration(t.last.At), t.last.Pos)
	}
}

// undoes reports whether a step is the undo of another step with for.
func (t *timeline) undoes(s Step) bool {
	return slices.ContainsFunc(t.Steps, func(o Step) bool { return o.Pos == s.Pos && fault.UndoOf(o.Verb) == s.Verb })
}

// comeTrue checks conditions that must come true at the same instant.
func (t *timeline) comeTrue(i int, conds []Cond) {
	t.together(conds)
	for _, c := range conds {
		t.atOnce(c, t.Steps[i].Guard)
		t.possible(c, i)
	}
}

// windowed refuses a condition that has only one value for the whole run.
func (t *timeline) windowed(c Cond) {
	if c.Output != nil {
		t.errorf(c.Pos, "", "", "%s", afterwards(CheckOutput))
	}
	if c.Compare == nil {
		return
	}
	switch m, _ := metric.Of(c.Compare.Metric); {
	case m.PerProgram:
		t.errorf(c.Pos, "", "", "%s", afterwards(c.Compare.Name()))
	case m.Whole:
		t.errorf(c.Pos, "", "", "%s is measured over the whole time of a line of traffic; use always, and narrow it with from= and until= of that line", c.Compare.Name())
	}
}

func (t *timeline) expect(i int, s Step) {
	for _, c := range s.Expect.Conds {
		t.windowed(c)
	}
	if s.Expect.Within != nil {
		t.comeTrue(i, s.Expect.Conds)
	} else {
		for _, c := range s.Expect.Conds {
			t.measurable(c, s.Guard)
			t.possible(c, i)
		}
	}
	if s.Expect.Throughout != nil && s.Expect.Throughout.never(t.Env(t.world)) {
		t.errorf(s.Pos, "throughout", "", "throughout %s has no duration", s.Expect.Throughout)
	} else if s.Expect.Throughout != nil {
		t.outlasts(s)
	}
	if s.Expect.Within != nil && s.Expect.Within.negative(t.Env(t.world)) {
		t.errorf(s.Pos, "within", "", "within %s ends before it begins", s.Expect.Within)
	} else if s.Expect.Within != nil && s.Expect.Within.never(t.Env(t.world)) {
		t.warn(s.Pos, "", "within %s leaves no time for a change; write for example within detect+50ms", s.Expect.Within)
		t.found[len(t.found)-1].word = "within"
	}
}

func (e Expr) never(env Env) bool {
	d, err := e.Duration(env)
	return err == nil && d <= 0 && len(e.Terms) > 0 // without any term it could not be read, which is said already
}

func (e Expr) negative(env Env) bool {
	d, err := e.Duration(env)
	return err == nil && d < 0
}

// possible refuses a claim about nodes that are down until after its window: it can never be
// true.
func (t *timeline) possible(c Cond, i int) {
	absent := func(node string) bool {
		state := t.hosts[node]
		return (state == fault.Ended || state == fault.Crashed) && !t.restoredAfter(i, node)
	}
	node, positive := "", false
	switch {
	case c.Compare != nil:
		if _, perNode := atMost[c.Compare.Metric]; !perNode || slices.ContainsFunc(nodes, func(n string) bool { return !absent(n) }) {
			return
		}
		if want, _, ok := t.bound(*c.Compare, t.world); ok {
			if holds, _ := reach(c.Compare.Op, want, 0); !holds {
				t.errorf(c.Pos, "", "", "%s can never be true: both nodes are down and not restored before it is judged", c)
			}
		}
		return
	case c.Role != nil:
		node, positive = c.Role.Node, !c.Role.Not
	case c.InSync != nil:
		node, positive = c.InSync.Node, !c.InSync.Not
	}
	if positive && absent(node) {
		t.errorf(c.Pos, "", "", "%s can never be true: %s is down and not restored before it is judged", c, node)
	}
}

// restoredAfter reports whether the node is restored in the window that begins at
// the anchor of step i.
func (t *timeline) restoredAfter(i int, node string) bool {
	s := t.Steps[i]
	until := s.At
	if s.Expect != nil {
		for _, w := range []*Expr{s.Expect.Within, s.Expect.Throughout} {
			if w != nil {
				if d, err := w.Duration(t.Env(t.world)); err == nil {
					until += d
				}
			}
		}
	}
	return slices.ContainsFunc(t.Steps[i:], func(o Step) bool {
		return o.Verb == fault.Restore && o.At <= until && o.Guard.In(t.world) && slices.Contains(o.Fault.Hosts, node)
	})
}

func (t *timeline) fault(s Step) {
	verb, _ := fault.Of(s.Verb)
	switch verb.On {
	case fault.Wires:
		t.wires(s)
		return
	case fault.Ports:
		t.port(s, verb)
		return
	case fault.Traits:
		t.trait(s, verb)
		return
	case fault.Senders:
		t.flood(s)
		return
	case fault.Programs:
		t.program(s)
		return
	}
	if n, _ := s.Fault.Backends(); n > t.Topo.Backends {
		t.errorf(s.Pos, fault.KeyBackends, "", "%s: the topology has backends=%d", fault.KeyBackends, t.Topo.Backends)
	}
	if n, _ := s.Fault.Drained(); n > t.Topo.Backends {
		t.errorf(s.Pos, fault.KeyBackend, "", "%s: the topology has backends=%d", fault.KeyBackend, t.Topo.Backends)
	}
	for _, host := range s.Fault.Hosts {
		t.host(s.Pos, host)
		if !slices.Contains(verb.From, t.hosts[host]) && !t.broken["step"] {
			why := verb.Refuse
			if strings.Contains(why, "%s") {
				why = fmt.Sprintf(why, t.hosts[host])
			}
			t.errorf(s.Pos, host, "", "%s %s: %s %s%s", s.Verb, host, host, why, undone(s.Verb))
			continue // the host stays as it is, and the next step is judged by that
		}
		if kind, _, _ := lab.ParseName(host); kind == lab.Client && verb.To != fault.Crashed && !t.loaded(host) {
			t.errorf(s.Pos, host, "", "%s %s: no traffic comes from it", s.Verb, host)
		}
		t.hosts[host] = verb.To
		if fault.Ends(s.Verb) {
			for is := range t.traits { // in any order: each is checked alone
				if verb, _ := fault.Of(is.verb); is.host == host && verb.Process {
					delete(t.traits, is)
				}
			}
		}
	}
}

// loaded reports whether any traffic comes from a client.
func (t *timeline) loaded(client string) bool {
	return slices.ContainsFunc(t.Traffic, func(line Traffic) bool { return line.Guard.In(t.world) && line.Sends(client) })
}

// trait is a lasting effect of a verb on a host.
type trait struct{ verb, host string }

// undone names the verbs that a verb undoes, one of which must come before it. It is "" for a verb
// that undoes nothing.
func undone(verb string) string {
	before := fault.Meant(func(v fault.Verb) bool { return v.Undo == verb && v.As == "" })
	if len(before) == 0 {
		return ""
	}
	return "; it needs an earlier " + oneOf(before)
}

// again says how to correct a step whose effect the host already has.
func again(verb fault.Verb) string {
	switch {
	case verb.Undo == "":
		return ""
	case len(verb.Keys) > 1:
		return "; write all keys in one step, or undo it first with " + verb.Undo
	}
	return "; undo it first with " + verb.Undo
}

// trait checks that a host does not already have the effect, and has a process if the verb needs
// one.
func (t *timeline) trait(s Step, verb fault.Verb) {
	for _, host := range s.Fault.Hosts {
		t.host(s.Pos, host)
		is := trait{verb.Word, host}
		already := t.traits[is] && !verb.Once(s.Fault.Way)
		if verb.Undo == "" {
			already = !t.undoTraits(verb.Word, host)
		}
		switch state := t.hosts[host]; {
		case t.broken["step"]:
		case verb.Process && (state == fault.Ended || state == fault.Crashed):
			t.errorf(s.Pos, host, "", "%s %s: %s is %s", s.Verb, host, host, state)
		case verb.Answers && state == fault.Frozen:
			t.errorf(s.Pos, host, "", "%s %s: %s is frozen and cannot answer; thaw it first", s.Verb, host, host)
		case already && verb.Undo == "":
			t.errorf(s.Pos, host, "", "%s %s: there is nothing to undo%s", s.Verb, host, undone(s.Verb))
		case already:
			t.errorf(s.Pos, host, "", "%s %s: an earlier %s is still in effect%s", s.Verb, host, s.Verb, again(verb))
		}
		if !verb.Once(s.Fault.Way) {
			t.traits[is] = verb.Undo != ""
		}
	}
}

// undoTraits removes the effects that a verb undoes, and reports whether there were any.
func (t *timeline) undoTraits(undo, host string) bool {
	before := len(t.traits)
	maps.DeleteFunc(t.traits, func(is trait, there bool) bool {
		return there && is.host == host && fault.UndoOf(is.verb) == undo
	})
	return len(t.traits) < before
}

// port checks that the host has the port, and that its carrier is not in that state already.
func (t *timeline) port(s Step, verb fault.Verb) {
	if t.broken["step"] {
		return
	}
	target := s.Fault.Target()
	if len(s.Fault.Hosts) > 0 {
		host := s.Fault.Hosts[0]
		t.host(s.Pos, host)
		if h, ok := t.Topo.Lab().Host(host); ok && !h.On(s.Fault.Via) {
			t.errorf(s.Pos, s.Fault.Via, "", "%s %s: it has no such link; use %s", s.Verb, target, oneOf(h.Links()))
		}
	}
	if was, down := t.down[target], verb.Severs; was == down {
		word, _, _ := strings.Cut(target, " ")
		t.errorf(s.Pos, word, "", "%s %s: it is already %s%s", s.Verb, target, verb.Word, undone(s.Verb))
	}
	t.down[target] = verb.Severs
}

// wires checks the selector of a fault on links, and that a heal has something to heal.
func (t *timeline) wires(s Step) {
	var rules []lab.Rule
	if on := s.Fault.On; on != nil {
		for _, end := range []string{on.From, on.To} {
			t.host(s.Pos, end)
		}
		t.joined(s)
		t.packets(s)
		rules, _ = t.Topo.Lab().Selected(*on)
	}
	covered := func(r lab.Rule) bool { return s.Fault.On == nil || lab.Covers(rules, r) }
	switch {
	case s.Verb != fault.Heal:
		t.cuts = append(t.cuts, rules...)
		return
	case t.broken["step"]:
		return
	case !slices.ContainsFunc(t.cuts, covered) && t.healedBefore(s, covered):
	case len(t.cuts) == 0:
		t.errorf(s.Pos, "", "", "heal: nothing to heal%s", undone(s.Verb))
	case !slices.ContainsFunc(t.cuts, covered):
		t.errorf(s.Pos, "", "", "heal %s: nothing to heal there%s", s.Fault.On, undone(s.Verb))
	}
	t.cuts = slices.DeleteFunc(slices.Clone(t.cuts), func(r lab.Rule) bool {
		if covered(r) {
			t.healed[r] = s.Pos.Line
		}
		return covered(r)
	})
}

// healedBefore reports that an earlier heal has ended what this one is to end, if one has.
func (t *timeline) healedBefore(s Step, covered func(lab.Rule) bool) bool {
	line := 0
	for r, at := range t.healed { // in any order: the last line is told
		if covered(r) {
			line = max(line, at)
		}
	}
	if line > 0 {
		t.errorf(s.Pos, "", "", "nothing to heal at the end: line %d has healed it by then, because a heal, also that of a for, ends every fault on its links", line)
	}
	return line > 0
}

// host checks that a host or group of that name is in the topology.
func (l *linter) host(at Pos, name string) {
	topo := l.Topo.Lab()
	if len(topo.Members(name)) > 0 {
		return
	}
	if kind, _, ok := lab.ParseName(name); ok && kind != lab.Node {
		count := map[lab.Kind]int{lab.Client: topo.Clients, lab.Backend: topo.Backends}[kind]
		l.errorf(at, name, "", "no host %q: the topology has %ss=%d", name, kind, count)
		return
	}
	meant, choices := Nearest(name, l.hosts()), ""
	if meant == "" {
		choices = fmt.Sprintf(": use %s, a host such as %s, or %s or %s for all of them", strings.Join(lab.Nodes(), ", "), lab.Name(lab.Client, 1), lab.Clients, lab.Backends)
	}
	l.errorf(at, name, meant, "unknown host %q%s", name, choices)
}

// hosts lists the hosts and groups that a cut can name.
func (l *linter) hosts() []string {
	names := []string{lab.Clients, lab.Backends}
	for _, h := range l.Topo.Lab().Hosts() {
		names = append(names, h.Name)
	}
	return names
}

// joined checks that the link of a selector joins its ends.
func (t *timeline) joined(s Step) {
	c := s.Fault.On
	topo := t.Topo.Lab()
	if len(topo.Members(c.From)) == 0 || len(topo.Members(c.To)) == 0 {
		return // reported
	}
	joining := topo.Joining(c.From, c.To)
	switch {
	case c.From == c.To:
		t.errorf(s.Pos, c.To, "", "%s %s: both ends are the same host", s.Verb, c)
	case len(joining) == 0:
		t.errorf(s.Pos, c.To, "", "%s %s: no link joins them", s.Verb, c)
	case c.Via != "" && !slices.Contains(joining, c.Via):
		t.errorf(s.Pos, c.Via, "", "%s %s: they are joined only by %s", s.Verb, c, oneOf(joining))
	}
}
