package netns

import (
	"context"
	"errors"
	"testing"
	"time"

	"baton/scenarios/lab"
)

// TestFaultsOfOneDirectionTakeTurns: a fault waits for earlier faults of its direction, since another
// rule could drop the test frame of a cut. Faults of other directions do not wait.
func TestFaultsOfOneDirectionTakeTurns(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // ends a wait that would last forever
	defer cancel()
	w := &World{busy: map[string]chan struct{}{}}
	there := lab.Rule{Link: lab.Sync, From: "lb1", To: "lb2"}
	back := lab.Rule{Link: lab.Sync, From: "lb2", To: "lb1"}
	heartbeat, stream := there, there
	heartbeat.Only, stream.Only = lab.BFD, lab.Stream
	first, err := w.awaitTurns(ctx, []lab.Rule{there, heartbeat})
	if err != nil {
		t.Fatal(err)
	}
	other, err := w.awaitTurns(ctx, []lab.Rule{back})
	if err != nil {
		t.Fatal("another direction waits: ", err)
	}
	other()
	brief, stop := context.WithTimeout(ctx, 20*time.Millisecond)
	defer stop()
	if _, err := w.awaitTurns(brief, []lab.Rule{back, stream}); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("the same direction does not wait: %v", err)
	}
	// A fault that gave up its wait does not delay later ones.
	first()
	last, err := w.awaitTurns(ctx, []lab.Rule{there, back})
	if err != nil {
		t.Fatal(err)
	}
	last()
	if err := w.Settle(ctx); err != nil {
		t.Error(err)
	}
}
