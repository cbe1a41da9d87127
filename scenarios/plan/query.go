package plan

import (
	"slices"
	"strings"
	"time"
)

// In reports whether a line with this guard belongs to the world.
func (g Guard) In(world string) bool { return g == "" || string(g) == world }

// NotExecuted lists the lines that the world does not execute, as canonical text. Every report
// shows them beside the verdict.
func (p *Plan) NotExecuted(world string) []string {
	var lines []string
	add := func(g Guard, text string) {
		if !g.In(world) {
			lines = append(lines, "["+string(g)+"] "+text)
		}
	}
	for _, s := range p.Config {
		add(s.Guard, "config "+s.Key+"="+s.Value)
	}
	for _, s := range p.Services {
		add(s.Guard, "service "+s.Name)
	}
	for _, t := range p.Traffic {
		add(t.Guard, "traffic "+t.Name)
	}
	for _, c := range p.Chaos {
		add(c.Guard, "chaos "+c.String())
	}
	for _, a := range p.Always {
		add(a.Guard, "always "+a.Cond.String())
	}
	for _, s := range p.Sometimes {
		add(s.Guard, "sometimes "+s.Cond.String())
	}
	if len(p.Control) > 0 {
		add(p.ControlGuard, "control")
	}
	for _, s := range p.Steps {
		add(s.Guard, "@"+formatDuration(s.At)+" "+s.String())
	}
	return lines
}

// WithoutFaults returns a reason if the plan has faults or chaos but the world has none of them:
// a run would pass without testing anything. It is "" otherwise.
func (p *Plan) WithoutFaults(world string) string {
	here := false
	p.eachFault(func(g Guard, _ string) { here = here || g.In(world) })
	if elsewhere := p.FaultsOfOneWorld(); !here && len(elsewhere) > 0 {
		return "all its faults are guarded for the other world: " + strings.Join(elsewhere, "; ")
	}
	return ""
}

// FaultsOfOneWorld lists the guarded faults and chaos, as canonical text. Because of them the two
// worlds run different scenarios.
func (p *Plan) FaultsOfOneWorld() (lines []string) {
	p.eachFault(func(g Guard, text string) {
		if g != "" {
			lines = append(lines, "["+string(g)+"] "+text)
		}
	})
	return lines
}

// eachFault calls f with each fault and chaos of the plan, as canonical text.
func (p *Plan) eachFault(f func(g Guard, text string)) {
	for _, c := range p.Chaos {
		if c.Key != chaosUntil {
			f(c.Guard, "chaos "+c.String())
		}
	}
	for _, s := range p.Steps {
		if s.Fault != nil {
			f(s.Guard, "@"+formatDuration(s.At)+" "+s.String())
		}
	}
}

// RunsIn reports whether a world executes any step of the plan.
func (p *Plan) RunsIn(world string) bool {
	return slices.ContainsFunc(p.Steps, func(s Step) bool { return s.Guard.In(world) })
}

// Anchor returns the index of the step from whose begin an expectation counts: the nearest step
// above it with the same time that is not an expectation, or else the expectation itself. For
// other steps it is the step itself.
func (p *Plan) Anchor(i int) int {
	s := p.Steps[i]
	if s.Verb != VerbExpect {
		return i
	}
	first := i
	for j := i - 1; j >= 0 && p.Steps[j].At == s.At; j-- {
		other := p.Steps[j]
		if other.Guard != "" && other.Guard != s.Guard {
			continue
		}
		if other.Verb != VerbExpect {
			return j
		}
		first = j
	}
	return first
}

// Unsafe lists the settings that re-create historical bugs. Only controls may have them, unless
// the caller allows unsafe settings.
func (p *Plan) Unsafe() []Setting {
	var unsafe []Setting
	for _, s := range p.Config {
		if s.IsUnsafe() {
			unsafe = append(unsafe, s)
		}
	}
	return unsafe
}

// IsControl reports whether the scenario reproduces a bug on purpose in that world.
func (p *Plan) IsControl(world string) bool { return len(p.Control) > 0 && p.ControlGuard.In(world) }

// Value is the value of a key for a node in a world, its default if no line sets it. The last
// line wins, and a line for the node wins over one for both.
func (p *Plan) Value(world, node, key string) string {
	k, _ := KeyOf(key)
	value := k.Default
	if v, ok := k.NodeDefault[node]; ok {
		value = v
	}
	for _, scope := range []string{"", node} {
		for _, s := range p.Config {
			if s.Key == key && s.Node == scope && s.Guard.In(world) {
				value = s.Value
			}
		}
	}
	return value
}

// Simulated returns a key that is set in a world and that only the simulator has, "" if there is
// none.
func (p *Plan) Simulated(world string) string {
	for _, s := range p.Config {
		if k, _ := KeyOf(s.Key); k.Simulated && s.Guard.In(world) && s.Value != k.Default {
			return s.Key
		}
	}
	return ""
}

// Detect is the longer detection time of the two nodes, by their configuration (RFC 5880 6.8.4).
// The trace has the negotiated one.
func (p *Plan) Detect(world string) time.Duration {
	var detect time.Duration
	for i, node := range nodes {
		peer := nodes[1-i]
		interval := max(p.span(world, peer, "bfd.tx"), p.span(world, node, "bfd.rx"))
		detect = max(detect, p.mult(world, peer)*interval)
	}
	return detect
}

// Hold is the longer of the two nodes' configured recovery delays.
func (p *Plan) Hold(world string) time.Duration {
	return max(p.span(world, nodes[0], "ha.hold"), p.span(world, nodes[1], "ha.hold"))
}

// Validity is how long the arbiter's permission to act alone is valid, 0 without an arbiter.
func (p *Plan) Validity(world string) time.Duration { return p.span(world, nodes[0], keyArbiter) }

func (p *Plan) span(world, node, key string) time.Duration {
	d, _ := time.ParseDuration(p.Value(world, node, key))
	return d
}

// Env gives expressions their configured values.
func (p *Plan) Env(world string) Env {
	return func(name string) (time.Duration, bool) {
		switch name {
		case "detect":
			return p.Detect(world), true
		case "hold":
			return p.Hold(world), true
		case "track":
			return p.Track(world), true
		}
		return 0, false
	}
}

// Conditions lists all conditions of the plan in a world: its claims and its waits.
func (p *Plan) Conditions(world string) []Cond {
	conds := p.Claims(world)
	for _, s := range p.Steps {
		if s.Wait != nil && s.Guard.In(world) {
			conds = append(conds, s.Wait.Conds...)
		}
	}
	return conds
}

// Claims lists the conditions of the plan in a world, without those of waits.
func (p *Plan) Claims(world string) []Cond {
	var conds []Cond
	for _, a := range p.Always {
		if a.Guard.In(world) {
			conds = append(conds, a.Cond)
		}
	}
	for _, s := range p.Steps {
		if s.Expect != nil && s.Guard.In(world) {
			conds = append(conds, s.Expect.Conds...)
		}
	}
	return conds
}

// SubjectOptions returns the options that the plan sets for its subject in a world.
func (p *Plan) SubjectOptions(world string) map[string]string {
	options := map[string]string{}
	for _, s := range p.Config {
		if name, ok := strings.CutPrefix(s.Key, KeySubject+"."); ok && s.Guard.In(world) {
			options[name] = s.Value
		}
	}
	return options
}

// KeepsServing reports whether a MASTER goes on without the arbiter.
func (p *Plan) KeepsServing(world string) bool {
	return p.Value(world, nodes[0], keyPolicy) != failClosed
}
