package plan

import (
	"fmt"
	"strings"
)

// Print writes the plan as canonical text with all defaults, one setting a line. Parse of that
// text returns the same plan.
func Print(p *Plan) string {
	var b strings.Builder
	line := func(guard Guard, word, format string, args ...any) {
		prefix := ""
		if guard != "" {
			prefix = fmt.Sprintf("%-9s", "["+string(guard)+"]")
		}
		fmt.Fprintln(&b, strings.TrimRight(fmt.Sprintf("%s%-8s %s", prefix, word, fmt.Sprintf(format, args...)), " "))
	}
	line("", "scenario", "%s", p.Name)
	if p.Doc != "" {
		line("", "doc", "%s", p.Doc)
	}
	line("", "topo", "%s clients=%d backends=%d", p.Topo.Kind, p.Topo.Clients, p.Topo.Backends)
	for _, s := range p.Config {
		line(s.Guard, "config", "%s", strings.TrimSpace(s.Node+" "+s.Key+"="+s.Value))
	}
	for _, s := range p.Services {
		more := ""
		if s.Affinity > 0 {
			more = " affinity=" + formatDuration(s.Affinity)
		}
		if s.SNAT > 0 {
			more += fmt.Sprintf(" snat=%d", s.SNAT)
		}
		if s.Outer != "" {
			more += " outer=" + s.Outer
		}
		if s.Bare {
			more += " server=" + serverNone
		}
		line(s.Guard, "service", "%s %s %s mode=%s balance=%s%s", s.Name, s.Proto, s.Target(), s.Mode, s.Balance, more)
	}
	for _, t := range p.Traffic {
		line(t.Guard, "traffic", "%s", t)
	}
	for _, c := range p.Chaos {
		line(c.Guard, "chaos", "%s", c)
	}
	for _, a := range p.Always {
		line(a.Guard, "always", "%s", a.Cond)
	}
	for _, s := range p.Sometimes {
		line(s.Guard, "sometimes", "%s", s.Cond)
	}
	if len(p.Control) > 0 {
		line(p.ControlGuard, "control", "%s", strings.Join(p.Control, ", "))
	}
	line(p.TolerateGuard, "tolerate", "stall %s", formatDuration(p.Tolerate))
	var above Step // the last step that was printed with its time; those below inherit its time and guard
	for _, s := range p.Steps {
		at := "@" + formatDuration(s.At)
		if s.Verb == VerbExpect && above.Verb != "" && above.At == s.At && above.Guard == s.Guard {
			at = ""
		} else if s.Random != nil {
			at, above = "", s
		} else {
			above = s
		}
		line(s.Guard, at, "%s", s)
	}
	for _, c := range p.Captures {
		line(c.Guard, "on-failure", "capture %s", c.Where)
	}
	return b.String()
}

// String writes the traffic line without its directive and guard.
func (t Traffic) String() string {
	s := fmt.Sprintf("%s %s %s", t.Name, t.Kind, t.Proto)
	if t.Service != "" {
		s += " service=" + t.Service
	}
	if t.Client != "" {
		s += " client=" + t.Client
	}
	if t.Count != 0 {
		s += fmt.Sprintf(" count=%d", t.Count)
	}
	if t.Every != 0 {
		s += " every=" + formatDuration(t.Every)
	}
	if t.Sample != 0 {
		s += fmt.Sprintf(" sample=%d", t.Sample)
	}
	if t.Rebind != 0 {
		s += " rebind=" + formatDuration(t.Rebind)
	}
	if t.Size != 0 {
		s += fmt.Sprintf(" size=%d", t.Size)
	}
	switch {
	case t.Rate == 0:
	case t.Kind == Bulk:
		s += " rate=" + formatBits(t.Rate)
	default:
		s += " rate=" + formatRate(t.Rate)
	}
	if t.Up {
		s += " way=" + wayUp
	}
	if t.Closer != "" {
		s += " close=" + t.Closer
	}
	if t.Ports != 0 {
		s += fmt.Sprintf(" ports=%d", t.Ports)
	}
	if t.Port != 0 {
		s += fmt.Sprintf(" port=%d", t.Port)
	}
	if t.Half {
		s += " close=" + closeHalf
	}
	if t.From != 0 {
		s += " from=" + formatDuration(t.From)
	}
	if t.Until != 0 {
		s += " until=" + formatDuration(t.Until)
	}
	return s
}

// String writes the step without its time and guard.
func (s Step) String() string {
	switch {
	case s.Random != nil:
		return s.randomly()
	case s.Wait != nil:
		return "wait " + joinConds(s.Wait.Conds) + " within " + s.Wait.Within.String()
	case s.Fault != nil:
		return strings.TrimSpace(s.Verb + " " + s.Fault.Target())
	case s.Expect != nil && s.Expect.Eventually:
		return "end eventually " + s.Expect.String()
	case s.Expect != nil:
		return "expect " + s.Expect.String()
	}
	return s.Verb
}

// String writes the expectation without its verb.
func (e Expect) String() string {
	s := joinConds(e.Conds)
	if e.Within != nil {
		s += " within " + e.Within.String()
	}
	if e.Throughout != nil {
		s += " throughout " + e.Throughout.String()
	}
	return s
}

func joinConds(conds []Cond) string {
	words := make([]string, len(conds))
	for i, c := range conds {
		words[i] = c.String()
	}
	return strings.Join(words, " and ")
}

// String writes the condition as Parse reads it.
func (c Cond) String() string {
	not := func(n bool, then string) string {
		if n {
			return "not " + then
		}
		return then
	}
	switch {
	case c.Role != nil:
		return c.Role.Node + " is " + not(c.Role.Not, c.Role.Role)
	case c.InSync != nil:
		return c.InSync.Node + " " + not(c.InSync.Not, "insync")
	case c.Output != nil:
		return fmt.Sprintf("%s(%s) %s \"%s\"", CheckOutput, c.Output.Program, not(c.Output.Not, "contains"), c.Output.Text)
	case c.Compare != nil:
		return c.Compare.Name() + " " + c.Compare.Op + " " + c.Compare.Value.String()
	}
	return c.Named
}

// Name is the metric with its line of traffic, if any: gap(web).
func (c Compare) Name() string {
	if c.Arg == "" {
		return c.Metric
	}
	return c.Metric + "(" + c.Arg + ")"
}
