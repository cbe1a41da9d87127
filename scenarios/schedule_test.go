package scenarios

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
)

// TestATaskThatMustBeAloneRunsAlone: the other tasks run at the same time, up to width, and nothing runs
// beside a task that must be alone.
func TestATaskThatMustBeAloneRunsAlone(t *testing.T) {
	const width = 3
	var running, most, done atomic.Int64
	shared := func(ctx context.Context) error {
		now := running.Add(1)
		defer running.Add(-1)
		for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
		}
		for most.Load() < width { // until as many run as are allowed
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			default:
			}
		}
		done.Add(1)
		return nil
	}
	alone := func(context.Context) error {
		if n := running.Add(1); n != 1 {
			t.Errorf("%d others run beside what runs alone", n-1)
		}
		running.Add(-1)
		done.Add(1)
		return nil
	}
	tasks := []Task{{Alone: true, Do: alone}, {Do: shared}, {Do: shared}, {Do: shared}, {Do: shared}, {Alone: true, Do: alone}, {Do: shared}}
	if err := Schedule(t.Context(), width, tasks); err != nil || done.Load() != int64(len(tasks)) || most.Load() != width {
		t.Errorf("%v; %d of %d done, %d at once", err, done.Load(), len(tasks), most.Load())
	}
}

func TestAScheduleOfOneKeepsItsOrder(t *testing.T) {
	var order []int
	var tasks []Task
	for i := range 4 {
		tasks = append(tasks, Task{Alone: i%2 == 0, Do: func(context.Context) error { order = append(order, i); return nil }})
	}
	if err := Schedule(t.Context(), 1, tasks); err != nil || !slices.Equal(order, []int{0, 1, 2, 3}) {
		t.Errorf("%v, %v", order, err)
	}
}

func TestAScheduleEndsWithTheFirstError(t *testing.T) {
	broken := errors.New("broken")
	waits := Task{Do: func(ctx context.Context) error { <-ctx.Done(); return nil }}
	never := Task{Alone: true, Do: func(context.Context) error { t.Error("went on"); return nil }}
	if err := Schedule(t.Context(), 2, []Task{waits, {Do: func(context.Context) error { return broken }}, never}); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}
