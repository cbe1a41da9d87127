package plan

import "slices"

// empty refuses plans that a world cannot execute to any purpose: nodes without a service, and
// traffic that has no time.
func (l *linter) empty() {
	for _, world := range worlds {
		if l.broken["step"] || !slices.ContainsFunc(l.Steps, func(s Step) bool { return s.Guard.In(world) }) {
			continue // the world skips it
		}
		if l.noService(world) || l.noTime(world) {
			return // said once
		}
	}
}

// noService reports a world without services. A node has at least one, since an empty list in its
// configuration is more likely a mistake than meant.
func (l *linter) noService(world string) bool {
	if l.broken["service"] || slices.ContainsFunc(l.Services, func(s Service) bool { return s.Guard.In(world) }) {
		return false
	}
	if len(l.Services) == 0 {
		l.errorf(l.NamePos, "", "", "the scenario has no service, and a node needs one; add a line such as: service web tcp 198.18.0.100:80")
	} else {
		s := l.Services[0]
		l.errorf(s.Pos, s.Name, "", "the scenario has no service in %s, and a node needs one; leave out [%s] here, or guard all steps", world, s.Guard)
	}
	return true
}

// noTime reports a line of traffic of a scenario that ends at 0s: traffic begins after the waits
// at 0s.
func (l *linter) noTime(world string) bool {
	i := slices.IndexFunc(l.Steps, func(s Step) bool { return s.Verb == VerbEnd && s.At == 0 && s.Guard.In(world) })
	j := slices.IndexFunc(l.Traffic, func(t Traffic) bool { return t.Guard.In(world) })
	if i < 0 || j < 0 {
		return false
	}
	l.errorf(l.Steps[i].Pos, "", "@1s end", "the scenario ends at 0s, when traffic %q begins", l.Traffic[j].Name)
	return true
}
