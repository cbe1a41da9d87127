package node

import (
	"errors"

	"baton/impl/clock"
	"baton/impl/ha"
)

// act carries out one action of the state machine.
func (n *Node) act(action ha.Action) {
	switch action {
	case ha.Release:
		n.releaseLease()
		n.stopAnnouncement() // what it announces it no longer forwards
	case ha.Install:
		n.installing, n.installBy = true, n.now.Add(installLimit)
		if n.cfg.AnnounceEarly {
			n.startAnnouncement()
		}
	case ha.RaiseEpoch:
		n.seen++
		n.epoch = n.seen
		n.grant = nil
	case ha.Lead:
		n.sync.SetSource(n.now, n.epoch)
		n.emit(Miss{Guess: n.cfg.GatesOff})
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

// checkInstalled raises Installed once a claiming node has nothing outstanding. A
// dataplane that goes on refusing some entries must not keep it from serving the others.
func (n *Node) checkInstalled() {
	if n.role != ha.Claiming || !n.installing {
		return
	}
	late := n.now >= n.installBy
	if n.sync.Pending() > 0 && !late {
		return
	}
	if late {
		n.traceNote("claims without all entries: the dataplane did not take them in time")
	}
	n.installing = false
	n.raise(ha.Installed)
}

// installWants returns when a claim stops waiting for its entries.
func (n *Node) installWants() clock.Instant {
	if n.role == ha.Claiming && n.installing {
		return n.installBy
	}
	return clock.Never
}

// pumpSync turns what the sync engine wants into effects.
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

func asError(text string) error {
	if text == "" {
		return nil
	}
	return errors.New(text)
}
