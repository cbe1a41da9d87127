package sim

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"baton/impl/ha"
	"baton/impl/node"
	"baton/impl/trace"
	"baton/scenarios"
	"baton/scenarios/fault"
	"baton/scenarios/lab"
	"baton/scenarios/link"
	"baton/scenarios/plan"
)

// receiptLimit is how long a fault may take to be seen.
const receiptLimit = 5 * time.Second

// executions has what carries out each verb of package fault.
var executions = map[string]func(*World, context.Context, plan.Fault) error{
	fault.Crash:       atOnce((*process).crash, (*World).crashBackend),
	fault.Kill:        atOnce((*process).kill, (*World).haltBackend),
	fault.Restore:     atOnce((*process).restore, (*World).restoreBackend),
	fault.Freeze:      atOnce((*process).freeze, (*World).freezeBackend),
	fault.Thaw:        atOnce((*process).thaw, (*World).thawBackend),
	fault.Stop:        (*World).stop,
	fault.Handover:    (*World).handover,
	fault.Reload:      (*World).reload,
	fault.Upgrade:     (*World).upgrade,
	fault.Cut:         (*World).cut,
	fault.Heal:        (*World).heal,
	fault.Lose:        (*World).lose,
	fault.Delay:       (*World).impair,
	fault.Duplicate:   (*World).impair,
	fault.Reorder:     (*World).impair,
	fault.Corrupt:     (*World).impair,
	fault.Limit:       (*World).impair,
	fault.Down:        setPort(false),
	fault.Up:          setPort(true),
	fault.Deaf:        setDeaf(true),
	fault.Hears:       setDeaf(false),
	fault.Flood:       (*World).flood,
	fault.Starve:      (*World).starve,
	fault.Feed:        (*World).feed,
	fault.Step:        (*World).stepClocks,
	fault.Map:         (*World).breakNodes,
	fault.Events:      (*World).breakNodes,
	fault.Mend:        (*World).mendNodes,
	fault.Certificate: (*World).certify,
	fault.Disk:        unsupported,
	fault.Clear:       unsupported,
	fault.Renew:       (*World).certify,
	fault.Run:         func(*World, context.Context, plan.Fault) error { return scenarios.ErrUnsupported }, // Refuses says why
}

// unsupported stands for what Refuses says why it cannot be done.
func unsupported(*World, context.Context, plan.Fault) error { return scenarios.ErrUnsupported }

// Refuses implements scenarios.Able.
func (w *World) Refuses(f plan.Fault) string {
	_, files := f.Files()
	switch {
	case f.Verb == fault.Run:
		return "the simulator runs no programs"
	case executions[f.Verb] == nil:
		return "no execution of " + f.Verb
	case files:
		return "a node of the simulator opens no files"
	case f.Verb == fault.Disk || f.Verb == fault.Clear:
		return "a node of the simulator has no disk"
	case f.Memory() > 0:
		return "a node of the simulator shares the memory of the simulation"
	}
	return ""
}

// Do implements scenarios.World.
func (w *World) Do(ctx context.Context, f plan.Fault) error {
	if why := w.Refuses(f); why != "" {
		return fmt.Errorf("sim: %s: %w", why, scenarios.ErrUnsupported)
	}
	return executions[f.Verb](w, ctx, f)
}

// atOnce is a verb that takes hold of each of its machines at once.
func atOnce(node func(*process) (receipt string, ok bool), backend func(*World, *host) (receipt string, ok bool)) func(*World, context.Context, plan.Fault) error {
	return func(w *World, ctx context.Context, f plan.Fault) error {
		for _, name := range f.Hosts {
			p := w.processOf(name)
			if p == nil {
				w.faulted(f.Verb, name, func() (string, bool) { return backend(w, &w.hosts[w.hostIndex(name)]) })
				continue
			}
			if err := w.turn(ctx, p); err != nil {
				return err
			}
			w.faulted(f.Verb, name, func() (string, bool) { return node(p) })
		}
		return nil
	}
}

func (w *World) processOf(id string) *process {
	for _, p := range w.processes {
		if p.id == id {
			return p
		}
	}
	return nil
}

// faulted carries out a fault of a node that takes hold at once, between its begin and
// its receipt.
func (w *World) faulted(verb, host string, do func() (receipt string, ok bool)) {
	f := w.begun(trace.Fault{Verb: verb, Target: host, Hosts: []string{host}})
	receipt, ok := do()
	w.proven(f, receipt, ok)
}

// begun puts the begin of a fault on record, and numbers it.
func (w *World) begun(f trace.Fault) trace.Fault {
	w.faultID++
	f.ID, f.Phase = w.faultID, "begin"
	w.lastFault = f.What()
	w.record(trace.Event{At: w.now, Kind: trace.KindFault, Fault: &f})
	return f
}

func (w *World) proven(f trace.Fault, receipt string, ok bool) {
	f.Phase, f.Receipt = "receipt", receipt
	if !ok {
		f.Phase = "failed"
	}
	w.record(trace.Event{At: w.now, Kind: trace.KindFault, Fault: &f})
}

const noProcess = "no receipt: no process runs"

// crash is a power failure: process, links and tables are gone.
func (p *process) crash() (string, bool) {
	if p.life == 0 {
		return noProcess, false
	}
	p.w.vanish(p)
	p.powered = false
	p.end()
	for _, link := range pathLinks {
		p.w.forgetPeers(link, p.index)
	}
	return "process gone; carrier down", true
}

// kill is SIGKILL of the daemon. The kernel closes its sockets.
func (p *process) kill() (string, bool) {
	if p.life == 0 {
		return noProcess, false
	}
	p.w.hangUp(p)
	p.end()
	return "process gone", true
}

