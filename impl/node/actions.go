package node

import (
	"time"

	"baton/impl/ha"
)

// act carries out one action of the state machine.
func (n *Node) act(action ha.Action) {
	switch action {
	case ha.Release:
		n.releaseLease()
		n.announce.stop() // a node announces only what it forwards
	case ha.Relay:
		n.startRelay()
	case ha.Install:
		n.lease.claimed = n.now
		n.install.begin(n.now, n.notice())
		if n.cfg.AnnounceEarly {
			n.startAnnouncement()
		}
	case ha.RaiseEpoch:
		n.seen++
		n.epoch = n.seen
		n.grant.drop()
	case ha.Lead:
		if !n.sync.Settled() && n.sync.Len() > 0 { // a snapshot was interrupted: what it wrote may have displaced flows of this node
			n.reading.ask(n.now)
		}
		n.sync.SetSource(n.now, n.epoch)
		n.emit(Miss{Guess: n.cfg.GatesOff})
		n.emit(Expire{On: true, Since: n.now})
	case ha.TakeLease:
		n.stopRelay()
		n.takeLease()
	case ha.Announce:
		if !n.announce.early {
			n.startAnnouncement()
		}
		n.announce.early = false
	case ha.Follow:
		n.stopReconciling()
		n.stopGiving()
		n.sync.SetSink(n.now)
		n.emit(Expire{On: false})
		n.install.end()
		n.connectSync()
	case ha.Drain:
		n.startYield()
	case ha.Grant:
		n.sendGrant()
	case ha.Tell:
		n.tell(false)
	case ha.RestartHold:
		n.hold.Restart(n.now)
	}
}

// notice returns how long this node signals a claim by BFD before it forwards. A peer that
// speaks on the stream has said that it does not serve, so no notice is needed. The lease
// of a peer that has just become silent ends before this node detects the silence. Once the
// peer knows that this node does not hear it, the detection time no longer bounds its
// lease, and a frozen peer does not hear the claim. The peer of a standoff may no longer hear
// this node, which its answers will show. A peer that still hears that this node cannot serve may
// claim at the same time; unless it served before, it may have claimed unheard and frozen. One that
// was heard on the stream last renews its lease by keepalives, which nobody acknowledges, until it
// hears the claim.
//
// A packet that was read late counts as heard when it was read, so silence that seems fresh after it may be older.
func (n *Node) notice() time.Duration {
	switch {
	case n.live():
		return 0
	case n.cfg.GatesOff:
		return noticeTime
	case n.now < n.saidUnable && !(n.silent() && n.peer.state.Role.Holds()), !n.silent() && n.now >= n.standoffTurn():
		return n.paths.lonelyDetection()
	case !n.silent():
		return noticeTime
	case (n.now > n.silence || n.paths.readLate()) && !n.arbitration.rules(n.now.Sub(n.silence), n.paths.lonelyDetection()):
		return n.paths.lonelyDetection()
	case n.heardOnTheStreamLast():
		return max(noticeTime, n.paths.noPause())
	}
	return noticeTime
}

// pumpSync turns the sync engine's output into effects.
func (n *Node) pumpSync() {
	ready := n.sync.Ready()
	for _, message := range ready.Send {
		n.emit(SendSync{Data: message})
	}
	for _, batch := range ready.Apply {
		id := n.nextID(pending{kind: pendingApply, batch: batch.ID})
		n.emit(Apply{ID: id, Entries: batch.Entries, Deletes: batch.Deletes})
	}
}
