package plan

import "slices"

// empty refuses plans that prove nothing in a world: nodes without a service, and traffic that never
// runs.
func (l *linter) empty() {
	for _, world := range worlds {
		if l.broken["step"] || !slices.ContainsFunc(l.Steps, func(s Step) bool { return s.Guard.In(world) }) {
			continue // the world skips it
		}
		if l.noService(world) || l.noTime(world) {
			return // report it once
		}
	}
}

// noService reports a world without services. A node refuses an empty list of services in its
// configuration, because it is probably a mistake.
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

// noTime reports a traffic line in a scenario that ends at 0s: traffic starts only after the waits
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
