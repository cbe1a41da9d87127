package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Explanation is the timeline of a plan in a world, with all times evaluated.
type Explanation struct {
	Scenario string   `json:"scenario"`
	World    string   `json:"world"`
	Values   []Value  `json:"values"` // of detect, hold and track, as configured
	Moments  []Moment `json:"moments"`
	// NotExecuted are the lines that are guarded for the other world.
	NotExecuted []string `json:"not_executed,omitempty"`
}

// Value is a named value of expressions.
type Value struct {
	Name string  `json:"name"`
	MS   float64 `json:"ms"`
	From string  `json:"from"` // how it is computed, with line numbers
}

// Moment is a line of the timeline. Times are milliseconds of the scenario's clock, which
// starts with the first step and stands still in waits.
type Moment struct {
	Line int     `json:"line"`
	File string  `json:"file,omitempty"` // of an include line
	AtMS float64 `json:"at_ms"`
	What string  `json:"what"`
	// Window is the time in which the line is judged or waits, nil for a fault.
	Window *Window `json:"window,omitempty"`
	// Bound evaluates a comparison with a time: detect+50ms = 200 ms. It is "" for other lines.
	Bound string `json:"bound,omitempty"`
}

// Window is a stretch of the scenario's clock.
type Window struct {
	FromMS float64 `json:"from_ms"`
	ToMS   float64 `json:"to_ms"`
	Why    string  `json:"why"` // where its end comes from
}

// Explain says when each line of the plan is executed and judged in a world.
func Explain(p *Plan, world string) Explanation {
	e := Explanation{Scenario: p.Name, World: world, NotExecuted: p.NotExecuted(world),
		Values: []Value{p.explainDetect(world), p.explainHold(world), p.explainTrack(world)}}
	for i, s := range p.Steps {
		if s.Guard.In(world) {
			e.Moments = append(e.Moments, p.moment(i, world))
		}
	}
	end := p.endAt(world)
	for _, a := range p.Always {
		if a.Guard.In(world) {
			m := Moment{Line: a.Pos.Line, File: a.Pos.File, What: "always " + a.Cond.String(), Bound: p.bounds([]Cond{a.Cond}, world)}
			m.Window = &Window{ToMS: milliseconds(end), Why: "from the first step to the end"}
			e.Moments = append(e.Moments, m)
		}
	}
	return e
}

func (p *Plan) moment(i int, world string) Moment {
	s := p.Steps[i]
	m := Moment{Line: s.Pos.Line, File: s.Pos.File, AtMS: milliseconds(s.At), What: s.String()}
	window := func(from time.Duration, e Expr, form string) *Window {
		d, err := e.Duration(p.Env(world))
		if err != nil {
			return &Window{FromMS: milliseconds(from), ToMS: milliseconds(from), Why: err.Error()}
		}
		return &Window{FromMS: milliseconds(from), ToMS: milliseconds(from + d), Why: fmt.Sprintf(form, p.worked(e, world))}
	}
	from := p.Steps[p.Anchor(i)].At
	switch {
	case s.Wait != nil:
		m.Window, m.Bound = window(s.At, s.Wait.Within, "within %s, at most; the clock stands still until it holds"), p.bounds(s.Wait.Conds, world)
	case s.Expect == nil:
	case s.Expect.Eventually:
		m.Window = window(s.At, *s.Expect.Within, "eventually, within %s, after the traffic has stopped")
	case s.Expect.Within != nil:
		m.Window = window(from, *s.Expect.Within, "within %s of "+p.named(i))
	case s.Expect.Throughout != nil:
		m.Window = window(from, *s.Expect.Throughout, "throughout %s from "+p.named(i))
	default:
		to, why := p.untilNextFault(i, world)
		m.Window = &Window{FromMS: milliseconds(from), ToMS: milliseconds(to), Why: "from " + p.named(i) + " to " + why}
	}
	if s.Expect != nil {
		m.Bound = p.bounds(s.Expect.Conds, world)
	}
	return m
}

// named names the step from which an expectation counts.
func (p *Plan) named(i int) string {
	if anchor := p.Anchor(i); anchor != i {
		return p.Steps[anchor].Verb + " in " + p.Steps[anchor].Pos.String()
	}
	return "its own time"
}

