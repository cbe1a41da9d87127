package netns

import (
	"context"
	"errors"
	"fmt"
	"time"

	"baton/impl/daemon/control"
	"baton/impl/trace"
	"baton/netns/internal/hostclock"
	"baton/scenarios/plan"
)

// receiptLimit is how long a fault may take to be seen. It bounds a stop too,
// which waits for the node to end in order.
const receiptLimit = 5 * time.Second

// Do implements scenarios.World.
func (w *World) Do(ctx context.Context, fault plan.Fault) error {
	switch fault.Verb {
	case plan.VerbCut:
		return w.fault(ctx, fault.Verb, fault.Cut.String(), func(ctx context.Context) (string, error) {
			return w.pair.Cut(ctx, *fault.Cut)
		})
	case plan.VerbHeal:
		target := ""
		if fault.Cut != nil {
			target = fault.Cut.String()
		}
		return w.fault(ctx, fault.Verb, target, func(context.Context) (string, error) { return w.pair.Heal(fault.Cut) })
	}
	return w.each(fault.Nodes, func(node string) error {
		return w.fault(ctx, fault.Verb, node, func(ctx context.Context) (string, error) {
			return w.toNode(ctx, fault.Verb, node)
		})
	})
}

// fault carries one fault out between its "begin" and its receipt. That it was not
// seen to take hold is no error: the trace says so, and the checks draw the conclusion.
func (w *World) fault(ctx context.Context, verb, target string, do func(context.Context) (string, error)) error {
	event := func(phase, receipt string) {
		w.record(trace.Event{At: hostclock.Now(), Kind: trace.KindFault,
			Fault: &trace.Fault{Verb: verb, Target: target, Phase: phase, Receipt: receipt}})
	}
	event("begin", "")
	ctx, cancel := context.WithTimeout(ctx, receiptLimit)
	defer cancel()
	receipt, err := do(ctx)
	switch {
	case err == nil:
		event("receipt", receipt)
	case errors.Is(err, ErrNoReceipt):
		event("failed", err.Error())
	default:
		event("failed", err.Error())
		return fmt.Errorf("%s %s: %w", verb, target, err)
	}
	return nil
}

func (w *World) toNode(ctx context.Context, verb, node string) (string, error) {
	process := w.process(node)
	switch verb {
	case plan.VerbCrash:
		return w.pair.Crash(ctx, process)
	case plan.VerbKill:
		return w.pair.Kill(ctx, process)
	case plan.VerbStop:
		return w.pair.Stop(ctx, process)
	case plan.VerbFreeze:
		return w.pair.Freeze(ctx, process)
	case plan.VerbThaw:
		return w.pair.Thaw(ctx, process)
	case plan.VerbRestore:
		process, receipt, err := w.pair.Restore(ctx, node, w.startNode)
		if err == nil {
			w.setProcess(node, process)
		}
		return receipt, err
	case plan.VerbHandover:
		return w.handover(ctx, node)
	}
	return "", fmt.Errorf("netns: no such fault: %s", verb)
}

// handover asks a node over its control socket to give the role to its peer. The
// receipt is the node's answer; a refusal is one too, since it is the node's doing and
// not that of the harness. What comes of it is for the scenario to claim.
func (w *World) handover(ctx context.Context, node string) (string, error) {
	client, err := control.Dial(ctx, w.socket(node))
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoReceipt, err)
	}
	defer client.Close()
	var refused *control.Refused
	switch err := client.Handover(ctx); {
	case errors.As(err, &refused):
		return node + " refused: " + refused.Why, nil
	case err != nil:
		return "", fmt.Errorf("%w: %w", ErrNoReceipt, err)
	}
	return node + " took the request", nil
}
