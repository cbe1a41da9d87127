package plan

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"baton/scenarios/lab"
	"baton/scenarios/metric"
)

// Lint returns the problems of a plan beyond single words: undefined names, steps that cannot follow
// each other, claims that can never be judged.
func Lint(p *Plan) Diagnostics {
	found := lint(p, nil)
	for i := range found {
		found[i].File = p.File
	}
	return found.sorted()
}

// linter collects the problems of one plan.
type linter struct {
	*Plan
	broken map[string]bool // directives with a line that could not be parsed
	found  Diagnostics
}

func lint(p *Plan, broken map[string]bool) Diagnostics {
	l := &linter{Plan: p, broken: broken}
	l.header()
	l.settings()
	l.targets()
	l.services()
	l.empty()
	l.idleSettings()
	l.traffic()
	l.periods()
	l.chaosLines()
	l.control()
	for _, a := range p.Always {
		l.measurable(a.Cond, a.Guard)
	}
	for _, s := range p.Sometimes {
		l.sometime(s)
	}
	l.captures()
	l.timelines()
	return l.found
}

// sometime checks the condition of a sometimes line.
func (l *linter) sometime(s Always) {
	c := s.Cond
	if c.Output != nil {
		l.errorf(s.Pos, "", "", "%s", afterwards(CheckOutput))
		return
	}
	if c.Named != "" && !IsState(c.Named) {
		l.errorf(s.Pos, "", "", "%q is judged over a window; sometimes needs a condition that is true at an instant", c.Named)
		return
	}
	if c.Compare != nil {
		m, _ := metric.Of(c.Compare.Metric)
		l.measured(m, c, s.Guard)
	}
}

// errorf reports an error about a word at or after the position.
func (l *linter) errorf(at Pos, word, suggestion, format string, args ...any) {
	l.found = append(l.found, Diagnostic{Pos: at, Message: fmt.Sprintf(format, args...), Suggestion: suggestion, word: word})
}

// warn reports a line that probably does not say what was meant, with what probably was.
func (l *linter) warn(at Pos, suggestion, format string, args ...any) {
	l.found = append(l.found, Diagnostic{Pos: at, Severity: Warning, Message: fmt.Sprintf(format, args...), Suggestion: suggestion})
}

func (l *linter) header() {
	if l.Name == "" && !l.broken["scenario"] {
		l.errorf(Pos{Line: 1, Column: 1}, "", "", "the scenario has no name; begin with: %s", mustDirective("scenario").usage)
	}
	if len(l.Steps) == 0 && !l.broken["step"] {
		l.errorf(Pos{Line: 1, Column: 1}, "", "", "the scenario has no steps")
	}
	claims := len(l.Always) > 0 || slices.ContainsFunc(l.Steps, func(s Step) bool { return s.Expect != nil })
	if !claims && len(l.Control) == 0 && len(l.Steps) > 0 && len(l.broken) == 0 {
		l.warn(l.NamePos, "", "the scenario claims nothing: add always or expect lines")
	}
}

func (l *linter) captures() {
	for i, c := range l.Captures {
		for _, other := range l.Captures[:i] {
			if c.Where == other.Where && meet(c.Guard, other.Guard) {
				l.errorf(c.Pos, "", "", "%s already keeps the frames of %s", other.Pos, c.Where)
				break
			}
		}
	}
}

func (l *linter) settings() {
	type place struct{ node, key string }
	seen := map[place][]Setting{}
	for _, s := range l.Config {
		at := place{s.Node, s.Key}
		for _, other := range seen[at] {
			if meet(s.Guard, other.Guard) {
				l.errorf(s.Pos, "", "", "%s is set twice; first in %s", s.Key, other.Pos)
				break
			}
		}
		seen[at] = append(seen[at], s)
		if s.IsUnsafe() && len(l.Control) == 0 && !l.broken["control"] {
			l.found = append(l.found, Diagnostic{Pos: s.Pos, Unsafe: true,
				Message: fmt.Sprintf("%s=%s re-creates a bug; only a scenario with a control line may set it", s.Key, s.Value)})
		}
	}
	l.arbiter()
}