func (p *process) restore() (string, bool) {
	if p.life != 0 {
		return "no receipt: the process runs already", false
	}
	carrier := "links were up"
	if !p.powered {
		p.powered = true
		for link := range uint8(linkCount) {
			p.w.carrier(link, p.index, true)
		}
		p.setClock()
		carrier = "carrier up"
	}
	p.start()
	return carrier + "; process started", true
}

func (p *process) freeze() (string, bool) {
	if p.life == 0 {
		return noProcess, false
	}
	p.frozen = true
	p.freezes++
	if p.ration != nil {
		p.ration.paused = false
	}
	return "process stopped", true
}

// thaw lets a frozen daemon run on. Whether it first sees its timer or what has
// come meanwhile is as open as in a real process.
func (p *process) thaw() (string, bool) {
	if p.life == 0 || !p.frozen {
		return "no receipt: no process is frozen", false
	}
	p.frozen = false
	life := p.life
	p.w.at(p.w.now.Add(p.random.Between(0, thawWindow)), func() {
		switch {
		case p.life != life || p.frozen:
		case p.busy():
			p.finish(life)
		default:
			if p.core != nil && p.random.Chance(0.5) {
				p.step(node.Timer{})
			}
			p.takeInbox()
		}
	})
	return "process runs", true
}

// controlDelay is how long a request takes on the control socket, and so does its answer.
const controlDelay = time.Millisecond

// handover is the operator's request on the node's control socket, where it waits
// for a node that stands still.
func (w *World) handover(ctx context.Context, f plan.Fault) error {
	for _, id := range f.Hosts {
		p := w.processOf(id)
		if err := w.turn(ctx, p); err != nil {
			return err
		}
		w.unsettled(p, w.begun(trace.Fault{Verb: f.Verb, Target: id, Hosts: []string{id}}), "no receipt: the node does not answer")
		w.at(w.now.Add(controlDelay), p.ask)
	}
	return nil
}

// reload has daemons take over their services, with so many backends if the fault says so.
func (w *World) reload(ctx context.Context, f plan.Fault) error {
	backends, changed := f.Backends()
	return w.toDaemons(ctx, f, func(p *process) (string, bool) {
		if changed {
			p.tables.Services = w.withBackends(backends)
		}
		switch {
		case p.core == nil || p.frozen:
			return "no receipt: the node does not answer", false
		case !changed:
			return p.id + ": the services are the same", true
		}
		p.reconfigureChecks()
		if err := p.table.SetServices(p.balanced()); err != nil {
			return p.id + " refused: " + err.Error(), true
		}
		p.changed()
		return fmt.Sprintf("%s: services have %d backends", p.id, backends), true
	})
}

// ask hands the request to the node as soon as it does not stand still.
func (p *process) ask() {
	switch {
	case p.awaited == nil:
	case p.frozen:
		p.w.at(p.w.now.Add(controlDelay), p.ask)
	default:
		receipt, ok := p.request()
		p.w.at(p.w.now.Add(controlDelay), func() { p.settle(receipt, ok) })
	}
}

// request is answered by the node, whether it does what it is asked or says why not.
func (p *process) request() (string, bool) {
	if p.core == nil || p.frozen {
		return "no receipt: the node does not answer", false
	}
	if role := p.core.Role(); role != ha.Master {
		return fmt.Sprintf("%s refused: this node is %s; only a MASTER can hand over", p.id, role), true
	}
	p.refused = ""
	p.input(p.life, node.Handover{})
	if p.refused != "" {
		return p.id + " refused: " + p.refused, true
	}
	return p.id + " took the request", true
}

// stop asks daemons to leave.
func (w *World) stop(ctx context.Context, f plan.Fault) error {
	for _, id := range f.Hosts {
		p := w.processOf(id)
		if p == nil {
			w.faulted(f.Verb, id, func() (string, bool) { return w.haltBackend(&w.hosts[w.hostIndex(id)]) })
			continue
		}
		if err := w.turn(ctx, p); err != nil {
			return err
		}
		began := w.begun(trace.Fault{Verb: f.Verb, Target: id, Hosts: []string{id}})
		if p.life == 0 {
			w.proven(began, noProcess, false)
			continue
		}
		asked := w.now
		w.unsettled(p, began, "no receipt: the process still runs")
		p.exited = func() {
			p.exited = nil
			p.settle(fmt.Sprintf("process ended %v after SIGTERM", w.now.Sub(asked)), true)
		}
		if p.core == nil {
			p.end() // it had not begun
			p.exited()
			continue
		}
		p.input(p.life, node.Stop{})
	}
	return nil
}

// unsettled notes that a fault of a node waits for its receipt, which does not come if
// it takes longer than receiptLimit.
func (w *World) unsettled(p *process, f trace.Fault, late string) {
	p.awaited = &f
	w.at(w.now.Add(receiptLimit), func() {
		if p.awaited != nil && p.awaited.ID == f.ID {
			p.exited = nil
			p.settle(late, false)
		}
	})
}

// settle puts what came of the awaited fault on record.
func (p *process) settle(receipt string, ok bool) {
	if f := p.awaited; f != nil {
		p.awaited = nil
		p.w.proven(*f, receipt, ok)
	}
}

// turn waits until what was done to a node has come to its end.
func (w *World) turn(ctx context.Context, p *process) error {
	if p.awaited == nil {
		return nil
	}
	return w.run(ctx, w.now.Add(receiptLimit), func() bool { return p.awaited == nil })
}

// Settle implements scenarios.World.
func (w *World) Settle(ctx context.Context) error {
	for _, p := range w.processes {
		if err := w.turn(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// cut makes a cut hold. In virtual time that is its proof.
func (w *World) cut(_ context.Context, f plan.Fault) error { return w.impose(f, "drops") }

// lose makes links lose a share of what they carry.
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
