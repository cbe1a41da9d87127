package node

import (
	"time"

	"baton/impl/clock"
	"baton/impl/fingerprint"
)

// listening adds up the listening time of a node that is paused repeatedly. It starts over
// once the peer was heard, once the node has listened long enough, and after a pause in
// which a peer may have booted and taken the role.
type listening struct {
	began, ended clock.Instant // the last pause
	need         time.Duration // required listening time after the pauses so far
	done         time.Duration // listening time up to the last pause
	over         bool          // the required time has passed while the node ran
}

func (l *listening) fingerprint(h *fingerprint.Hash) {
	h.Instant(l.began)
	h.Instant(l.ended)
	h.Int(int(l.need))
	h.Int(int(l.done))
	h.Flag(l.over)
}

// paused records a pause that ends now and after which this node must listen for need. It
// returns the remaining listening time, at least least. heard is when the peer was last
// heard.
func (l *listening) paused(now clock.Instant, pause time.Duration, heard clock.Instant, need, least time.Duration) time.Duration {
	began := now.Add(-pause)
	l.done += max(0, began.Sub(l.ended))
	if heard >= l.began || l.over || pause >= bootListen {
		l.done, l.need, l.over = 0, 0, false
	}
	l.need = max(l.need, need)
	l.began, l.ended = began, now
	return max(l.need-l.done, least)
}
