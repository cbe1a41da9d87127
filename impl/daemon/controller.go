package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"baton/impl/daemon/config"
	"baton/impl/daemon/control"
	"baton/impl/flow"
	"baton/impl/ha"
	"baton/impl/health"
	"baton/impl/node"
)

// controller answers the control socket and the metrics by asking the loop.
type controller struct {
	loop *loop
	stop func(why string)
	// reload applies the services of the configuration file.
	reload func(context.Context) ([]string, error)
	// edit changes one service.
	edit func(context.Context, config.Edit) ([]string, error)
	// admin passes an operator's input for a backend to its pool.
	admin func(service string, backend netip.AddrPort, in health.Input) error
	// describe adds what is known outside of the loop.
	describe func(*control.Status)
}

// errEnded is the answer of a loop that has ended.
var errEnded = errors.New("daemon: the node has left")

// ask runs f on the loop and returns its result.
func ask[T any](ctx context.Context, l *loop, f func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1)
	l.inbox.call(func() {
		value, err := f()
		answers <- answer{value, err}
	})
	select {
	case a := <-answers:
		return a.value, a.err
	case <-l.inbox.closed:
		return *new(T), errEnded
	case <-ctx.Done():
		return *new(T), fmt.Errorf("daemon: the event loop does not answer: %w", ctx.Err())
	}
}

// Status implements control.Node.
func (c *controller) Status(ctx context.Context) (control.Status, error) {
	s, err := ask(ctx, c.loop, c.loop.status)
	if err == nil {
		c.describe(&s)
	}
	return s, err
}

// Handover implements control.Node. The core refuses in the same step, by a role event.
func (c *controller) Handover(ctx context.Context) error {
	_, err := ask(ctx, c.loop, func() (struct{}, error) { return struct{}{}, c.loop.handover() })
	return err
}

// Entry implements control.Node. A reply tuple is looked up as the original direction's.
func (c *controller) Entry(ctx context.Context, tuple flow.Tuple) (control.Entry, error) {
	return ask(ctx, c.loop, func() (control.Entry, error) {
		for _, t := range []flow.Tuple{tuple, tuple.Reverse()} {
			entry, found, err := c.loop.dp.Lookup(t)
			if err != nil {
				return control.Entry{}, err
			}
			if found {
				addr, port := entry.Backend()
				return control.Entry{Origin: entry.Origin.String(), State: entry.State.String(), Backend: fmt.Sprintf("%s:%d", addr, port)}, nil
			}
		}
		return control.Entry{Origin: control.NoEntry}, nil
	})
}

// Table implements control.Node.
func (c *controller) Table(ctx context.Context, limit int) (control.Table, error) {
	answers := make(chan control.Table, 1)
	failed := make(chan error, 1)
	c.loop.inbox.call(func() {
		c.loop.scans.list(c.loop, limit, func(entries []flow.Entry, total int, err error) {
			if err != nil {
				failed <- err
				return
			}
			answers <- control.TableFrom(entries, total)
		})
	})
	select {
	case table := <-answers:
		return table, nil
	case err := <-failed:
		return control.Table{}, err
	case <-c.loop.inbox.closed:
		return control.Table{}, errEnded
	case <-ctx.Done():
		return control.Table{}, fmt.Errorf("daemon: the table could not be read in time: %w", ctx.Err())
	}
}

// Stop implements control.Node.
func (c *controller) Stop(context.Context) error {
	c.stop("requested by the control socket")
	return nil
}

// Reload implements control.Node.
func (c *controller) Reload(ctx context.Context) ([]string, error) { return c.reload(ctx) }

// Edit implements control.Node.
func (c *controller) Edit(ctx context.Context, e config.Edit) ([]string, error) {
	return c.edit(ctx, e)
}

// handover steps the operator's request and returns a refusal.
func (l *loop) handover() error {
	if role := l.node.Role(); role != ha.Master {
		return fmt.Errorf("this node is %s; only a MASTER can hand over", role)
	}
	l.refused = ""
	l.step(node.Handover{})
	if l.refused != "" {
		return errors.New(l.refused)
	}
	return nil
}

// status collects the state of the core, the dataplane and the loop.
func (l *loop) status() (control.Status, error) {
	counters, err := l.dp.Counters()
	if err != nil {
		return control.Status{}, err
	}
	s := control.Status{
		Status:    l.node.Status(),
		Dataplane: control.CountersFrom(counters),
		Hook:      control.Hook{Name: l.dp.Attached().Hook.String(), Why: l.dp.Attached().Why},
		Loop: control.Loop{
			Steps: l.steps, LateMax: l.late.max, LateSum: l.late.sum, Late: append([]uint64(nil), l.late.counts[:]...),
			SendErrors: map[string]uint64{}, Failures: l.failures.snapshot(), UnexpectedSource: map[string]uint64{}, RecordsDropped: l.recorder.Dropped(),
			Unserved: l.unserved.snapshot(),
		},
	}
	for i, p := range l.paths {
		s.Loop.SendErrors[p.name] = p.failed
		drops, err := p.in.Drops()
		if err != nil {
			return control.Status{}, err
		}
		s.Loop.UnexpectedSource[p.name] = p.unexpectedSource + drops.UnexpectedSource
		for reason, n := range drops.Reasons {
			s.Paths[i].Stats.Drops[reason] += n
		}
	}
	return s, nil
}

// Drain implements control.Node.
func (c *controller) Drain(_ context.Context, service string, backend netip.AddrPort, limit time.Duration) error {
	return c.admin(service, backend, health.Drain{Backend: backend, For: limit})
}

// Ready implements control.Node.
func (c *controller) Ready(_ context.Context, service string, backend netip.AddrPort) error {
	return c.admin(service, backend, health.Ready{Backend: backend})
}
