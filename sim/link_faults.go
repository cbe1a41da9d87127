package sim

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"baton/impl/trace"
	"baton/scenarios/fault"
	"baton/scenarios/lab"
	"baton/scenarios/link"
	"baton/scenarios/plan"
)

// cut imposes a cut. In virtual time it holds at once, so no proof is measured.
func (w *World) cut(_ context.Context, f plan.Fault) error { return w.impose(f, "drops") }

// lose makes links drop a share of their packets.
func (w *World) lose(_ context.Context, f plan.Fault) error {
	return w.impose(f, fmt.Sprintf("loses %g", f.Share))
}

// impair passes the selected packets through a model of package scenarios/link.
func (w *World) impair(_ context.Context, f plan.Fault) error { return w.impose(f, f.Verb+"s") }

func (w *World) impose(f plan.Fault, does string) error {
	rules, err := w.selected(*f.On)
	if err != nil {
		return err
	}
	began := w.beginFault(trace.Fault{Verb: f.Verb, Target: f.Target(), Directions: w.named(rules)})
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
	w.endFault(began, strings.Join(parts, ", "), true)
	return nil
}

// heal removes the selected rules, or all.
func (w *World) heal(_ context.Context, f plan.Fault) error {
	wanted := slices.Clone(w.cuts)
	if f.On != nil {
		selected, err := w.plan.Topo.Lab().Selected(*f.On)
		if err != nil {
			return fmt.Errorf("sim: %w", err)
		}
		wanted = slices.DeleteFunc(wanted, func(r rule) bool { return !lab.Covers(selected, w.nameOf(r)) })
	}
	began := w.beginFault(trace.Fault{Verb: f.Verb, Target: f.Target(), Directions: w.named(wanted)})
	w.tellLosses(wanted)
	receipt, ok := w.uncut(wanted)
	w.endFault(began, receipt, ok)
	return nil
}

// noteCuts updates isCut: the links that have a rule or a port without carrier.
func (w *World) noteCuts() {
	w.isCut = [linkCount]bool{}
	for _, r := range w.cuts {
		w.isCut[r.link] = true
	}
	for link, ports := range w.ports {
		w.isCut[link] = w.isCut[link] || slices.ContainsFunc(ports, func(p port) bool { return !p.carries() })
	}
}

// port is the state of a host's interface and of the switch port it is plugged into.
type port struct {
	down      bool // the interface is set down
	unplugged bool // the switch port is set down
}

func (p port) carries() bool { return !p.down && !p.unplugged }

// carries reports whether a host has a carrier on a link.
func (w *World) carries(link, host uint8) bool { return w.ports[link][host].carries() }

// setPort returns the verb that sets the carrier of one port or of all ports of a link. It acts on
// the host's interface, or on the switch ports for clients and for a whole switch. The sync
// link is a cable, so only its first end is set.
func setPort(up bool) func(*World, context.Context, plan.Fault) error {
	return func(w *World, _ context.Context, f plan.Fault) error {
		topo, link := w.plan.Topo.Lab(), linkIndex(f.Via)
		hosts, directions := topo.Ports(f.Via), topo.All(f.Via)
		if len(f.Hosts) > 0 {
			hosts, directions = f.Hosts, topo.Port(f.Hosts[0], f.Via)
		} else if link == onSync {
			hosts = hosts[:1]
		}
		began := w.beginFault(trace.Fault{Verb: f.Verb, Target: f.Target(), Directions: directions})
		for _, name := range hosts {
			host := w.hostIndex(name)
			is := w.ports[link][host]
			if kind, _, _ := lab.ParseName(name); link != onSync && len(f.Hosts) == 0 || kind == lab.Client {
				is.unplugged = !up
			} else {
				is.down = !up
			}
			w.setCarrier(link, host, is)
		}
		// As in the namespaces the receipt is the state of the port, not its change: a restore
		// may already have set the port up.
		w.endFault(began, map[bool]string{true: "carrier up", false: "carrier down"}[up], true)
		return nil
	}
}

// powerPort sets a host's interface up, as a boot does. It leaves the switch port as it is.
func (w *World) powerPort(link, host uint8) {
	w.setCarrier(link, host, port{unplugged: w.ports[link][host].unplugged})
}

// setCarrier sets the state of a port. A host that loses its carrier forgets its neighbours; a
// node's daemon gets the new link state.
func (w *World) setCarrier(link, host uint8, is port) {
	w.ports[link][host] = is
	w.noteCuts()
	up := is.carries()
	if host >= 2 {
		if !up {
			w.hosts[host].forgetNeighbours()
		}
		return
	}
	if !up {
		w.forgetPeers(link, host)
	}
	if link == onSync {
		return
	}
	p := w.processes[host]
	state := p.linkState(link)
	state.Up = up
	p.input(p.life, state)
}

// uncut removes rules and returns a receipt.
func (w *World) uncut(wanted []rule) (string, bool) {
	if len(wanted) == 0 {
		return "no receipt: the selector covers no cut", false
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

// tellLosses records how many packets each rule has dropped.
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

// nameOf converts a rule to package lab's form.
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
