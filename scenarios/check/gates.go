package check

import (
	"fmt"
	"slices"
	"strings"

	"baton/impl/trace"
)

// mustBeOpen are the gates that every claim needs; those that a node does not
// have are not among its closed ones.
var mustBeOpen = []string{"LinksUp", "DataplaneReady", "Reachable", "Arbitrated"}

// gates judges that nobody became Master in the window without its gates, by the
// gates that the node itself reports with the change. What counts is the moment of
// the claim; a node that claims in one step reports them with Master.
func (r *run) gates(f finding, w window) finding {
	var bad []string
	var when []window
	claims := 0
	for _, e := range r.events {
		if !w.has(e.At) || !claim(e) {
			continue
		}
		claims++
		if why := unmet(*e.Role); why != "" {
			bad = append(bad, fmt.Sprintf("%s went from %s to %s at %s (%s) %s; open were %s", e.Node, e.Role.From, e.Role.To,
				r.at(e.At), e.Role.Reason, why, orElse(strings.Join(e.Role.Gates, "+"), "none")))
			when = append(when, point(e.At))
		}
	}
	if len(bad) > 0 {
		return f.fail(fmt.Sprintf("gates over %s: %d of %d claims without their gates: %s", r.span(w), len(bad), claims, some(bad, shown)), when...)
	}
	f.Verdict, f.Detail = Pass, fmt.Sprintf("gates over %s: %d claims, each with its gates", r.span(w), claims)
	return f
}

// claim reports whether the event is the moment at which a node decides to be Master.
func claim(e trace.Event) bool {
	if e.Role == nil || e.Role.From == e.Role.To {
		return false
	}
	return e.Role.To == roleClaiming || e.Role.To == roleMaster && e.Role.From != roleClaiming && e.Role.From != roleYielding
}

// unmet says which gates the claim lacked, "" if none.
func unmet(role trace.Role) string {
	open := func(name string) bool { return slices.Contains(role.Gates, name) }
	for _, name := range mustBeOpen {
		if slices.Contains(role.Closed, name) {
			return "with " + name + " closed"
		}
	}
	if open("Granted") {
		return ""
	}
	var lacking []string
	for _, name := range []string{"NoMaster", "HoldDown"} {
		if !open(name) {
			lacking = append(lacking, name)
		}
	}
	if !open("InSync") && !open("Degraded") && !role.Degraded {
		lacking = append(lacking, "InSync")
	}
	if len(lacking) == 0 {
		return ""
	}
	return "without Granted or " + strings.Join(lacking, ", ")
}
