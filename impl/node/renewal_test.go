package node

import (
	"testing"

	"baton/impl/clock"
	"baton/impl/ha"
)

// TestARenewalThatFailed: the node falls back to the last lease that the dataplane accepted. During a claim there is
// none yet; the answer to the claim's own lease reports the refusal.
func TestARenewalThatFailed(t *testing.T) {
	const now, held = clock.Instant(100), clock.Instant(200)
	for _, c := range []struct {
		name        string
		role        ha.Role
		until, want clock.Instant
	}{
		{"a MASTER keeps the lease before", ha.Master, 150, 150},
		{"a MASTER has none any more", ha.Master, 0, 0},
		{"a MASTER whose lease before is the longer one", ha.Master, 250, held},
		{"a claim whose first lease has no answer yet", ha.Claiming, 0, held},
		{"a claim whose first lease took hold", ha.Claiming, 150, 150},
	} {
		n := &Node{role: c.role, now: now}
		n.lease.held, n.lease.until = true, held
		n.renewalFailed(c.until)
		if n.lease.until != c.want {
			t.Errorf("%s: until %d, want %d", c.name, n.lease.until, c.want)
		}
	}
}
