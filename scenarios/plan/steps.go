package plan

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"baton/scenarios/fault"
	"baton/scenarios/lab"
	"baton/scenarios/metric"
)

// DefaultWithin is the limit of a wait or an eventually without within.
const DefaultWithin = 10 * time.Second

// step adds a line of the timeline.
func (b *builder) step(s *statement, guard Guard, text string, pos Pos) {
	switch {
	case (s.Random != nil || s.Storm != nil) && s.At != nil:
		b.errorf(position(s.At.Pos), "", "a random step takes no @TIME; the form is: %s", randomUsage)
		return
	case s.Random != nil:
		b.random(s.Random, guard, pos)
		return
	case s.Storm != nil:
		b.storm(s.Storm, guard, pos)
		return
	}
	at, ok := b.clock(s.At)
	if s.At == nil {
		if !ok {
			b.errorf(pos, "", "the line has no time, and there is no step above it")
			return
		}
		guard = b.inherit(s, guard)
	}
	step := Step{At: at, Guard: guard, Pos: pos, Text: text}
	switch {
	case s.Repeat != nil:
		b.open(s.Repeat, at, pos)
		return
	case s.Wait != nil:
		step.Verb = VerbWait
		step.Wait = b.wait(s.Wait)
	case s.Expect != nil:
		step.Verb = VerbExpect
		step.Expect = b.expect(s.Expect)
	case s.Late != nil:
		b.late(s.Late, pos)
		return
	case s.End:
		step.Verb = VerbEnd
		if s.EndClaim != nil {
			step.Expect = b.eventually(s.EndClaim)
		}
	case s.Fault != nil:
		step.Fault = b.fault(s.Fault)
		step.Verb = step.Fault.Verb
		verb, _ := fault.Of(step.Verb)
		switch {
		case verb.Bounded: // its for is an operand
		case s.Fault.Every != nil:
			b.again(s.Fault, step)
		case s.Fault.For != nil:
			b.undo(s.Fault, step)
		}
	}
	b.plan.Steps = append(b.plan.Steps, step)
}

// inherit returns the guard of the step above for a line that belongs to it: a world that skips
// the step has nothing to expect.
func (b *builder) inherit(s *statement, guard Guard) Guard {
	if len(b.plan.Steps) == 0 {
		return guard
	}
	above := b.plan.Steps[len(b.plan.Steps)-1].Guard
	if i := b.plan.Anchor(len(b.plan.Steps) - 1); i >= 0 {
		above = b.plan.Steps[i].Guard
	}
	switch {
	case guard == "":
		return above
	case above != "" && above != guard:
		b.errorf(position(s.Pos), "", "the line is guarded by [%s], but the step above it by [%s]", guard, above)
	}
	return guard
}

func (b *builder) wait(c *claim) *Wait {
	w := &Wait{Conds: b.conditions(c.Conds), Within: Expr{Terms: []Term{durationTerm(DefaultWithin)}}}
	if c.Window != nil {
		if c.Window.Kind != "within" {
			b.errorf(position(c.Window.Pos), "within", "a wait ends when its conditions are true; it takes no %s", c.Window.Kind)
		}
		w.Within = b.duration(c.Window.Time)
	}
	return w
}

func (b *builder) expect(c *claim) *Expect {
	e := &Expect{Conds: b.conditions(c.Conds)}
	if c.Window != nil {
		d := b.duration(c.Window.Time)
		if c.Window.Kind == "within" {
			e.Within = &d
		} else {
			e.Throughout = &d
		}
	}
	return e
}

func (b *builder) eventually(c *claim) *Expect {
	w := b.wait(c)
	return &Expect{Conds: w.Conds, Within: &w.Within, Eventually: true}
}

// late handles "eventually …" on a separate line below the end.
func (b *builder) late(c *claim, pos Pos) {
	last := len(b.plan.Steps) - 1
	if last < 0 || b.plan.Steps[last].Verb != VerbEnd {
		b.errorf(pos, VerbExpect, "only the end step takes eventually")
		return
	}
	if b.plan.Steps[last].Expect != nil {
		b.errorf(pos, "", "the end already has conditions; join them with and")
		return
	}
	b.plan.Steps[last].Expect = b.eventually(c)
}

// conditions resolves a list. A node without a state has that of the next node.
func (b *builder) conditions(list *conditions) []Cond {
	var conds []Cond
	var sharing []*condition
	for _, c := range list.Conds {
		if c.Op == "" && c.State == nil && c.Arg == nil && slices.Contains(nodes, c.Name) {
			sharing = append(sharing, c)
			continue
		}
		for _, node := range sharing {
			if c.State == nil {
				b.errorf(position(node.Pos), "", "node %q has no state; add its role or insync", node.Name)
				continue
			}
			conds = append(conds, b.nodeState(node, c.State)...)
		}
		sharing = nil
		conds = append(conds, b.condition(c)...)
	}
	for _, node := range sharing {
		b.errorf(position(node.Pos), "", "node %q has no state; add its role or insync", node.Name)
	}
	return conds
}