// untilNextFault returns when the window of an expectation without a time ends, and why.
func (p *Plan) untilNextFault(i int, world string) (time.Duration, string) {
	for _, s := range p.Steps[i+1:] {
		if s.Fault != nil && s.Guard.In(world) && s.At > p.Steps[i].At {
			return s.At, "the next fault, " + s.Verb + " in " + s.Pos.String()
		}
	}
	return p.endAt(world), "the end"
}

// endAt is the time of the end step, or of the last step if there is none.
func (p *Plan) endAt(world string) (at time.Duration) {
	for _, s := range p.Steps {
		if s.Guard.In(world) {
			at = s.At
		}
	}
	return at
}

// bounds evaluates the times that conditions compare with.
func (p *Plan) bounds(conds []Cond, world string) string {
	var all []string
	for _, c := range conds {
		if c.Compare != nil && c.Compare.Value.IsDuration() {
			all = append(all, c.Compare.Name()+" "+c.Compare.Op+" "+p.worked(c.Compare.Value, world))
		}
	}
	return strings.Join(all, "; ")
}

// worked writes a sum with its result: detect+50ms = 150 + 50 = 200 ms.
func (p *Plan) worked(e Expr, world string) string {
	d, err := e.Duration(p.Env(world))
	if err != nil {
		return e.String()
	}
	total := formatNumber(milliseconds(d)) + " ms"
	if !slices.ContainsFunc(e.Terms, func(t Term) bool { return t.Name != "" }) {
		return e.String() + " = " + total
	}
	if len(e.Terms) == 1 {
		return e.String() + " = " + total
	}
	var parts strings.Builder
	for i, t := range e.Terms {
		one, _ := Expr{[]Term{t}}.Duration(p.Env(world)) // its sum has a value
		switch {
		case one < 0:
			parts.WriteString(" - ")
		case i > 0:
			parts.WriteString(" + ")
		}
		parts.WriteString(formatNumber(milliseconds(max(one, -one))))
	}
	return e.String() + " = " + strings.TrimSpace(parts.String()) + " = " + total
}

// origin says where the value of a key of a node comes from.
func (p *Plan) origin(world, node, key string) string {
	from := "default"
	for _, scope := range []string{"", node} {
		for _, s := range p.Config {
			if s.Key == key && s.Node == scope && s.Guard.In(world) {
				if from = s.Pos.String(); s.Pos.Line == 0 {
					from = "--set"
				}
			}
		}
	}
	return fmt.Sprintf("%s %s (%s)", key, p.Value(world, node, key), from)
}

// explainDetect explains the longer of the nodes' detection times (RFC 5880 6.8.4).
func (p *Plan) explainDetect(world string) Value {
	node, peer := nodes[0], nodes[1]
	mine := p.mult(world, peer) * max(p.span(world, peer, "bfd.tx"), p.span(world, node, "bfd.rx"))
	if mine < p.Detect(world) {
		node, peer = peer, node
	}
	return Value{"detect", milliseconds(p.Detect(world)), fmt.Sprintf("%s detects %s after its %s times the slower of its %s and %s's %s",
		node, peer, p.origin(world, peer, "bfd.mult"), p.origin(world, peer, "bfd.tx"), node, p.origin(world, node, "bfd.rx"))}
}

func (p *Plan) explainHold(world string) Value {
	node := nodes[0]
	if p.span(world, node, "ha.hold") < p.Hold(world) {
		node = nodes[1]
	}
	return Value{"hold", milliseconds(p.Hold(world)), p.origin(world, node, "ha.hold")}
}

func (p *Plan) explainTrack(world string) Value {
	node, longest := nodes[0], time.Duration(0)
	for _, n := range nodes {
		misses, _ := strconv.Atoi(p.Value(world, n, "track.misses"))
		if d := time.Duration(misses+1) * p.span(world, n, "track.every"); d > longest {
			node, longest = n, d
		}
	}
	return Value{"track", milliseconds(longest), fmt.Sprintf("one probe that is answered and %s that are not, each after %s",
		p.origin(world, node, "track.misses"), p.origin(world, node, "track.every"))}
}
