package node

import (
	"baton/impl/clock"
	"baton/impl/fingerprint"
	"baton/impl/ha"
)

// grantee is a handover under way, on the node that takes over.
type grantee struct {
	pending bool
	grant
	deadline clock.Instant
}

func (g *grantee) fingerprint(h *fingerprint.Hash) {
	h.Flag(g.pending)
	h.Counter(fingerprint.Epoch, uint64(g.Epoch))
	h.Number(g.Barrier)
	h.Instant(g.deadline)
}

// take accepts a grant for grantLimit.
func (g *grantee) take(now clock.Instant, given grant) {
	*g = grantee{pending: true, grant: given, deadline: now.Add(grantLimit)}
}

func (g *grantee) drop() { *g = grantee{} }

// wait returns when a grant expires; Never if there is none.
func (g *grantee) wait() clock.Instant {
	if g.pending {
		return g.deadline
	}
	return clock.Never
}

// receiveGrant takes the role that the MASTER gives if the MASTER can be heard. After a
// silence or a pause the MASTER may have taken an older grant back.
func (n *Node) receiveGrant(g grant) {
	if n.role != ha.Backup || !n.inTouch() || !n.peer.confirmed() || g.Epoch < n.seen {
		n.traceNote("grant ignored: not Backup, peer not heard since a pause, or epoch gone by")
		return
	}
	n.grant.take(n.now, g)
	n.rival.granted = n.now
}

// expireGrant drops a grant that could not be used in time, and sends the peer this
// node's role.
func (n *Node) expireGrant() {
	if n.now >= n.grant.wait() {
		n.grant.drop()
		n.traceNote("grant expired before its barrier was reached")
		n.tell(false)
	}
}

// askForRole asks the MASTER for a handover if this node is preferred and ready. It
// repeats the request from time to time, because the MASTER may have had a reason to
// refuse.
func (n *Node) askForRole() {
	if !n.wantsRole() || n.now < n.requestAt {
		return
	}
	n.requestAt = n.now.Add(yieldLimit)
	n.emit(SendSync{Data: encodeRequest(n.stream.version)})
}

func (n *Node) wantsRole() bool {
	ready := ha.LinksUp | ha.DataplaneReady | ha.Reachable | ha.Arbitrated | ha.InSync
	return n.cfg.Preempt == PreemptAfterSync && n.role == ha.Backup && !n.grant.pending &&
		n.live() && n.peer.state.Role == ha.Master && n.cfg.Priority > n.peer.state.Rank.Priority &&
		n.now >= n.hold.Ends() && n.gates.open.Has(ready)
}

// requestWait returns when the role is requested next.
func (n *Node) requestWait() clock.Instant {
	if n.wantsRole() {
		return n.requestAt
	}
	return clock.Never
}