// condition returns the conditions of one entry, none after an error.
func (b *builder) condition(c *condition) []Cond {
	switch {
	case c.Op != "":
		return b.comparison(c)
	case c.Holds != nil:
		return b.output(c)
	case c.State != nil:
		return b.nodeState(c, c.State)
	case c.Arg == nil && slices.Contains(named, c.Name):
		return []Cond{{Named: c.Name, Pos: position(c.Pos)}}
	}
	if name := cmp.Or(metricOf(c.Name).Name, metric.Called(c.Name)); name != "" {
		bound := "== 0"
		if metricOf(name).Unit != metric.Count {
			bound = "< 200ms"
		}
		b.errorf(position(c.Pos), "", "%q needs a comparison, for example %s %s", c.Name, name, bound)
		return nil
	}
	meant := Nearest(c.Name, slices.Concat(named, nodes))
	if state := ourWord(foreignStates, c.Name); meant == "" && state != "" {
		meant = nodes[1] + " " + state
	}
	b.errorf(position(c.Pos), meant, "unknown condition %q%s", c.Name, unlessMeant(meant))
	return nil
}

func (b *builder) nodeState(c *condition, p *predicate) []Cond {
	at := position(c.Pos)
	if c.Arg != nil || !slices.Contains(nodes, c.Name) {
		b.unknownNode(c, p)
		return nil
	}
	if strings.EqualFold(strings.ReplaceAll(p.State.Text, "-", ""), "insync") {
		return []Cond{{InSync: &InSync{Node: c.Name, Not: p.Not}, Pos: at}}
	}
	for _, role := range roles {
		if strings.EqualFold(role, p.State.Text) {
			return []Cond{{Role: &RoleIs{Node: c.Name, Role: role, Not: p.Not}, Pos: at}}
		}
	}
	states := append(slices.Clone(roles), "insync")
	meant, choices := cmp.Or(ourWord(foreignStates, p.State.Text), Nearest(p.State.Text, states)), ""
	if meant == "" {
		choices = ": use " + oneOf(states)
	}
	b.errorf(position(p.State.Pos), meant, "unknown role or state %q%s", p.State.Text, choices)
	return nil
}

// unknownNode reports a state of something that is not a node. Of no rst it says the comparison.
func (b *builder) unknownNode(c *condition, p *predicate) {
	meant := Nearest(c.Name, slices.Concat(nodes, []string{"eventually"}))
	if name := cmp.Or(metricOf(p.State.Text).Name, metric.Called(p.State.Text)); meant == "" && c.Arg == nil && name != "" {
		b.errorf(position(c.Pos), name+" == 0", "a condition on %s is a comparison", name)
		return
	}
	b.errorf(position(c.Pos), meant, "unknown node %q%s", c.Name, unlessMeant(meant))
}

// conditionForms are the forms of a condition.
const conditionForms = "; conditions are such as lb1 is Master, lb2 insync, rst == 0 or converged"

// unlessMeant lists the forms of a condition if no word is near.
func unlessMeant(meant string) string {
	if meant != "" {
		return ""
	}
	return conditionForms
}

// metricOf finds a metric by its name, with or without its unit: takeover < 200ms.
func metricOf(name string) metric.Metric {
	m, ok := metric.Of(name)
	if !ok {
		m, _ = metric.Of(name + "_ms")
	}
	return m
}

// statesRole reports whether a comparison compares a role: state(lb1) == MASTER, or a node.
func statesRole(c *condition) bool {
	if c.Arg != nil && lab.IsNode(c.Arg.Text) || lab.IsNode(c.Name) {
		return true
	}
	first := c.Value.First.Factors[0].Text
	return lab.IsNode(first) || slices.ContainsFunc(roles, func(role string) bool { return strings.EqualFold(role, first) })
}

func (b *builder) comparison(c *condition) []Cond {
	at := position(c.Pos)
	m := metricOf(c.Name)
	switch {
	case m.Name == "" && lab.IsNode(c.Name) && c.Arg == nil:
		b.errorf(at, "", "%s is a node, not a metric; the form is: %s is Master", c.Name, c.Name)
		return nil
	case m.Name == "" && statesRole(c):
		b.errorf(at, "", "a role is not compared; the form is: %s is Master", nodes[0])
		return nil
	case m.Name == "":
		b.unlisted(c.Pos, "metric", c.Name, cmp.Or(metric.Called(c.Name), Nearest(c.Name, metric.Names())))
		return nil
	}
	compare := &Compare{Metric: m.Name, Op: c.Op}
	if c.Op == "=" {
		compare.Op = "=="
	}
	if c.Arg != nil {
		if !m.PerLine && !m.PerProgram {
			b.errorf(position(c.Arg.Pos), "", "metric %q is not measured for a single line of traffic", c.Name)
		}
		compare.Arg = c.Arg.Text
	}
	value, ok := b.sum(c.Value)
	if !ok {
		return nil
	}
	switch {
	case m.Unit == metric.Count && value.IsDuration():
		b.errorf(position(c.Value.Pos), "", "%s is a number; it cannot be compared with the time %s", c.Name, value)
		return nil
	case m.Unit == metric.Duration && !value.IsDuration() && !value.zero():
		b.errorf(position(c.Value.Pos), value.String()+"ms", "%s is a time, but %s has no unit", c.Name, value)
		return nil
	}
	compare.Value = value
	return []Cond{{Compare: compare, Pos: at}}
}

// duration is a sum that must be a time.
func (b *builder) duration(s *sum) Expr {
	e, ok := b.sum(s)
	switch {
	case !ok, e.IsDuration(), e.zero():
	case len(e.Terms) == 1 && e.Terms[0].Factor == math.Trunc(e.Terms[0].Factor):
		b.errorf(position(s.Pos), e.String()+"s", "%s has no unit, but must be a time", e)
	default:
		b.errorf(position(s.Pos), "", "%s has no unit, but must be a time", e)
	}
	return e
}

// zero reports whether the expression is the number 0, which is also a time.
func (e Expr) zero() bool {
	return len(e.Terms) == 1 && e.Terms[0] == Term{}
}
