package check

import (
	"fmt"
	"slices"
	"strings"

	"baton/impl/clock"
	"baton/impl/trace"
)

// mustBeOpen are the gates that every claim needs. A gate that a node does not have is never
// reported as closed.
var mustBeOpen = []string{"LinksUp", "DataplaneReady", "Reachable", "Arbitrated"}

// forced are the beginnings of the reason of a gate that an unsafe setting holds open. Such a
// gate proves nothing.
var forced = []string{"gates: off", "preempt: immediate"}

// gates judges that nobody became Master in the window without its gates.
func (r *run) gates(f finding, w window) finding {
	var bad []string
	var when []window
	claims := 0
	for _, c := range Claims(r.events) {
		if !w.has(c.At) {
			continue
		}
		claims++
		if c.Unmet != "" {
			bad = append(bad, fmt.Sprintf("%s went from %s to %s at %s (%s) %s; open gates: %s", c.Node, c.Role.From, c.Role.To,
				r.at(c.At), c.Role.Reason, c.Unmet, orElse(strings.Join(c.Open, "+"), "none")))
			when = append(when, point(c.At))
		}
	}
	if len(bad) > 0 {
		return f.fail(fmt.Sprintf("gates over %s: %d of %d claims without their gates: %s", r.span(w), len(bad), claims, some(bad, shown)), when...)
	}
	f.Verdict, f.Detail = Pass, fmt.Sprintf("gates over %s: %d claims, each with its gates", r.span(w), claims)
	return f
}

// Claim is the moment at which a node decided to be Master.
type Claim struct {
	At   clock.Instant
	Node string
	Role trace.Role
	// Unmet says which gates it lacked, "" if none. Open has the open gates, without those
	// that configuration holds open.
	Unmet string
	Open  []string
}

// Claims returns the claims in the events, judged by the gates that the node reports with the
// change of role. A MASTER that resumes after a failed handover is not a claim: it never gave
// up the role.
func Claims(events []trace.Event) []Claim {
	var claims []Claim
	opened := map[string]string{} // node and gate: why it is open
	for _, e := range events {
		if e.Gate != nil {
			opened[e.Node+" "+e.Gate.Name] = e.Gate.Why
		}
		if !claim(e) {
			continue
		}
		open := slices.DeleteFunc(slices.Clone(e.Role.Gates), func(gate string) bool {
			return slices.ContainsFunc(forced, func(f string) bool { return strings.HasPrefix(opened[e.Node+" "+gate], f) })
		})
		truly := func(gate string) bool { return slices.Contains(open, gate) }
		claims = append(claims, Claim{e.At, e.Node, *e.Role, unmet(*e.Role, truly), open})
	}
	return claims
}

// claim reports whether a node decides to be Master in the event.
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
	if !open(gateInSync) && !role.Degraded { // a claim without InSync must be declared degraded
		lacking = append(lacking, gateInSync)
	}
	if len(lacking) == 0 {
		return ""
	}
	return "with " + Listed(lacking) + " closed"
}

// Listed joins words as in "a, b and c".
func Listed(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " and " + words[last]
}
