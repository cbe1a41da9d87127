package node

import (
	"testing"
	"time"
)

// TestWhenTheArbitersWordIsEnough: with fail-closed a peer without the right does not forward. With keep-serving it
// may have gone on once it missed this node for a detection time, so a claim after such a silence needs notice.
func TestWhenTheArbitersWordIsEnough(t *testing.T) {
	const detection = 150 * time.Millisecond
	for _, c := range []struct {
		name   string
		a      arbitration
		silent time.Duration
		want   bool
	}{
		{"without an arbiter", arbitration{}, 0, false},
		{"fail-closed", arbitration{on: true, policy: FailClosed}, time.Hour, true},
		{"keep-serving, silent for less than a detection time", arbitration{on: true, policy: KeepServing}, detection - 1, true},
		{"keep-serving, silent for longer", arbitration{on: true, policy: KeepServing}, detection, false},
	} {
		if got := c.a.rules(c.silent, detection); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
