package plan

import "fmt"

// SameNames reports every plan that has the name of an earlier one: a run of one would
// replace the results of the other.
func SameNames(plans []*Plan) Diagnostics {
	var found Diagnostics
	first := map[string]*Plan{}
	for _, p := range plans {
		other, taken := first[p.Name]
		if !taken {
			first[p.Name] = p
		} else if p.Name != "" {
			found = append(found, Diagnostic{File: p.File, Pos: p.NamePos,
				Message: fmt.Sprintf("scenario %s is the name of %s:%d too, and each run's folder has its scenario's name; write another", p.Name, other.File, other.NamePos.Line)})
		}
	}
	return found
}
