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

// needs lists the checks that can be judged only of a subject that provides some
// capabilities. The others rest on what clients and the wire show of every subject.
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

// witness tells, of each capability that consists of events, which of them show that a
// subject does provide it.
var witness = map[string]func(trace.Event) bool{
	capability.Roles:   func(e trace.Event) bool { return e.Role != nil },
	capability.Gates:   func(e trace.Event) bool { return e.Gate != nil || e.Role != nil && len(e.Role.Gates) > 0 },
	capability.Lease:   func(e trace.Event) bool { return e.Lease != nil },
	capability.BFD:     func(e trace.Event) bool { return e.BFD != nil },
	capability.Sync:    func(e trace.Event) bool { return e.Sync != nil },
	capability.Replica: func(e trace.Event) bool { return e.Replica != nil },
}

// notShown lists the capabilities that the subject says that it provides, and of which it told
// nothing although it served.
func (r *run) notShown() []string {
	served := slices.ContainsFunc(r.others, func(e *trace.Event) bool {
		return e.Forwarder != nil || e.Role != nil && e.Role.To == roleMaster
	})
	if !served {
		return nil
	}
	return slices.DeleteFunc(capability.Names(), func(name string) bool {
		shows := witness[name]
		return shows == nil || slices.Contains(r.meta.Lacks, name) || slices.ContainsFunc(r.events, shows)
	})
}

// onlyClaimed says which of the capabilities that a check needs the subject claims and does not
// show, "" if none: silence proves nothing.
func (r *run) onlyClaimed(name string) string {
	claimed := slices.DeleteFunc(slices.Clone(needs[name]), func(needed string) bool { return !slices.Contains(r.unshown, needed) })
	if len(claimed) == 0 {
		return ""
	}
	return "the subject is said to provide " + strings.Join(claimed, ", ") + ", and told nothing of it"
}

// tells reports whether the subject provides a capability, and did.
func (r *run) tells(name string) bool {
	return !slices.Contains(r.meta.Lacks, name) && !slices.Contains(r.unshown, name)
}

// onTheWire are the roles that can be read from the wire.
var onTheWire = []string{roleMaster, roleBackup}

// lacking says what the subject does not tell of what the condition needs, "" if it
// can be judged.
func lacking(c plan.Cond, lacks []string) string {
	needed := needs[c.Check()]
	if c.Role != nil && !slices.Contains(onTheWire, c.Role.Role) {
		needed = []string{capability.Roles}
	}
	return untold(needed, lacks)
}

func untold(needed, lacks []string) string {
	missing := slices.DeleteFunc(slices.Clone(needed), func(name string) bool { return !slices.Contains(lacks, name) })
	if len(missing) == 0 {
		return ""
	}
	return "the subject does not provide " + strings.Join(missing, ", ")
}

// told are the conditions that can be judged.
func told(conds []plan.Cond, lacks []string) []plan.Cond {
	return slices.DeleteFunc(slices.Clone(conds), func(c plan.Cond) bool { return lacking(c, lacks) != "" })
}

// Unjudgeable says why a run of the plan in a world would prove nothing about a subject
// that lacks the capabilities, "" if it would: no step or no fault is for the world, the
// subject cannot carry a step out, the checks of a control cannot be judged, or no claim
// at all can.
func Unjudgeable(p *plan.Plan, world string, lacks []string) string {
	if len(p.Steps) > 0 && !p.RunsIn(world) {
		return fmt.Sprintf("each step is for [%s] alone", p.Steps[0].Guard)
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
			if why := untold(needs[name], lacks); why != "" {
				return "control " + name + ": " + why
			}
		}
	}
	if claims := p.Claims(world); len(claims) > 0 && len(told(claims, lacks)) == 0 {
		return fmt.Sprintf("none of the %d claims can be judged: %s", len(claims), lacking(claims[0], lacks))
	}
	return ""
}
