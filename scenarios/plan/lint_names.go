package plan

import "fmt"

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
