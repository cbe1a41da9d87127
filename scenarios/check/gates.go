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

// forced are the beginnings of a gate's reason where configuration holds it open:
// the bug that unsafe settings re-create. Such a gate proves nothing.
var forced = []string{"gates: off", "preempt: immediate"}

// gates judges that nobody became Master in the window without its gates, by the
// gates that the node itself reports with the change. What counts is the moment of
// the claim; a node that claims in one step reports them with Master. A MASTER
// that takes its role back after a handover failed never gave it up.
func (r *run) gates(f finding, w window) finding {
	var bad []string
	var when []window
	claims := 0
	opened := map[string]string{} // node and gate: why it is open
	for _, e := range r.events {
		if e.Gate != nil {
			opened[e.Node+" "+e.Gate.Name] = e.Gate.Why
		}
		if !w.has(e.At) || !claim(e) {
			continue
		}
		claims++
		truly := func(gate string) bool {
			why := opened[e.Node+" "+gate]
			return slices.Contains(e.Role.Gates, gate) && !slices.ContainsFunc(forced, func(f string) bool { return strings.HasPrefix(why, f) })
		}
		if why := unmet(*e.Role, truly); why != "" {
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
	if e.Role == nil || e.Role.From == e.Role.To || e.Role.From == roleYielding {
		return false
	}
	return e.Role.To == roleClaiming || e.Role.To == roleMaster && e.Role.From != roleClaiming
}

// unmet says which gates the claim lacked, "" if none.
func unmet(role trace.Role, open func(gate string) bool) string {
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
	if !open("InSync") && !role.Degraded { // a claim without it must say so
		lacking = append(lacking, "InSync")
	}
	if len(lacking) == 0 {
		return ""
	}
	return "without Granted, and without " + strings.Join(lacking, " and ")
}
