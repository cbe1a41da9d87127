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

// timeline walks the steps of one world and checks that each can follow what is
// above it.
type timeline struct {
	*linter
	world  string
	hosts  map[string]fault.State
	cuts   []lab.Rule
	down   map[string]bool // ports without carrier: lb1 via sync
	traits map[trait]bool
	last   Step
	ended  bool
}

// timelines checks the steps as each world executes them. What is wrong in one
// world only says so.
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

// draws is how many draws of what is left to chance are checked.
const draws = 16

// timeline checks the steps of one world: of some draws, where any is left to chance.
func (l *linter) timeline(world string) (found []Diagnostic) {
	for seed := range uint64(draws) {
		drawn := l.Drawn(seed)
		one := &linter{Plan: drawn, broken: l.broken}
		(&timeline{linter: one, world: world, hosts: map[string]fault.State{}, down: map[string]bool{}, traits: map[trait]bool{}}).walk()
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
		t.errorf(s.Pos, "for", "", "%s: that is at %s, after the end at %s (%s); end later, or let it be for less",
			s.Text, formatDuration(s.At), formatDuration(t.last.At), t.last.Pos)
	case t.ended && !(s.Verb == VerbExpect && s.At == t.last.At):
		t.errorf(s.Pos, "", "", "the scenario has ended in %s; move the end below this line", t.last.Pos)
	case s.At < t.last.At:
		t.errorf(s.Pos, "", "", "the step at %s stands after one at %s; move it above %s, or give it a later time",
			formatDuration(s.At), formatDuration(t.last.At), t.last.Pos)
	}
}

// undoes reports whether a step was written as the for of another.
func (t *timeline) undoes(s Step) bool {
	return slices.ContainsFunc(t.Steps, func(o Step) bool { return o.Pos == s.Pos && fault.UndoOf(o.Verb) == s.Verb })
}

// comeTrue checks conditions that must come to hold at one instant.
func (t *timeline) comeTrue(i int, conds []Cond) {
	t.together(conds)
	for _, c := range conds {
		t.atOnce(c, t.Steps[i].Guard)
		t.possible(c, i)
	}
}

// windowed refuses a condition that has one value for the whole run.
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
		t.errorf(c.Pos, "", "", "%s is measured over a whole line of traffic; say it with always, and set from= and until= of that line to narrow it", c.Compare.Name())
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
		t.errorf(s.Pos, "throughout", "", "throughout %s is no time at all", s.Expect.Throughout)
	} else if s.Expect.Throughout != nil {
		t.outlasts(s)
	}
	if s.Expect.Within != nil && s.Expect.Within.negative(t.Env(t.world)) {
		t.errorf(s.Pos, "within", "", "within %s is over before it begins", s.Expect.Within)
	} else if s.Expect.Within != nil && s.Expect.Within.never(t.Env(t.world)) {
		t.warn(s.Pos, "", "within %s leaves no time for anything to change; write for example within detect+50ms", s.Expect.Within)
		t.found[len(t.found)-1].word = "within"
	}
}

func (e Expr) never(env Env) bool {
	d, err := e.Duration(env)
	return err == nil && d <= 0
}

func (e Expr) negative(env Env) bool {
	d, err := e.Duration(env)
	return err == nil && d < 0
}

