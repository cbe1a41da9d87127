package scenarios

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// Task is one run of a schedule.
type Task struct {
	// Alone says that no other task may run at the same time.
	Alone bool
	Do    func(context.Context) error
}

// Schedule runs tasks, at most width at a time: first those that may run in parallel, then the
// others one by one. With a width of 1 they keep their order. It returns the first error and cancels
// the tasks that still run.
func Schedule(ctx context.Context, width int, tasks []Task) error {
	if width > 1 {
		group, together := errgroup.WithContext(ctx)
		group.SetLimit(width)
		for _, t := range tasks {
			if !t.Alone {
				group.Go(func() error { return t.Do(together) })
			}
		}
		if err := group.Wait(); err != nil {
			return err
		}
	}
	for _, t := range tasks {
		if width > 1 && !t.Alone {
			continue
		}
		if err := t.Do(ctx); err != nil {
			return err
		}
	}
	return nil
}

// ProcessorTime returns the processor time used by this process and by its children that have
// ended.
func ProcessorTime() time.Duration {
	var total time.Duration
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var used unix.Rusage
		if unix.Getrusage(who, &used) == nil {
			total += time.Duration(used.Utime.Nano() + used.Stime.Nano())
		}
	}
	return total
}
