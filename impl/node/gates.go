package node

import (
	"strings"

	"baton/impl/ctsync"
	"baton/impl/ha"
)

// gateTable has one row for each gate: the function that judges it.
var gateTable = []struct {
	gate  ha.Gates
	judge func(*view) (bool, why)
}{
	{ha.LinksUp, judgeLinks},
	{ha.DataplaneReady, judgeDataplane},
	{ha.Reachable, judgeReachable},
	{ha.Arbitrated, judgeArbitrated},
	{ha.NoMaster, judgeNoMaster},
	{ha.HoldDown, judgeHoldDown},
	{ha.InSync, judgeInSync},
	{ha.Degraded, judgeDegraded},
	{ha.Granted, judgeGranted},
	{ha.PeerReady, judgePeerReady},
}

// why is the reason for a gate's state. It becomes text only when somebody reads it,
// because gates are judged at each step.
type why struct {
	text string // %s stands for name, or for the peer's role where there is no name
	name string
	role ha.Role
	sync ctsync.Reason // used where text is empty
}

func (w why) String() string {
	switch {
	case w.text == "":
		return w.sync.String()
	case w.name != "":
		return strings.Replace(w.text, "%s", w.name, 1)
	}
	return strings.Replace(w.text, "%s", w.role.String(), 1)
}

func because(text string) why { return why{text: text} }

func judgeLinks(v *view) (bool, why) {
	if v.linkDown != "" {
		return false, why{text: "%s has no carrier", name: v.linkDown}
	}
	return true, because("carrier on every service link")
}

func judgeDataplane(v *view) (bool, why) {
	if !v.dataplane.Ready {
		return false, because(v.dataplane.Why)
	}
	return true, because("attached")
}

// judgeReachable closes the gate while a tracked target does not answer.
func judgeReachable(v *view) (bool, why) {
	switch {
	case !v.reach.tracked:
		return true, because("no target is tracked")
	case v.reach.lost != "":
		return false, why{text: "%s does not answer any more", name: v.reach.lost}
	case v.reach.awaited != "":
		return false, why{text: "%s has not answered yet", name: v.reach.awaited}
	}
	return true, because("every tracked target answers")
}

func judgeArbitrated(*view) (bool, why) { return true, because("no arbiter is configured") }

func judgeNoMaster(v *view) (bool, why) {
	peer := v.peer
	switch {
	case v.leaving:
		return false, because("this node is leaving")
	case v.silent && !v.listened && !v.cfg.GatesOff:
		return false, because("peer is silent, but this node has not listened for long enough: it booted, was paused, or has just been told of a MASTER")
	case v.silent:
		return true, because("peer is silent on every BFD path")
	case !v.up:
		return false, because("peer is heard but no BFD path is up")
	case !v.said:
		return false, because("peer is heard but its role is unknown: no sync stream yet")
	case peer.Role.Holds() && v.cfg.Preempt == PreemptImmediate && v.outranks:
		return true, because("preempt: immediate")
	case peer.Role.Holds():
		return false, why{text: "peer is %s", role: peer.Role}
	case !v.outranks:
		return false, why{text: "peer is %s and ranks above", role: peer.Role}
	case !v.rankKnown && !v.cfg.GatesOff:
		return false, why{text: "peer is %s and ranks below, but does not know this node's rank yet", role: peer.Role}
	}
	return true, why{text: "peer is %s and ranks below", role: peer.Role}
}

func judgeHoldDown(v *view) (bool, why) {
	switch {
	case v.cfg.GatesOff:
		return true, because("gates: off")
	case v.holdRun:
		return true, because("recovery delay has run")
	case v.waived:
		return true, because("waived: peer was heard after the stall and is not MASTER")
	}
	return false, because("recovery delay is running")
}

// judgeInSync: the table is what the last MASTER's was. While the MASTER lives, the
// sync engine knows. Once it is gone, what counts is whether the table was complete
// when the stream ended, and that this was not long before the silence.
func judgeInSync(v *view) (bool, why) {
	switch {
	case v.cfg.GatesOff:
		return true, because("gates: off")
	case v.role.Holds():
		return true, because("this node's table is the truth")
	case v.silent || !v.said:
		return judgeSyncAlone(v)
	case v.peer.Role.Holds():
		return judgeSyncWithMaster(v)
	case v.peer.Rank.Epoch > v.epoch:
		return false, because("peer has a newer table")
	case v.peer.Rank.Epoch == v.epoch && v.peer.Rank.Complete && !v.complete:
		return false, because("peer has a more complete table")
	}
	return true, because("peer has nothing newer to give")
}

func judgeSyncAlone(v *view) (bool, why) {
	switch {
	case v.seen == 0:
		return true, because("no MASTER was ever heard of")
	case !v.complete:
		return false, because("peer was lost before sync was complete")
	}
	return true, because("in sync when the peer was lost")
}

func judgeSyncWithMaster(v *view) (bool, why) {
	if !v.stream && v.stale {
		return false, because("sync stream is down while the peer is MASTER")
	}
	return v.inSync, why{sync: v.syncWhy}
}

// judgeDegraded: a table that nobody is left to complete must not keep a node from
// serving. Only a MASTER gives its table.
func judgeDegraded(v *view) (bool, why) {
	switch {
	case v.silent:
		return true, because("peer is silent: nobody can complete this table")
	case v.said && !v.peer.Role.Holds() && !v.peer.Rank.Able:
		return true, because("peer cannot serve: nobody can complete this table")
	}
	return false, because("peer is heard")
}

func judgeGranted(v *view) (bool, why) {
	switch {
	case v.leaving:
		return false, because("this node is leaving")
	case !v.granted:
		return false, because("no grant")
	case !v.applied:
		return false, because("granted; what the MASTER sent last is not applied yet")
	}
	return true, because("granted by the MASTER")
}

// judgePeerReady: the peer could be handed the role.
func judgePeerReady(v *view) (bool, why) {
	switch {
	case !v.stream:
		return false, because("no sync stream to the peer")
	case !v.said || !v.up:
		return false, because("peer is not heard")
	case v.peer.Role != ha.Backup:
		return false, why{text: "peer is %s", role: v.peer.Role}
	case !v.peer.Rank.Able:
		return false, because("peer is not able to serve")
	case !v.peerInSync:
		return false, because("peer is not in sync")
	}
	return true, because("peer is Backup and in sync")
}