// possible refuses a claim about nodes that are down and stay so until the next step at
// which they could come up: it can never be true.
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
				t.errorf(c.Pos, "", "", "%s can never hold: both nodes are down and not restored before it is judged", c)
			}
		}
		return
	case c.Role != nil:
		node, positive = c.Role.Node, !c.Role.Not
	case c.InSync != nil:
		node, positive = c.InSync.Node, !c.InSync.Not
	}
	if positive && absent(node) {
		t.errorf(c.Pos, "", "", "%s can never hold: %s is down and not restored before it is judged", c, node)
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
		}
		if kind, _, _ := lab.ParseName(host); kind == lab.Client && verb.To != fault.Crashed && !t.loaded(host) {
			t.errorf(s.Pos, host, "", "%s %s: no traffic comes from it", s.Verb, host)
		}
		t.hosts[host] = verb.To
		if fault.Ends(s.Verb) {
			for is := range t.traits { // in any order: each is looked at for itself
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

// trait is what a machine is until the verb that undoes it.
type trait struct{ verb, host string }

// undone says of which steps one must come before one that takes something back, "" for a
// verb that takes nothing back.
func undone(verb string) string {
	before := fault.Meant(func(v fault.Verb) bool { return v.Undo == verb && v.As == "" })
	if len(before) == 0 {
		return ""
	}
	return "; it takes an earlier " + oneOf(before)
}

// again words the mistake of a verb on a machine that is in that state already.
func again(verb fault.Verb) string {
	switch {
	case verb.Undo == "":
		return ""
	case len(verb.Keys) > 1:
		return "; write all its keys in one step, or " + verb.Undo + " first"
	}
	return "; " + verb.Undo + " must come first"
}

// trait checks that a machine is not so already, and has a process if that is meant.
func (t *timeline) trait(s Step, verb fault.Verb) {
	for _, host := range s.Fault.Hosts {
		t.host(s.Pos, host)
		is := trait{verb.Word, host}
		already := t.traits[is]
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
			t.errorf(s.Pos, host, "", "%s %s: there is nothing to take back%s", s.Verb, host, undone(s.Verb))
		case already:
			t.errorf(s.Pos, host, "", "%s %s: an earlier %s still holds%s", s.Verb, host, s.Verb, again(verb))
		}
		t.traits[is] = verb.Undo != ""
	}
}

// undoTraits takes from a machine what a verb undoes, and reports whether there was any.
func (t *timeline) undoTraits(undo, host string) bool {
	before := len(t.traits)
	maps.DeleteFunc(t.traits, func(is trait, there bool) bool {
		return there && is.host == host && fault.UndoOf(is.verb) == undo
	})
	return len(t.traits) < before
}

// port checks that a machine has the port, and that its carrier can change so.
func (t *timeline) port(s Step, verb fault.Verb) {
	if t.broken["step"] {
		return
	}
	target := s.Fault.Target()
	if len(s.Fault.Hosts) > 0 {
		host := s.Fault.Hosts[0]
		t.host(s.Pos, host)
		if h, ok := t.Topo.Lab().Host(host); ok && !h.On(s.Fault.Via) {
			t.errorf(s.Pos, s.Fault.Via, "", "%s %s: it has links to %s", s.Verb, target, oneOf(h.Links()))
		}
	}
	if was, down := t.down[target], verb.Severs; was == down {
		word, _, _ := strings.Cut(target, " ")
		t.errorf(s.Pos, word, "", "%s %s: it is %s already%s", s.Verb, target, verb.Word, undone(s.Verb))
	}
	t.down[target] = verb.Severs
}

// wires checks what a cut or heal selects, and that there is something to heal.
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
	case len(t.cuts) == 0:
		t.errorf(s.Pos, "", "", "heal: nothing is cut%s", undone(s.Verb))
	case !slices.ContainsFunc(t.cuts, covered):
		t.errorf(s.Pos, "", "", "heal %s: that is not cut%s", s.Fault.On, undone(s.Verb))
	}
	t.cuts = slices.DeleteFunc(slices.Clone(t.cuts), covered)
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
	l.errorf(at, name, Nearest(name, l.hosts()), "unknown host %q", name)
}

// hosts lists what a cut can name.
func (l *linter) hosts() []string {
	names := []string{lab.Clients, lab.Backends}
	for _, h := range l.Topo.Lab().Hosts() {
		names = append(names, h.Name)
	}
	return names
}

// joined checks that the link of a cut joins its ends.
func (t *timeline) joined(s Step) {
	c := s.Fault.On
	topo := t.Topo.Lab()
	if len(topo.Members(c.From)) == 0 || len(topo.Members(c.To)) == 0 {
		return // reported
	}
	joining := topo.Joining(c.From, c.To)
	switch {
	case c.From == c.To:
		t.errorf(s.Pos, c.To, "", "%s %s: that is one host", s.Verb, c)
	case len(joining) == 0:
		t.errorf(s.Pos, c.To, "", "%s %s: no link joins them", s.Verb, c)
	case c.Via != "" && !slices.Contains(joining, c.Via):
		t.errorf(s.Pos, c.Via, "", "%s %s: they are joined by %s", s.Verb, c, oneOf(joining))
	}
}
