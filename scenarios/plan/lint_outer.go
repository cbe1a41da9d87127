package plan

// outer reports an outer= on a service that is not encapsulated.
func (l *linter) outer(s Service) {
	if s.Outer != "" && !s.Encapsulated() {
		l.errorf(s.Pos, "outer", "", "service %q: outer has no effect with mode=%s, whose packets get no outer header; leave it out, or use mode=%s", s.Name, s.Mode, ModeDSRIPIP)
	}
}