// arbiter checks that both nodes have the same arbiter, and that its permission is valid for at
// least two detection times.
func (l *linter) arbiter() {
	world := Sim
	var of [2]time.Duration
	for i, node := range nodes {
		of[i] = l.span(world, node, keyArbiter)
	}
	if a, b := l.Value(world, nodes[0], keyPolicy), l.Value(world, nodes[1], keyPolicy); a != b {
		l.errorf(l.lastOf(world, "", keyPolicy), "", "", "%s is %s for %s and %s for %s; both nodes need the same", keyPolicy, a, nodes[0], b, nodes[1])
	}
	at := l.lastOf(world, "", keyArbiter)
	if of[0] != of[1] {
		l.errorf(at, "", "", "%s is %s for %s and %s for %s; both nodes need the same arbiter", keyArbiter,
			formatDuration(of[0]), nodes[0], formatDuration(of[1]), nodes[1])
	} else if least := 2 * l.Detect(world); of[0] > 0 && of[0] < least {
		l.errorf(at, "", "", "%s=%s is shorter than twice the detection time; use at least %s", keyArbiter, formatDuration(of[0]), formatDuration(least))
	}
}

// lastOf returns the position of the last setting of one of the keys for a node in a world, or
// for any node if it is "".
func (l *linter) lastOf(world, node string, keys ...string) (at Pos) {
	for _, s := range l.Config {
		if slices.Contains(keys, s.Key) && (s.Node == "" || node == "" || s.Node == node) && s.Guard.In(world) {
			at = s.Pos
		}
	}
	return at
}

// meet reports whether there is a world that both guards allow.
func meet(a, b Guard) bool { return a == "" || b == "" || a == b }

func (l *linter) services() {
	for i, s := range l.Services {
		for _, other := range l.Services[:i] {
			switch {
			case s.Name == other.Name && s.Family() != other.Family() && s.VIP != "" && other.VIP != "":
				l.errorf(s.Pos, s.host(), "", "service %q is %s in %s and %s here; a service has one family, so use two names",
					s.Name, other.Family(), other.Pos, s.Family())
			case !meet(s.Guard, other.Guard):
			case s.Name == other.Name:
				l.errorf(s.Pos, s.Name, "", "a second service %q; the first is %s", s.Name, other.Pos)
			case s.VIP == other.VIP && s.VIP != "" && s.Port != 0 && s.Port == other.Port && s.Last == other.Last && s.Proto == other.Proto:
				l.errorf(s.Pos, s.host(), "", "services %q and %q overlap: both are %s %s", other.Name, s.Name, s.Proto, s.Target())
			case s.ID().Overlaps(other.ID()):
				l.errorf(s.Pos, s.host(), "", "services %q and %q overlap: %s crosses %s; a range may lie within another one", other.Name, s.Name, s.Target(), other.Target())
			}
		}
		l.pools(s)
		l.serviceName(s)
		l.outer(s)
		vip, err := netip.ParseAddr(s.VIP)
		if err != nil {
			continue // reported
		}
		if why := l.Topo.Lab().Misplaced(vip); why != "" {
			l.errorf(s.Pos, s.host(), "", "VIP %s %s", s.VIP, why)
		}
	}
}

