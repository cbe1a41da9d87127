package sim

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"baton/impl/node"
	"baton/impl/trace"
	"baton/scenarios/fault"
	"baton/scenarios/lab"
	"baton/scenarios/link"
	"baton/scenarios/plan"
)

// cut makes a cut hold. In virtual time that is its proof.
func (w *World) cut(_ context.Context, f plan.Fault) error { return w.impose(f, "drops") }

// lose makes links drop a share of their packets.
func (w *World) lose(_ context.Context, f plan.Fault) error {
	return w.impose(f, fmt.Sprintf("loses %g", f.Share))
}

// impair leads what links carry over a model of package scenarios/link.
func (w *World) impair(_ context.Context, f plan.Fault) error { return w.impose(f, f.Verb+"s") }

func (w *World) impose(f plan.Fault, does string) error {
	rules, err := w.selected(*f.On)
	if err != nil {
		return err
	}
	began := w.begun(trace.Fault{Verb: f.Verb, Target: f.Target(), Directions: w.named(rules)})
	parts := make([]string, len(rules))
	for i, r := range rules {
		r.verb, r.share = f.Verb, f.Share
		r.random = NewRandom(w.cfg.Seed, fmt.Sprintf("%s/%d/%s", f.Verb, began.ID, w.ruleName(r)))
		if params, ok := f.Wire(); ok {
			if r.model, err = link.New(params, r.random.Uint64()); err != nil {
				return fmt.Errorf("sim: %w", err)
			}
		}
		if at := slices.IndexFunc(w.cuts, r.same); at < 0 {
			w.cuts = append(w.cuts, r)
			w.noteCuts()
		} else if f.Verb != fault.Cut {
			w.cuts[at] = r
		}
		parts[i] = w.ruleName(r) + ": " + does
	}
	w.proven(began, strings.Join(parts, ", "), true)
	return nil
}

// heal undoes the cuts that are selected, or all.
func (w *World) heal(_ context.Context, f plan.Fault) error {
	wanted := slices.Clone(w.cuts)
	if f.On != nil {
		selected, err := w.plan.Topo.Lab().Selected(*f.On)
		if err != nil {
			return fmt.Errorf("sim: %w", err)
		}
		wanted = slices.DeleteFunc(wanted, func(r rule) bool { return !lab.Covers(selected, w.nameOf(r)) })
	}
	began := w.begun(trace.Fault{Verb: f.Verb, Target: f.Target(), Directions: w.named(wanted)})
	w.tellLosses(wanted)
	receipt, ok := w.uncut(wanted)
	w.proven(began, receipt, ok)
	return nil
}

// noteCuts notes on which links anything is cut, lost or without carrier.
func (w *World) noteCuts() {
	w.isCut = [linkCount]bool{}
	for _, r := range w.cuts {
		w.isCut[r.link] = true
	}
	for link, hosts := range w.down {
		w.isCut[link] = w.isCut[link] || slices.Contains(hosts, true)
	}
}

// setPort is a verb on the carrier of one port, or of all ports of a link.
func setPort(up bool) func(*World, context.Context, plan.Fault) error {
	return func(w *World, _ context.Context, f plan.Fault) error {
		topo := w.plan.Topo.Lab()
		hosts, directions := topo.Ports(f.Via), topo.All(f.Via)
		if len(f.Hosts) > 0 {
			hosts, directions = f.Hosts, topo.Port(f.Hosts[0], f.Via)
		}
		began := w.begun(trace.Fault{Verb: f.Verb, Target: f.Target(), Directions: directions})
		changed := false
		for _, name := range hosts {
			host, link := w.hostIndex(name), linkIndex(f.Via)
			changed = changed || w.down[link][host] == up
			w.carrier(link, host, up)
		}
		w.proven(began, map[bool]string{true: "carrier up", false: "carrier down"}[up], changed)
		return nil
	}
}

// carrier gives a port its carrier, or takes it, and tells the node behind it.
func (w *World) carrier(link, host uint8, up bool) {
	w.down[link][host] = !up
	w.noteCuts()
	if host < 2 && !up {
		w.forgetPeers(link, host)
	}
	if host >= 2 || link == onSync {
		return
	}
	p := w.processes[host]
	p.input(p.life, node.Link{Name: [...]string{onClients: clientSide, onBackends: backendSide}[link], Up: up})
}

// uncut takes rules back.
func (w *World) uncut(wanted []rule) (string, bool) {
	if len(wanted) == 0 {
		return "no receipt: nothing of it is cut", false
	}
	var parts []string
	for _, r := range wanted {
		what, n := "dropped", uint64(r.dropped)
		if r.model != nil {
			what, n = "impaired", r.model.Stats().Packets
		}
		parts = append(parts, fmt.Sprintf("%s healed: %d had been %s", w.ruleName(r), n, what))
	}
	w.cuts = slices.DeleteFunc(w.cuts, func(r rule) bool { return slices.ContainsFunc(wanted, r.same) })
	w.noteCuts()
	return strings.Join(parts, ", "), true
}

// tellLosses puts on record what rules have taken.
func (w *World) tellLosses(rules []rule) {
	for _, r := range rules {
		n := r.dropped
		if r.model != nil {
			n = int(r.model.Stats().Dropped())
		}
		if n > 0 {
			w.record(trace.Event{At: w.now, Kind: trace.KindLoss, Loss: &trace.Loss{Planned: true, Count: n, Where: w.ruleName(r), Why: r.verb}})
		}
	}
}

func (r rule) same(o rule) bool {
	return r.link == o.link && r.from == o.from && r.to == o.to && r.only == o.only && r.verb == o.verb
}

func (w *World) ruleName(r rule) string { return w.nameOf(r).String() }

// nameOf is the rule as package lab has it.
func (w *World) nameOf(r rule) lab.Rule {
	return lab.Rule{Link: linkNames[r.link], From: w.hosts[r.from].name, To: w.hosts[r.to].name, Only: r.only}
}

func (w *World) named(rules []rule) []lab.Rule {
	named := make([]lab.Rule, len(rules))
	for i, r := range rules {
		named[i] = w.nameOf(r)
	}
	return named
}

// selected resolves a selector into rules.
func (w *World) selected(on lab.Selector) ([]rule, error) {
	resolved, err := w.plan.Topo.Lab().Selected(on)
	if err != nil {
		return nil, fmt.Errorf("sim: %w", err)
	}
	rules := make([]rule, len(resolved))
	for i, r := range resolved {
		rules[i] = rule{link: linkIndex(r.Link), from: w.hostIndex(r.From), to: w.hostIndex(r.To), only: r.Only, match: w.plan.Match(r.Only, r.Link)}
	}
	return rules, nil
}
