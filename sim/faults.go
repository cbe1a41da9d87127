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
	"baton/scenarios/plan"
)

// receiptLimit is how long a fault may take to be seen.
const receiptLimit = 5 * time.Second

// Do implements scenarios.World.
func (w *World) Do(ctx context.Context, fault plan.Fault) error {
	switch fault.Verb {
	case plan.VerbCut:
		return w.cut(ctx, *fault.Cut)
	case plan.VerbHeal:
		target := ""
		if fault.Cut != nil {
			target = fault.Cut.String()
		}
		w.faulted(fault.Verb, target, func() (string, bool) { return w.heal(fault.Cut) })
		return nil
	case plan.VerbStop:
		return w.stop(ctx, fault.Nodes)
	case plan.VerbHandover:
		return w.handover(ctx, fault.Nodes)
	}
	for _, id := range fault.Nodes {
		p := w.processOf(id)
		do := map[string]func() (string, bool){
			plan.VerbCrash: p.crash, plan.VerbKill: p.kill, plan.VerbRestore: p.restore,
			plan.VerbFreeze: p.freeze, plan.VerbThaw: p.thaw,
		}[fault.Verb]
		if do == nil {
			return fmt.Errorf("sim: %s: %w", fault.Verb, scenarios.ErrUnsupported)
		}
		w.faulted(fault.Verb, id, do)
	}
	return nil
}

func (w *World) processOf(id string) *process {
	for _, p := range w.processes {
		if p.id == id {
			return p
		}
	}
	return nil
}

// faulted carries out a fault that takes hold at once, between its begin and its
// receipt.
func (w *World) faulted(verb, target string, do func() (receipt string, ok bool)) {
	w.begun(verb, target)
	receipt, ok := do()
	w.proven(verb, target, receipt, ok)
}

func (w *World) begun(verb, target string) {
	w.lastFault = strings.TrimSpace(verb + " " + target)
	w.record(trace.Event{At: w.now, Kind: trace.KindFault, Fault: &trace.Fault{Verb: verb, Target: target, Phase: "begin"}})
}

func (w *World) proven(verb, target, receipt string, ok bool) {
	phase := "receipt"
	if !ok {
		phase = "failed"
	}
	w.record(trace.Event{At: w.now, Kind: trace.KindFault,
		Fault: &trace.Fault{Verb: verb, Target: target, Phase: phase, Receipt: receipt}})
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
		case p.work.busy:
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
func (w *World) handover(ctx context.Context, nodes []string) error {
	for _, id := range nodes {
		p := w.processOf(id)
		w.begun(plan.VerbHandover, id)
		if err := w.run(ctx, w.now.Add(receiptLimit), func() bool { return !p.frozen }); err != nil {
			return err
		}
		if err := w.run(ctx, w.now.Add(controlDelay), nil); err != nil {
			return err
		}
		receipt, ok := p.request()
		if err := w.run(ctx, w.now.Add(controlDelay), nil); err != nil {
			return err
		}
		w.proven(plan.VerbHandover, id, receipt, ok)
	}
	return nil
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

// stop asks daemons to leave, and waits until they have.
func (w *World) stop(ctx context.Context, nodes []string) error {
	asked := w.now
	left := 0
	for _, id := range nodes {
		p := w.processOf(id)
		w.begun(plan.VerbStop, id)
		if p.life == 0 {
			w.proven(plan.VerbStop, id, noProcess, false)
			continue
		}
		left++
		p.exited = func() {
			p.exited = nil
			left--
			w.proven(plan.VerbStop, id, fmt.Sprintf("process ended %v after SIGTERM", w.now.Sub(asked)), true)
		}
		if p.core == nil {
			p.end() // it had not begun
			p.exited()
			continue
		}
		p.input(p.life, node.Stop{})
	}
	err := w.run(ctx, w.now.Add(receiptLimit), func() bool { return left == 0 })
	for _, id := range nodes {
		if p := w.processOf(id); p.exited != nil {
			p.exited = nil
			w.proven(plan.VerbStop, id, "no receipt: the process still runs", false)
		}
	}
	return err
}

// cut makes a cut hold, and waits until frames have been dropped in each direction.
func (w *World) cut(ctx context.Context, cut plan.Cut) error {
	target := cut.String()
	directions, err := w.directions(cut)
	if err != nil {
		return err
	}
	w.begun(plan.VerbCut, target)
	base := map[rule]int{}
	for _, rules := range directions {
		for _, r := range rules {
			i := w.ruleIndex(r)
			if i < 0 {
				i = len(w.cuts)
				w.cuts = append(w.cuts, r)
				w.isCut[r.link] = true
			}
			base[r] = w.cuts[i].dropped
		}
	}
	seen := func() (string, bool) {
		var parts []string
		all := true
		for _, rules := range directions {
			any := 0
			for _, r := range rules {
				i := w.ruleIndex(r)
				n := w.cuts[i].dropped - base[r]
				any += n
				parts = append(parts, fmt.Sprintf("%s: %d dropped", w.ruleName(r), n))
			}
			all = all && any > 0
		}
		return strings.Join(parts, ", "), all
	}
	// Dropped frames are no events of the trace: look every millisecond.
	end := w.now.Add(receiptLimit)
	for w.now < end {
		if _, all := seen(); all {
			break
		}
		if err := w.run(ctx, min(end, w.now.Add(time.Millisecond)), nil); err != nil {
			return err
		}
	}
	receipt, ok := seen()
	w.proven(plan.VerbCut, target, receipt, ok)
	return nil
}

// heal undoes the cuts that cut describes, or all if it is nil.
func (w *World) heal(cut *plan.Cut) (string, bool) {
	wanted := slices.Clone(w.cuts)
	if cut != nil {
		directions, err := w.directions(*cut)
		if err != nil {
			return err.Error(), false
		}
		wanted = slices.DeleteFunc(wanted, func(r rule) bool {
			return !slices.ContainsFunc(slices.Concat(directions...), r.same)
		})
	}
	if len(wanted) == 0 {
		return "no receipt: nothing of it is cut", false
	}
	var parts []string
	for _, r := range wanted {
		parts = append(parts, fmt.Sprintf("%s healed: %d had been dropped", w.ruleName(r), r.dropped))
	}
	w.cuts = slices.DeleteFunc(w.cuts, func(r rule) bool { return slices.ContainsFunc(wanted, r.same) })
	w.isCut = [linkCount]bool{}
	for _, r := range w.cuts {
		w.isCut[r.link] = true
	}
	return strings.Join(parts, ", "), true
}

func (r rule) same(o rule) bool { return r.link == o.link && r.from == o.from && r.to == o.to }

func (w *World) ruleIndex(r rule) int { return slices.IndexFunc(w.cuts, r.same) }

func (w *World) ruleName(r rule) string {
	return fmt.Sprintf("%s>%s on %s", w.hosts[r.from].name, w.hosts[r.to].name, linkNames[r.link])
}

// directions resolves a cut into the rules of each of its directions.
func (w *World) directions(cut plan.Cut) ([][]rule, error) {
	var directions [][]rule
	for _, d := range cut.Directions() {
		resolved, err := w.plan.Topo.Lab().Resolve(d.From, d.To, d.Via)
		if err != nil {
			return nil, fmt.Errorf("sim: cut %s: %w", d, err)
		}
		var list []rule
		for _, r := range resolved {
			list = append(list, rule{link: linkIndex(r.Link), from: w.hostIndex(r.From), to: w.hostIndex(r.To)})
		}
		directions = append(directions, list)
	}
	return directions, nil
}