func (l *linter) traffic() {
	for i, t := range l.Traffic {
		for _, other := range l.Traffic[:i] {
			if t.Name == other.Name && meet(t.Guard, other.Guard) {
				l.errorf(t.Pos, t.Name, "", "a second traffic %q; the first is %s", t.Name, other.Pos)
			}
		}
		if t.Kind == Connects && t.Proto == UDP && (t.Ports > 0 || t.Closer != "") {
			l.errorf(t.Pos, t.Proto, "", "traffic %q: each udp query has its own source port and no connection to close", t.Name)
		} else if t.Kind == Connects && t.Proto == TCP && t.Ports > 0 && t.Closer == "" {
			l.errorf(t.Pos, "ports", "", "traffic %q: a client that closes first keeps a port for %s after each connection; use close=server or close=reset",
				t.Name, formatDuration(timeWait))
		}
		if t.Rebind > 0 && t.Proto == TCP {
			l.errorf(t.Pos, "rebind", "", "traffic %q: a TCP connection cannot change its source port; use flows udp", t.Name)
		} else if every := t.SampleEvery(); t.Rebind > 0 && t.Rebind < every {
			l.errorf(t.Pos, "rebind", "", "traffic %q: each flow sends a request every %s; rebind must not be shorter", t.Name, formatDuration(every))
		}
		if t.Half && t.Proto == SCTP {
			l.errorf(t.Pos, closeHalf, "", "traffic %q: SCTP has no half-closed state (RFC 9260 1.4); leave close out", t.Name)
		}
		if t.Sample > t.Count {
			l.errorf(t.Pos, "sample", "", "traffic %q: the sample of %d is larger than its %d flows; lower it, or leave it out for up to %d", t.Name, t.Sample, t.Count, DefaultSample)
		}
		if all := float64(t.Count) * t.Rate; t.Kind == Bulk && all > maxBits {
			l.errorf(t.Pos, "rate", "", "traffic %q: %d transfers add up to %s; a line has at most %s", t.Name, t.Count, formatBits(all), formatBits(maxBits))
		}
		if t.Client != "" {
			l.sender(t)
		}
		l.trafficTimes(t)
		if !l.broken["service"] {
			l.trafficService(t)
		}
	}
	l.tooMany()
}

// sender checks that the line comes from a client of the topology.
func (l *linter) sender(t Traffic) {
	if kind, _, ok := lab.ParseName(t.Client); ok && kind != lab.Client {
		l.errorf(t.Pos, t.Client, "", "traffic %q: %s is a %s, but traffic comes from a client", t.Name, t.Client, kind.Noun())
		return
	}
	l.host(t.Pos, t.Client)
}

// trafficTimes checks that the line starts and stops before the end of the scenario.
func (l *linter) trafficTimes(t Traffic) {
	if t.Until > 0 && t.Until <= t.From {
		l.errorf(t.Pos, formatDuration(t.Until), "", "traffic %q stops at %s, but starts at %s", t.Name, formatDuration(t.Until), formatDuration(t.From))
		return
	}
	for _, world := range worlds {
		if end := l.endAt(world); t.Guard.In(world) && len(l.Steps) > 0 && max(t.From, t.Until) > 0 && max(t.From, t.Until) >= end {
			l.errorf(t.Pos, formatDuration(max(t.From, t.Until)), "", "traffic %q starts or stops at %s, not before the end at %s", t.Name,
				formatDuration(max(t.From, t.Until)), formatDuration(end))
			return
		}
	}
}

// trafficService checks that the line's service exists in every world in which the line runs,
// and has its protocol.
func (l *linter) trafficService(t Traffic) {
	var names []string
	var guards []Guard
	for _, s := range l.Services {
		names = append(names, s.Name)
		switch {
		case s.Name != t.Service:
		case s.Proto != t.Proto:
			l.errorf(t.Pos, t.Service, "", "traffic %q is %s, but service %q is %s", t.Name, t.Proto, s.Name, s.Proto)
			return
		case s.Bare:
			l.errorf(t.Pos, t.Service, "", "traffic %q: service %q has server=%s, so nothing echoes", t.Name, t.Service, serverNone)
			return
		case !s.ID().Has(t.PortOf(s)):
			l.errorf(t.Pos, "port", "", "traffic %q: port %d is not one of service %q, %s", t.Name, t.Port, s.Name, s.Target())
			return
		default:
			guards = append(guards, s.Guard)
		}
	}
	switch {
	case t.Service == "" && !slices.ContainsFunc(l.Services, func(s Service) bool { return s.Proto == t.Proto }):
		l.errorf(t.Pos, "", "", "traffic %q: there is no %s service", t.Name, t.Proto)
	case t.Service == "":
		l.errorf(t.Pos, "", "", "traffic %q: which service? There are several for %s; add service=NAME", t.Name, t.Proto)
	case len(guards) == 0:
		l.errorf(t.Pos, t.Service, Nearest(t.Service, names), "unknown service %q", t.Service)
	case !covers(guards, t.Guard):
		l.errorf(t.Pos, t.Service, "", "service %q is guarded, but traffic %q is not", t.Service, t.Name)
	}
}

