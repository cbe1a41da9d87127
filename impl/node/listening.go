package node

import (
	"time"

	"baton/impl/clock"
	"baton/impl/fingerprint"
)

// listening is how a node that is paused again and again comes to have listened for long
// enough: what it listened between its pauses adds up. It begins anew once the peer was
// heard, once the node has listened for long enough, and after a pause so long that a peer
// may have booted and taken the role.
type listening struct {
	began, ended clock.Instant // the last pause
	need         time.Duration // for how long the pauses so far must be listened for
	done         time.Duration // for how long the node has, up to the last pause
	over         bool          // it has, and ran when it had
}

func (l *listening) fingerprint(h *fingerprint.Hash) {
	h.Instant(l.began)
	h.Instant(l.ended)
	h.Int(int(l.need))
	h.Int(int(l.done))
	h.Flag(l.over)
}

// paused notes a pause that ends now, after which this node must listen for need, and
// returns for how long it still must: at least for least. The peer was heard last at heard.
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
