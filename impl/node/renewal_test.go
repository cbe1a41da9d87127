package node

import (
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/ha"
)

// TestWhichLeaseIsRenewed: one that has expired is not, whatever justifies a longer one now.
func TestWhichLeaseIsRenewed(t *testing.T) {
	const until = clock.Instant(100)
	for _, c := range []struct {
		name           string
		now, justified clock.Instant
		renewed        bool
	}{
		{"a lease that nears its end", until - 1, until + 1, true},
		{"a lease that has expired", until, until + 1, false},
		{"a lease that is not justified for longer", until - 1, until, false},
	} {
		l := lease{held: true, until: until}
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

// TestWhenANodeAloneRenews: after a third of the lease; one that is left from its time with a peer is used until it nears its end, and
// a short one is renewed before it ends.
func TestWhenANodeAloneRenews(t *testing.T) {
	const length = 90 * time.Nanosecond
	for _, c := range []struct {
		what         string
		taken, until clock.Instant
		want         clock.Instant
	}{
		{"a lease of this length", 100, 190, 130},
		{"a longer one", 100, 400, 340},
		{"one that the arbiter's right cuts short", 100, 140, 125},
	} {
		l := lease{held: true, taken: c.taken, until: c.until}
		if got := l.renewalAlone(footing{length: length}); got != c.want {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
}
