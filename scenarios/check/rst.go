package check

import (
	"fmt"
	"slices"

	"baton/impl/trace"
)

// rst counts the TCP resets captured at the edges in the window, and attributes each.
func (r *run) rst(w window) []sample {
	if r.totals("rst", "") == nil && !slices.ContainsFunc(r.others, func(e *trace.Event) bool { return e.RST != nil }) {
		return nil // no traffic that could be reset
	}
	var found examples
	var when []window
	for _, e := range r.others {
		if e.RST != nil && w.has(e.At) {
			found.add(func() string { return r.attribute(e) })
			when = append(when, point(e.At))
		}
	}
	return one(w, float64(found.count), found.String(), when...)
}

// attribute describes a RST: the flow, who sent it, through which node, that node's role and
// entry for the flow, and the latest fault.
func (r *run) attribute(e *trace.Event) string {
	x := e.RST
	what := fmt.Sprintf("%s from %s at the %s edge at %s", x.Flow, orElse(x.Origin, x.Sender), x.Edge, r.at(e.At))
	if x.Origin != "" && x.Origin != x.Sender {
		what += " through " + x.Sender
	}
	if x.LB != "" {
		what += fmt.Sprintf(" (%s was %s, entry %s, %s)", x.LB, orElse(x.Role, "without a role"), orElse(x.Entry, "unknown"), r.since(e.At))
	}
	return what
}
