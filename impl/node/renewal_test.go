package node

import (
	"testing"

	"baton/impl/clock"
	"baton/impl/ha"
)

// TestWhichLeaseIsRenewed: one that has expired is not, whatever justifies a longer one now.
func TestWhichLeaseIsRenewed(t *testing.T) {
	const until = clock.Instant(100)
	for _, c := range []struct {
		name           string
		held           bool
		now, justified clock.Instant
		renewed        bool
	}{
		{"a lease that nears its end", true, until - 1, until + 1, true},
		{"a lease that has expired", true, until, until + 1, false},
		{"a lease that is not justified for longer", true, until - 1, until, false},
		{"a lease that was given up", false, until - 1, until + 1, false},
	} {
		l := lease{held: c.held, until: until}
		renewed := l.renew(c.now, footing{until: c.justified, proof: proof{heard: c.justified}})
		want := until
		if c.renewed {
			want = c.justified
		}
		if renewed != c.renewed || l.until != want {
			t.Errorf("%s: renewed %v until %d, want %v until %d", c.name, renewed, l.until, c.renewed, want)
		}
	}
}

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
