package daemon

import (
	"context"
	"errors"
	"testing"
	"time"

	"baton/impl/dataplane/faulty"
	"baton/impl/flow"
)

// while runs the loop until another goroutine's request is answered.
func while[T any](t *testing.T, b *bench, ask func() (T, error)) (T, error) {
	t.Helper()
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1)
	go func() { value, err := ask(); answers <- answer{value, err} }()
	for {
		select {
		case a := <-answers:
			return a.value, a.err
		default:
			b.mustTurn(t)
		}
	}
}

// TestOnlyANodeStartedForTestsIsBroken: it returns the error of a failed call.
func TestOnlyANodeStartedForTestsIsBroken(t *testing.T) {
	b := newBench(t, every(time.Millisecond, 255))
	c := &controller{loop: b.loop}
	fault := string(faulty.MapError)
	breaking := func() ([]string, error) { return c.Break(context.Background(), fault) }
	if changes, err := while(t, b, breaking); !errors.Is(err, errNotBreakable) || len(changes) > 0 {
		t.Errorf("a node that serves: %q, %v", changes, err)
	}
	b.loop.dp = faulty.Wrap(b.dp, 100)
	if changes, err := while(t, b, breaking); err != nil || len(changes) != 1 {
		t.Errorf("a node for tests: %q, %v", changes, err)
	}
	apply := func() (failed error) {
		(*ports)(b.loop).Apply([]flow.Entry{entry(1)}, nil, func(err error) { failed = err })
		return failed
	}
	if apply() == nil {
		t.Error("the loop's writes succeed")
	}
	if changes, err := while(t, b, func() ([]string, error) { return c.Mend(context.Background()) }); err != nil || len(changes) != 1 {
		t.Errorf("mended: %q, %v", changes, err)
	}
	if err := apply(); err != nil {
		t.Errorf("a write after that: %v", err)
	}
}
