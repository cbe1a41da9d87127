package daemon

import (
	"context"
	"errors"
	"fmt"

	"baton/impl/dataplane/faulty"
)

// errNotBreakable refuses Break on a node that was not started for tests.
var errNotBreakable = errors.New("this node was not started with --breakable")

// Break implements control.Node.
func (c *controller) Break(ctx context.Context, fault string) ([]string, error) {
	return c.breakable(ctx, func(d *faulty.Dataplane) ([]string, error) {
		seen, err := d.Break(faulty.Fault(fault))
		if err != nil {
			return nil, err
		}
		c.loop.log.Warn("injected dataplane failure", "fault", fault)
		return []string{fmt.Sprintf("%s: %v", fault, seen)}, nil
	})
}

// Mend implements control.Node.
func (c *controller) Mend(ctx context.Context) ([]string, error) {
	return c.breakable(ctx, func(d *faulty.Dataplane) ([]string, error) {
		ended, err := d.Mend()
		var changes []string
		for _, f := range ended {
			changes = append(changes, string(f)+": ended")
		}
		return changes, err
	})
}

// breakable runs f on the loop with the dataplane that can be made to fail.
func (c *controller) breakable(ctx context.Context, f func(*faulty.Dataplane) ([]string, error)) ([]string, error) {
	return ask(ctx, c.loop, func() ([]string, error) {
		d, ok := c.loop.dp.(*faulty.Dataplane)
		if !ok {
			return nil, errNotBreakable
		}
		return f(d)
	})
}
