package check

import (
	"fmt"
	"slices"
	"strings"

	"baton/impl/trace"
	"baton/scenarios/capability"
	"baton/scenarios/fault"
	"baton/scenarios/plan"
)

// needs lists the capabilities that a check requires of the subject. The other checks need
// only the clients and the wire.
var needs = map[string][]string{
	plan.Gates:       {capability.Gates},
	plan.Announce:    {capability.Roles},
	plan.CheckInSync: {capability.Sync},
	plan.Converged:   {capability.Roles, capability.Sync, capability.Replica},
	plan.Replica:     {capability.Replica},
	plan.Served:      {capability.Lease, capability.Sync},
	plan.Exclusive:   {capability.Lease},
	plan.Kept:        {capability.Replica},
	plan.Rests:       {capability.Roles},
	"detect":         {capability.BFD},
	"sync":           {capability.Sync},
}

// shownBy has, for each capability that consists of events, the events that prove that the
// subject provides it.
var shownBy = map[string]func(trace.Event) bool{
	capability.Roles:   func(e trace.Event) bool { return e.Role != nil },
	capability.Gates:   func(e trace.Event) bool { return e.Gate != nil || e.Role != nil && len(e.Role.Gates) > 0 },
	capability.Lease:   func(e trace.Event) bool { return e.Lease != nil },
	capability.BFD:     func(e trace.Event) bool { return e.BFD != nil },
	capability.Sync:    func(e trace.Event) bool { return e.Sync != nil },
	capability.Replica: func(e trace.Event) bool { return e.Replica != nil },
}

// notShown lists the capabilities that the subject claims to provide but never reported,
// although it served.
func (r *run) notShown() []string {
	served := slices.ContainsFunc(r.others, func(e *trace.Event) bool {
		return e.Forwarder != nil || e.Role != nil && e.Role.To == roleMaster
	})
	if !served {
		return nil
	}
	return slices.DeleteFunc(capability.Names(), func(name string) bool {
		shows := shownBy[name]
		return shows == nil || slices.Contains(r.meta.Lacks, name) || slices.ContainsFunc(r.events, shows)
	})
}

// onlyClaimed names the capabilities that a check needs and that the subject claims but never
// reported, "" if there are none.
func (r *run) onlyClaimed(name string) string {
	claimed := slices.DeleteFunc(slices.Clone(needs[name]), func(needed string) bool { return !slices.Contains(r.unshown, needed) })
	if len(claimed) == 0 {
		return ""
	}
	return "the subject claims to provide " + strings.Join(claimed, ", ") + " but never reported it"
}

// tells reports whether the subject provides a capability and reported it in this run.
func (r *run) tells(name string) bool {
	return !slices.Contains(r.meta.Lacks, name) && !slices.Contains(r.unshown, name)
}

// onTheWire are the roles that can be read from the wire.
var onTheWire = []string{roleMaster, roleBackup}

// lacking names the capabilities that the condition needs and the subject lacks, "" if there
// are none.
func lacking(c plan.Cond, lacks []string) string {
	needed := needs[c.Check()]
	if c.Role != nil && !slices.Contains(onTheWire, c.Role.Role) {
		needed = []string{capability.Roles}
	}
	return notProvided(needed, lacks)
}

func notProvided(needed, lacks []string) string {
	missing := slices.DeleteFunc(slices.Clone(needed), func(name string) bool { return !slices.Contains(lacks, name) })
	if len(missing) == 0 {
		return ""
	}
	return "the subject does not provide " + strings.Join(missing, ", ")
}

// judgeable returns the conditions that can be judged.
func judgeable(conds []plan.Cond, lacks []string) []plan.Cond {
	return slices.DeleteFunc(slices.Clone(conds), func(c plan.Cond) bool { return lacking(c, lacks) != "" })
}

// Unjudgeable says why a run of the plan would prove nothing: the world has none of its steps
// or none of its faults, the subject cannot execute a step, a check of a control cannot be
// judged, or no claim can. It returns "" for a plan that can be judged.
func Unjudgeable(p *plan.Plan, world string, lacks []string) string {
	if len(p.Steps) > 0 && !p.RunsIn(world) {
		return fmt.Sprintf("all steps are guarded by [%s]", p.Steps[0].Guard)
	}
	if why := p.WithoutFaults(world); why != "" {
		return why
	}
	if len(lacks) == 0 {
		return ""
	}
	for _, s := range p.Steps {
		if s.Fault == nil || !s.Guard.In(world) {
			continue
		}
		verb, _ := fault.Of(s.Fault.Verb)
		for _, needed := range verb.Capabilities(s.Fault.Keys()) {
			if slices.Contains(lacks, needed) {
				return fmt.Sprintf("%s: the subject does not provide %s", s, needed)
			}
		}
	}
	if p.IsControl(world) {
		for _, name := range p.Control {
			if why := notProvided(needs[name], lacks); why != "" {
				return "control " + name + ": " + why
			}
		}
	}
	if claims := p.Claims(world); len(claims) > 0 && len(judgeable(claims, lacks)) == 0 {
		return fmt.Sprintf("none of the %d claims can be judged: %s", len(claims), lacking(claims[0], lacks))
	}
	return ""
}
