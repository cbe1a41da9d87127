package node

import (
	"baton/impl/clock"
	"baton/impl/fingerprint"
	"baton/impl/ha"
	"baton/impl/trace"
)

// announcement is the gratuitous ARPs under way: a burst, then one a second for a
// while, and then one from time to time for as long as the node is MASTER, since a
// host that heard none of a burst talks to the old MASTER until its own table ages.
// Soon matters: TCP waits twice as long before each retransmission, so that a session
// may stand still for as long again as the outage lasted.
type announcement struct {
	began clock.Instant
	sent  int
	next  clock.Instant // Never when there is none
	early bool          // begun before the lease was taken (AnnounceEarly)
}

func (a *announcement) fingerprint(h *fingerprint.Hash) {
	h.Remembered(a.began, longMemory)
	h.Int(a.sent)
	h.Instant(a.next)
	h.Flag(a.early)
}

// start begins a burst at now.
func (a *announcement) start(now clock.Instant, early bool) {
	*a = announcement{began: now, next: now, early: early}
}

func (a *announcement) stop() { *a = announcement{next: clock.Never} }

// due returns the number of the announcement that is to be sent now, 0 for none. A
// late node sends each missed one at most once: bursts are for packets that get
// lost, not for time that did.
func (a *announcement) due(now clock.Instant) int {
	if now < a.next {
		return 0
	}
	a.sent++
	switch {
	case a.sent < len(burst):
		a.next = a.began.Add(burst[a.sent])
	case now < a.began.Add(settled):
		a.next = now.Add(repeat)
	default:
		a.next = now.Add(refresh)
	}
	return a.sent
}

func (n *Node) startAnnouncement() {
	n.announce.start(n.now, n.role == ha.Claiming)
	n.advanceAnnouncement()
}

// advanceAnnouncement sends what is due.
func (n *Node) advanceAnnouncement() {
	if count := n.announce.due(n.now); count > 0 {
		n.emit(Announce{Count: count})
		n.trace(trace.Event{Kind: trace.KindAnnounce, Announce: &trace.Announce{Count: count}})
	}
}
