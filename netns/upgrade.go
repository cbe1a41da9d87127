package netns

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"baton/impl/trace"
	"baton/netns/subject"
	"baton/scenarios/fault"
	"baton/scenarios/plan"
)

// upgradeTo returns the binary that an upgraded node runs.
func (w *World) upgradeTo() string { return cmp.Or(w.cfg.UpgradeTo, w.cfg.Baton) }

// upgrade stops nodes and starts them with the other binary. The stop and the start are
// recorded as separate faults, which shows when the node had no process.
func (w *World) upgrade(ctx context.Context, f plan.Fault) error {
	return w.toNodes(ctx, f, func(ctx context.Context, old *Process) (string, error) {
		node := old.host.name
		part := func(verb string, do func(context.Context) (string, error)) error {
			return w.begin(ctx, trace.Fault{Verb: verb, Target: node, Hosts: []string{node}}, do)()
		}
		if err := part(fault.Stop, func(ctx context.Context) (string, error) { return w.pair.Stop(ctx, old) }); err != nil {
			return "", err
		}
		if err := w.nodes.Rewrite(node, subject.Change{Upgraded: true, Version: f.Version()}); err != nil {
			return "", err
		}
		if err := part(fault.Restore, func(ctx context.Context) (string, error) { return w.restore(ctx, node) }); err != nil {
			return "", err
		}
		return w.runs(w.process(node), old)
	})
}

// runs checks that a node's process is new and runs the other binary.
func (w *World) runs(p, old *Process) (string, error) {
	if p == old {
		return "", noReceipt("upgrade %s: no new process was started", p.host.name)
	}
	program, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", p.pid))
	if err != nil {
		return "", noReceipt("upgrade %s: %w", p.host.name, err)
	}
	want, err := filepath.EvalSymlinks(w.upgradeTo())
	if err != nil || program != want {
		return "", noReceipt("upgrade %s: process %d runs %s, not %s", p.host.name, p.pid, program, w.upgradeTo())
	}
	return fmt.Sprintf("process %d runs %s", p.pid, program), nil
}
