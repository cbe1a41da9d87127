package sim

import (
	"context"
	"fmt"
	"time"

	"baton/impl/ha"
	"baton/impl/node"
	"baton/impl/trace"
	"baton/scenarios/fault"
	"baton/scenarios/plan"
)

// crash is a power failure: the process, the links and the tables are lost.
func (p *process) crash() (string, bool) {
	if p.life == 0 {
		return noProcess, false
	}
	p.w.dropStream(p)
	p.powered = false
	p.end()
	p.clear()
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
	p.w.closeStream(p)
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
			p.w.powerPort(link, p.index)
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

// thaw resumes a frozen daemon. At random it handles its timer or the queued inputs first, as a
// real process may.
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
		p.w.continueHandshake(p)
	})
	return "process runs", true
}

// controlDelay is the one-way delay of a request and of its answer on the control socket.
const controlDelay = time.Millisecond

// handover is the operator's request on the node's control socket. While the node is frozen the
// request waits there.
func (w *World) handover(ctx context.Context, f plan.Fault) error {
	for _, id := range f.Hosts {
		p := w.processOf(id)
		if err := w.awaitFault(ctx, p); err != nil {
			return err
		}
		w.awaitReceipt(p, w.beginFault(trace.Fault{Verb: f.Verb, Target: id, Hosts: []string{id}}), p.unanswered())
		w.at(w.now.Add(controlDelay), p.ask)
	}
	return nil
}

// reload reloads daemons, with another number of backends if the fault gives one.
func (w *World) reload(ctx context.Context, f plan.Fault) error {
	backends, changed := f.Backends()
	return w.toDaemons(ctx, f, func(p *process) (string, bool) {
		if changed {
			p.tables.Services = w.withBackends(backends)
		}
		switch {
		case p.core == nil || p.frozen:
			return p.unanswered(), false
		case !changed:
			return p.id + ": the services are the same", true
		}
		p.reconfigureChecks()
		p.input(p.life, node.Services{Catalog: p.catalog()})
		if err := p.table.SetServices(p.balanced(), p.tables.VIPs); err != nil {
			return p.id + " refused: " + err.Error(), true
		}
		p.changed()
		return fmt.Sprintf("%s: services have %d backends", p.id, backends), true
	})
}

// ask passes the request to the node once it is not frozen.
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

// unanswered says why a request to the node has no answer.
func (p *process) unanswered() string {
	if p.core == nil {
		return "no receipt: " + fault.NotListening(p.id)
	}
	return "no receipt: " + p.id + " does not answer"
}

// request asks the node to hand over and returns its answer: acceptance or a refusal.
func (p *process) request() (string, bool) {
	if p.core == nil || p.frozen {
		return p.unanswered(), false
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

// stop ends daemons, clients and backends gracefully.
func (w *World) stop(ctx context.Context, f plan.Fault) error {
	for _, id := range f.Hosts {
		p := w.processOf(id)
		if p == nil {
			h := &w.hosts[w.hostIndex(id)]
			if h.link() == onClients {
				w.stopClient(h)
			} else {
				w.instantFault(f.Verb, id, func() (string, bool) { return w.haltBackend(h) })
			}
			continue
		}
		if err := w.awaitFault(ctx, p); err != nil {
			return err
		}
		began := w.beginFault(trace.Fault{Verb: f.Verb, Target: id, Hosts: []string{id}})
		if p.life == 0 {
			w.endFault(began, noProcess, false)
			continue
		}
		asked := w.now
		w.awaitReceipt(p, began, "no receipt: the process still runs")
		p.exited = func() {
			p.exited = nil
			p.settle(fmt.Sprintf("process ended %v after SIGTERM", w.now.Sub(asked)), true)
		}
		if p.core == nil {
			p.end() // it had not booted yet
			p.exited()
			continue
		}
		p.input(p.life, node.Stop{})
	}
	return nil
}

// awaitReceipt notes that a node's fault waits for its receipt. After receiptLimit the fault is
// recorded as failed.
func (w *World) awaitReceipt(p *process, f trace.Fault, late string) {
	p.awaited = &f
	w.at(w.now.Add(receiptLimit), func() {
		if p.awaited != nil && p.awaited.ID == f.ID {
			p.exited = nil
			p.settle(late, false)
		}
	})
}

// settle records the outcome of the awaited fault.
func (p *process) settle(receipt string, ok bool) {
	if f := p.awaited; f != nil {
		p.awaited = nil
		p.w.endFault(*f, receipt, ok)
	}
}

// awaitFault waits until the node's previous fault has its receipt or has failed.
func (w *World) awaitFault(ctx context.Context, p *process) error {
	if p.awaited == nil {
		return nil
	}
	return w.run(ctx, w.now.Add(receiptLimit), func() bool { return p.awaited == nil })
}
