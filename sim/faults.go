package sim

import (
	"context"
	"fmt"
	"time"

	"baton/impl/trace"
	"baton/scenarios"
	"baton/scenarios/fault"
	"baton/scenarios/plan"
)

// receiptLimit is how long a fault may take to have its observable effect (the receipt).
const receiptLimit = 5 * time.Second

// executions maps each verb of package fault to its implementation.
var executions = map[string]func(*World, context.Context, plan.Fault) error{
	fault.Crash:       atOnce((*process).crash, (*World).crashClient, (*World).crashBackend),
	fault.Kill:        atOnce((*process).kill, (*World).killClient, (*World).haltBackend),
	fault.Restore:     atOnce((*process).restore, (*World).restoreClient, (*World).restoreBackend),
	fault.Freeze:      atOnce((*process).freeze, (*World).freezeClient, (*World).freezeBackend),
	fault.Thaw:        atOnce((*process).thaw, (*World).thawClient, (*World).thawBackend),
	fault.Stop:        (*World).stop,
	fault.Handover:    (*World).handover,
	fault.Reload:      (*World).reload,
	fault.Drain:       (*World).drain,
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

// unsupported is the implementation of verbs that Refuses rejects.
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

// hostFault executes a verb on a client or a backend.
type hostFault func(w *World, h *host) (receipt string, ok bool)

// atOnce returns the implementation of a verb that takes effect at once, with one function for
// each kind of machine.
func atOnce(node func(*process) (receipt string, ok bool), client, backend hostFault) func(*World, context.Context, plan.Fault) error {
	return func(w *World, ctx context.Context, f plan.Fault) error {
		for _, name := range f.Hosts {
			p := w.processOf(name)
			if p == nil {
				h, do := &w.hosts[w.hostIndex(name)], backend
				if h.link() == onClients {
					do = client
				}
				if err := w.awaitLeave(ctx, h); err != nil {
					return err
				}
				w.instantFault(f.Verb, name, func() (string, bool) { return do(w, h) })
				continue
			}
			if err := w.awaitFault(ctx, p); err != nil {
				return err
			}
			w.instantFault(f.Verb, name, func() (string, bool) { return node(p) })
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

// instantFault executes a fault that takes effect at once and records its begin and its receipt.
func (w *World) instantFault(verb, host string, do func() (receipt string, ok bool)) {
	f := w.beginFault(trace.Fault{Verb: verb, Target: host, Hosts: []string{host}})
	receipt, ok := do()
	w.endFault(f, receipt, ok)
}

// beginFault numbers a fault and records its begin.
func (w *World) beginFault(f trace.Fault) trace.Fault {
	w.faultID++
	f.ID, f.Phase = w.faultID, "begin"
	w.lastFault = f.What()
	w.record(trace.Event{At: w.now, Kind: trace.KindFault, Fault: &f})
	return f
}

// endFault records a fault's receipt, or that it failed.
func (w *World) endFault(f trace.Fault, receipt string, ok bool) {
	f.Phase, f.Receipt = "receipt", receipt
	if !ok {
		f.Phase = "failed"
	}
	w.record(trace.Event{At: w.now, Kind: trace.KindFault, Fault: &f})
}

const noProcess = "no receipt: no process runs"

// Settle implements scenarios.World.
func (w *World) Settle(ctx context.Context) error {
	for _, p := range w.processes {
		if err := w.awaitFault(ctx, p); err != nil {
			return err
		}
	}
	return nil
}
