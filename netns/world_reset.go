package netns

import (
	"context"
	"fmt"

	"baton/impl/trace"
	"baton/netns/internal/hostclock"
	"baton/scenarios/lab"
)

// reset runs the subject's reset command, which removes what a node without a process has
// left outside of its process tree.
func (w *World) reset(ctx context.Context, node string) error {
	command, has := w.nodes.Reset(node)
	if !has {
		return nil
	}
	process, err := w.pair.Host(node).Start(ProcessConfig{Args: command.Args, Contained: command.Contained, Dir: w.cfg.Dir, Log: w.logOf(node)})
	if err != nil {
		return err
	}
	exit, err := process.Wait(ctx)
	if err != nil {
		return err
	}
	if exit.Code != 0 || exit.Signal != 0 {
		return fmt.Errorf("%s: %s", exit, exitReason(w.logOf(node)))
	}
	return nil
}

// resetAll kills both nodes and resets them. A failed reset is recorded as a leak.
func (w *World) resetAll(ctx context.Context) {
	for _, node := range lab.Nodes() {
		process := w.process(node)
		if _, has := w.nodes.Reset(node); !has || process == nil {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, w.faultLimit())
		defer cancel()
		_, err := process.Kill(ctx)
		if err == nil {
			err = w.reset(ctx, node)
		}
		if err != nil {
			w.record(trace.Event{At: hostclock.Now(), Kind: trace.KindLeak, Leak: &trace.Leak{What: fmt.Sprintf("%s could not be reset: %v", node, err)}})
		}
	}
}