// covers reports whether at least one of the guards holds in every world of a guard.
func covers(guards []Guard, of Guard) bool {
	for _, world := range worlds {
		if of.In(world) && !slices.ContainsFunc(guards, func(g Guard) bool { return g.In(world) }) {
			return false
		}
	}
	return true
}

// control checks that each check of the control line has a claim, stated or implied by its name.
func (l *linter) control() {
	for _, name := range l.Control {
		_, implied := Implied(name)
		stated := name == CheckLeaks || name == CheckWait && l.has(VerbWait)
		for _, world := range worlds {
			stated = stated || slices.ContainsFunc(l.Conditions(world), func(c Cond) bool { return c.Check() == name })
		}
		if !implied && !stated && !l.broken["step"] && !l.broken["always"] {
			l.errorf(l.ControlPos, name, "", "control %s: the scenario has no claim of that check", name)
		}
		if c, ok := Implied(name); ok && !stated {
			c.Pos = l.ControlPos
			l.measurable(c, l.ControlGuard)
		}
	}
}

func (l *linter) has(verb string) bool {
	return slices.ContainsFunc(l.Steps, func(s Step) bool { return s.Verb == verb })
}

// atOnce checks a condition that must be true at some instant.
func (l *linter) atOnce(c Cond, g Guard) {
	l.measurable(c, g)
	switch {
	case c.Named != "" && !IsState(c.Named):
		l.errorf(c.Pos, "", "", "%q is judged over a window; use always, or expect without within", c.Named)
	case c.Output != nil:
		l.errorf(c.Pos, "", "", "%s", afterwards(CheckOutput))
	case c.Compare != nil:
		l.comesToHold(c)
	}
}

// comesToHold refuses comparisons that are true from the begin, such as "rst == 0 within 5s",
// and comparisons of metrics that have no value before the end of the run.
func (l *linter) comesToHold(c Cond) {
	m, _ := metric.Of(c.Compare.Metric)
	switch {
	case !m.Now:
		l.errorf(c.Pos, "", "", "%s is judged over a window; leave out within", c.Compare.Name())
	case m.Grows && (strings.HasPrefix(c.Compare.Op, "<") || c.Compare.Op == "==" && c.Compare.Value.zero()):
		l.errorf(c.Pos, "", "", "%s is true from the start and can only become false; use throughout", c)
	}
}

// measurable checks that the plan has the traffic and the faults that the condition needs.
func (l *linter) measurable(c Cond, g Guard) {
	switch {
	case c.Compare != nil:
		m, _ := metric.Of(c.Compare.Metric)
		l.measured(m, c, g)
		l.certain(c, g)
	case c.Output != nil:
		l.ran(c, c.Output.Program, g)
	case c.Named == Sticky:
		m, _ := metric.Of("moved")
		l.measured(m, c, g)
	}
}

func (l *linter) measured(m metric.Metric, c Cond, g Guard) {
	arg := ""
	if c.Compare != nil {
		arg = c.Compare.Arg
	}
	if m.PerProgram {
		l.ran(c, arg, g)
	}
	if len(m.Of) > 0 && !l.broken["traffic"] {
		var names, all []string
		var guards []Guard
		for _, t := range l.Traffic {
			all = append(all, t.Name)
			if !slices.Contains(m.Of, t.Kind) {
				continue
			}
			names = append(names, t.Name)
			if arg == "" || t.Name == arg {
				guards = append(guards, t.Guard)
			}
		}
		switch {
		case arg != "" && !slices.Contains(all, arg):
			l.errorf(c.Pos, arg, Nearest(arg, names), "unknown traffic %q", arg)
		case arg != "" && len(guards) == 0:
			l.errorf(c.Pos, arg, "", "%s is not measured for traffic %q, only for %s", m.Name, arg, oneOf(m.Of))
		case len(guards) == 0:
			l.errorf(c.Pos, "", "", "%s can never be judged: there is no traffic of %s", c, oneOf(m.Of))
		case !covers(guards, g):
			l.errorf(c.Pos, "", "", "%s can be judged in one world only: its traffic is guarded, the claim is not", c)
		}
	}
	if len(m.After) > 0 && !slices.ContainsFunc(m.After, l.has) && !l.broken["step"] {
		l.errorf(c.Pos, "", "", "%s can never be judged: there is no %s", c, oneOf(m.After))
	}
}
