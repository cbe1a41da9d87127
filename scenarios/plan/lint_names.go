package plan

import (
	"fmt"
	"slices"

	"baton/scenarios/lab"
)

// serviceName refuses names that a fault reads as something else: cut NAME lb1->client1, flood syn
// NAME from client1.
func (l *linter) serviceName(s Service) {
	_, _, host := lab.ParseName(s.Name)
	switch {
	case slices.Contains(append(lab.KindNames(), links...), s.Name):
		l.errorf(s.Pos, s.Name, "", "service %q: selectors use that word for a link or a kind of packets; use another name", s.Name)
	case slices.Contains(reserved, s.Name):
		l.errorf(s.Pos, s.Name, "", "service %q: that is a word of the language; use another name, such as %s1", s.Name, s.Name)
	case host:
		l.errorf(s.Pos, s.Name, "", "service %q: that is the name of a host; use another name", s.Name)
	}
}

// SameNames reports every plan with the name of an earlier one: their results would have the
// same folder.
func SameNames(plans []*Plan) Diagnostics {
	var found Diagnostics
	first := map[string]*Plan{}
	for _, p := range plans {
		other, taken := first[p.Name]
		if !taken {
			first[p.Name] = p
		} else if p.Name != "" {
			found = append(found, Diagnostic{File: p.File, Pos: p.NamePos,
				Message: fmt.Sprintf("scenario %s: %s:%d has the same name, and so the same folder for its results; use another", p.Name, other.File, other.NamePos.Line)})
		}
	}
	return found
}
