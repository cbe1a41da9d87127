package node

import (
	"baton/impl/clock"
	"baton/impl/fingerprint"
	"baton/impl/ha"
)

// leaving is the state of a node that has been asked to stop.
type leaving struct {
	asked bool
	until clock.Instant // deadline for the peer to call itself MASTER
	done  bool
}

func (l *leaving) fingerprint(h *fingerprint.Hash) {
	h.Flag(l.asked)
	h.Instant(l.until)
	h.Flag(l.done)
}

// ask starts leaving, and reports whether it was not started before.
func (l *leaving) ask(now clock.Instant) bool {
	if l.asked {
		return false
	}
	l.asked = true
	l.wait(now)
	return true
}

// wait gives the peer time to call itself MASTER.
func (l *leaving) wait(now clock.Instant) { l.until = now.Add(leaveLimit) }

// leaveInput is the input of over.
type leaveInput struct {
	now    clock.Instant
	holds  bool // this node holds the role
	taking bool // the peer is claiming, and this node can still hear it
}

// over reports whether the node may exit: the peer has the role, or no peer will take it.
func (l *leaving) over(in leaveInput) bool {
	return l.asked && !l.done && !in.holds && (!in.taking || in.now >= l.until)
}

// deadline returns when a leaving node next needs a Timer.
func (l *leaving) deadline(holds bool) clock.Instant {
	if l.asked && !l.done && !holds {
		return l.until
	}
	return clock.Never
}

// stop starts leaving.
func (n *Node) stop() {
	if n.leaving.ask(n.now) {
		n.raise(ha.StopAsked)
	}
}

// checkLeaving sends Exit once the node may end.
func (n *Node) checkLeaving() {
	taking := n.live() && n.peer.state.Role == ha.Claiming
	if !n.leaving.over(leaveInput{now: n.now, holds: n.role.Holds(), taking: taking}) {
		return
	}
	n.leaving.done = true
	n.tell(false)
	for i := range n.paths {
		n.paths[i].withdraw(n.now)
		n.pumpPath(i)
	}
	n.emit(Exit{})
}
