package node

import (
	"baton/impl/clock"
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

func (n *Node) startAnnouncement() {
	n.announce = announcement{began: n.now, next: n.now, early: n.role == ha.Claiming}
	n.advanceAnnouncement()
}

func (n *Node) stopAnnouncement() { n.announce = announcement{next: clock.Never} }

// advanceAnnouncement sends what is due. A late node sends each missed one at
// most once: bursts are for packets that get lost, not for time that did.
func (n *Node) advanceAnnouncement() {
	a := &n.announce
	if n.now < a.next {
		return
	}
	a.sent++
	n.emit(Announce{Count: a.sent})
	n.trace(trace.Event{Kind: trace.KindAnnounce, Announce: &trace.Announce{Count: a.sent}})
	switch {
	case a.sent < len(burst):
		a.next = a.began.Add(burst[a.sent])
	case n.now < a.began.Add(settled):
		a.next = n.now.Add(repeat)
	default:
		a.next = n.now.Add(refresh)
	}
}
