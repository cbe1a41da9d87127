package node

import (
	"errors"

	"baton/impl/flow"
	"baton/impl/ha"
)

// act carries out one action of the state machine.
func (n *Node) act(action ha.Action) {
	switch action {
	case ha.Release:
		n.releaseLease()
		n.stopAnnouncement() // what it announces it no longer forwards
	case ha.Install:
		n.installing = true
		if n.cfg.AnnounceEarly {
			n.startAnnouncement()
		}
	case ha.RaiseEpoch:
		n.seen++
		n.epoch = n.seen
		n.grant = nil
	case ha.Lead:
		n.sync.SetSource(n.now, n.epoch)
		n.emit(Miss{Adopt: n.cfg.GatesOff})
		n.emit(Expire{On: true, Since: n.now})
	case ha.TakeLease:
		n.takeLease()
	case ha.Announce:
		if !n.announce.early {
			n.startAnnouncement()
		}
		n.announce.early = false
	case ha.Follow:
		n.sync.SetSink(n.now)
		n.emit(Expire{On: false})
		n.installing = false
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

// checkInstalled raises Installed once a claiming node has nothing outstanding.
func (n *Node) checkInstalled() {
	if n.role == ha.Claiming && n.installing && n.applies == 0 {
		n.installing = false
		n.raise(ha.Installed)
	}
}

// pumpSync turns what the sync engine wants into effects.
func (n *Node) pumpSync() {
	ready := n.sync.Ready()
	for _, message := range ready.Send {
		n.emit(SendSync{Data: message})
	}
	for _, batch := range ready.Apply {
		n.applies++
		id := n.nextID(pending{kind: pendingApply, batch: batch.ID})
		n.emit(Apply{ID: id, Entries: batch.Entries, Deletes: batch.Deletes})
	}
}

// dump reads the whole dataplane after it has lost events. A follower's table is
// repaired by its MASTER's digests instead.
func (n *Node) dump() {
	if n.dumping || !n.role.Holds() {
		return
	}
	n.dumping = true
	n.emit(Dump{ID: n.nextID(pending{kind: pendingDump})})
}

func (n *Node) reconcile(entries []flow.Entry) {
	n.dumping = false
	if n.role.Holds() {
		n.sync.Reconcile(n.now, entries)
	}
}

func asError(text string) error {
	if text == "" {
		return nil
	}
	return errors.New(text)
}
