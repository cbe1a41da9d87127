package netns

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"baton/scenarios/evidence"
	"baton/scenarios/fault"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// makeDisks gives each node its own disk for its log if the plan fills one.
func (w *World) makeDisks() error {
	if !slices.ContainsFunc(w.plan.Steps, func(s plan.Step) bool { return s.Verb == fault.Disk && s.Guard.In(plan.Netns) }) {
		return nil
	}
	for _, node := range lab.Nodes() {
		d, err := newDisk()
		if err != nil {
			return err
		}
		w.disks[node] = d
	}
	return nil
}

// closeDisks copies the logs off the disks and releases them.
func (w *World) closeDisks() error {
	var errs []error
	for _, node := range lab.Nodes() {
		if d := w.disks[node]; d != nil {
			file := evidence.LogFile(node)
			errs = append(errs, d.copyOut(file, filepath.Join(w.cfg.Dir, file)), d.close())
		}
	}
	clear(w.disks)
	return errors.Join(errs...)
}

// setDisk executes the verbs that fill and clear a node's disk.
func setDisk(full bool) func(*World, context.Context, plan.Fault) error {
	return func(w *World, ctx context.Context, f plan.Fault) error {
		return w.toNodes(ctx, f, func(_ context.Context, p *Process) (string, error) {
			d := w.disks[p.host.name]
			switch {
			case d == nil:
				return "", noReceipt("%s: %s has no disk of its own: no step of the scenario fills one", f.Verb, p.host.name)
			case !full:
				return answered("there is room on the disk of "+p.host.name, d.clear())
			}
			why, err := d.fill()
			return answered(fmt.Sprintf("the disk of %s: %v", p.host.name, why), err)
		})
	}
}
