package node

import (
	"testing"

	"baton/impl/clock"
)

// TestWhenAClaimNeedsATimer: when it may tell its peer, when it has told for long enough, when a failed drain is repeated, and
// when it continues without all entries.
func TestWhenAClaimNeedsATimer(t *testing.T) {
	claim := installation{active: true, quiet: 100, from: 200, retry: 300, by: 400}
	late := claim
	late.retry = 500
	for _, c := range []struct {
		what    string
		install installation
		now     clock.Instant
		want    clock.Instant
	}{
		{"no claim", installation{by: 400}, 0, clock.Never},
		{"the peer must not know yet", claim, 99, 100},
		{"the peer is told", claim, 100, 200},
		{"a drain has failed", claim, 200, 300},
		{"a drain has failed just before the limit", late, 200, 400},
		{"entries are outstanding", claim, 300, 400},
	} {
		if got := c.install.deadline(c.now); got != c.want {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
}

// TestAPauseDelaysAClaim: no instant of it comes earlier, so that a short pause does not end the wait for outstanding entries.
func TestAPauseDelaysAClaim(t *testing.T) {
	for _, c := range []struct {
		what        string
		claim       installation
		quiet, from clock.Instant
		want        installation
	}{
		{"a short pause", installation{active: true, from: 200, by: 400}, 0, 300, installation{active: true, from: 300, by: 400}},
		{"a long pause", installation{active: true, from: 200, by: 400}, 500, 600, installation{active: true, quiet: 500, from: 600, by: 600}},
		{"a short pause after a long one", installation{active: true, quiet: 500, from: 600, by: 600}, 0, 550, installation{active: true, quiet: 500, from: 600, by: 600}},
		{"no claim", installation{}, 500, 600, installation{}},
	} {
		if c.claim.resume(c.quiet, c.from); c.claim != c.want {
			t.Errorf("%s: %+v, want %+v", c.what, c.claim, c.want)
		}
	}
}
