package node

import (
	"strings"

	"baton/impl/ctsync"
	"baton/impl/ha"
)

// gateTable maps each gate to the function that judges it.
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
	{ha.PeerAble, judgePeerAble},
}

// why is the reason for a gate's state. Gates are judged at each step, so it becomes text only
// when it is read.
type why struct {
	text string // %s stands for name, or for the peer's role if name is empty
	name string
	role ha.Role
	sync ctsync.Reason // used if text is empty
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

// like reports whether two reasons differ at most in figures.
func (w why) like(other why) bool {
	return w.text == other.text && w.name == other.name && w.role == other.role && w.sync.Like(other.sync)
}

func because(text string) why { return why{text: text} }

func judgeLinks(v *view) (bool, why) {
	if v.linkDown != "" {
		return false, why{text: "%s has no carrier", name: v.linkDown}
	}
	if v.unsent != "" {
		return false, why{text: "BFD packets do not leave: %s", name: v.unsent}
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

func judgeNoMaster(v *view) (bool, why) {
	switch {
	case v.leaving:
		return false, because("this node is leaving")
	case v.silent && !v.listened && !v.cfg.GatesOff:
		return false, because("peer is silent, but this node has not listened for long enough since it booted or was paused")
	case v.silent:
		return true, because("peer is silent on every BFD path and on the sync stream")
	case v.deaf:
		return false, because("peer serves and does not hear this node")
	case v.live:
		return judgePeerRole(v)
	}
	return judgePeerCondition(v)
}

// judgePeerRole judges by the role that the peer states on the stream.
func judgePeerRole(v *view) (bool, why) {
	peer := v.peer
	switch {
	case peer.Role.Holds() && v.cfg.Preempt == PreemptImmediate && v.outranks:
		return true, because("preempt: immediate")
	case peer.Role.Holds():
		return false, why{text: "peer is %s", role: peer.Role}
	case v.condition == serving && !v.cfg.GatesOff:
		return false, because("peer serves, as BFD says since its last word on the stream")
	case !v.outranks:
		return false, why{text: "peer is %s and ranks above", role: peer.Role}
	case !v.rankKnown && !v.cfg.GatesOff:
		return false, why{text: "peer is %s and ranks below, but does not know this node's rank yet", role: peer.Role}
	case !v.confirmed && !v.cfg.GatesOff:
		return false, why{text: "peer was %s, but has not answered since this node was paused", role: peer.Role}
	}
	return true, why{text: "peer is %s and ranks below", role: peer.Role}
}

// judgePeerCondition judges by the peer's condition in BFD, for a pair without a stream.
func judgePeerCondition(v *view) (bool, why) {
	switch {
	case !v.listened:
		return false, because("peer is heard, but what it says by BFD may be from before this node was paused")
	case v.condition == unable:
		return true, because("peer says by BFD that it cannot serve")
	case v.condition == standby && v.doubted:
		return false, because("peer stands by, as BFD says, and may not hear this node")
	case v.condition == standby && v.ourTurn:
		return true, because("peer stands by, as BFD says, and it is this node's turn")
	case v.condition == standby:
		return false, because("peer stands by, as BFD says, and there is no sync stream to agree on: it is not this node's turn yet")
	case v.condition == serving:
		return false, because("peer serves, as BFD says, and there is no sync stream")
	}
	return false, because("peer is heard but its role is unknown: no sync stream")
}

// judgeHoldDown keeps a flapping node from displacing another for the recovery delay. The
// delay never prolongs an outage that a node with the complete table could end. Its
// lengthening by flaps never prolongs an outage that a node without the complete table could
// end, if that node hears that its peer does not serve. An adopted table counts only once the
// peer has told its rank, because the peer may have led since. A pair that starts cold has
// nothing that the delay could protect.
func judgeHoldDown(v *view) (bool, why) {
	waives := v.complete && (!v.adopted || v.live)
	cold := coldStart(v)
	switch {
	case v.cfg.GatesOff:
		return true, because("gates: off")
	case v.holdRun:
		return true, because("recovery delay has run")
	case v.refused, !waives && !cold && (v.silent || !v.undamped):
		return false, because("recovery delay is running")
	}
	if free, _ := judgeNoMaster(v); !free {
		return false, because("recovery delay is running")
	}
	switch {
	case waives:
		return true, because("waived: the table is complete and nobody serves")
	case cold:
		return true, because("waived: both nodes start cold")
	}
	return true, because("not lengthened: the peer does not serve and ranks below")
}

// coldStart reports whether this node has booted without a table and the peer has none either,
// both could serve, and every session between them is Up. Then neither has a flow that the
// other lacks, so waiting completes no table, and the node that waiting would prefer is here.
//
// The proof is what the nodes say on the stream. An epoch is counted at the first claim and
// kept in the dataplane, and a MASTER tells its own: if the largest epoch known is 0, this node
// neither claimed nor heard of a claim, and the peer has no table of any MASTER. The peer's
// flows are those in its table when the stream began, so part of a snapshot counts as well.
// The peer may have heard of a MASTER that was lost before it sent anything. Nobody has that
// table, so the pair is as cold as a new one.
func coldStart(v *view) bool {
	peer := &v.peer
	return v.booting && v.live && v.allUp && v.appraised && v.seen == 0 && !v.adopted &&
		!peer.Role.Holds() && peer.Rank.Able && peer.Rank.Flows == 0
}

// judgeInSync opens the gate if this node has the last MASTER's table. While the MASTER lives,
// the sync engine knows. After that, the table must have been complete when the stream ended,
// shortly before the silence.
func judgeInSync(v *view) (bool, why) {
	switch {
	case v.cfg.GatesOff:
		return true, because("gates: off")
	case v.role.Holds():
		return true, because("this node's table is the truth")
	case v.silent:
		return judgeSyncAlone(v)
	case v.serves:
		return judgeSyncWithMaster(v)
	case v.live && v.better:
		return false, because("peer has a better table")
	case v.live && v.complete:
		return true, because("peer has nothing newer to give")
	case v.live && v.seen == 0:
		return true, because("neither node ever had a MASTER")
	case v.live:
		return false, because("neither node has a complete table")
	}
	return judgeSyncAlone(v)
}

func judgeSyncAlone(v *view) (bool, why) {
	switch {
	case v.complete:
		return true, because("in sync when the peer was lost")
	case !v.met && v.seen == 0:
		return true, because("no peer was ever heard")
	case !v.met:
		return false, because("the adopted table is not complete")
	case v.seen == 0:
		return false, because("peer was heard, but its table was never received")
	}
	return false, because("peer was lost before sync was complete")
}

func judgeSyncWithMaster(v *view) (bool, why) {
	if v.stale && (v.inSync || !v.live) {
		return false, because("nothing was heard on the sync stream for too long while the peer is MASTER")
	}
	if v.peer.Unread { // also while the stream is silent: only the MASTER can take it back
		return false, because("the MASTER could not read its dataplane: there may be flows that it has not told of")
	}
	return v.inSync, why{sync: v.syncWhy}
}

// judgeDegraded lets a node serve with an incomplete table once nobody can complete it. A
// MASTER can, and so can a peer that cannot serve, while nobody serves.
func judgeDegraded(v *view) (bool, why) {
	switch {
	case v.complete:
		return false, because("the table is complete")
	case v.silent:
		return true, because("peer is silent: nobody can complete this table")
	case v.serves:
		return false, because("peer is MASTER, or gives its table")
	case v.awaited:
		return false, because("peer cannot serve and has a better table, which it is to give")
	case v.live && !v.peer.Rank.Able:
		return true, because("peer cannot serve: nobody can complete this table")
	case v.live && v.better:
		return false, because("peer has a better table")
	case v.live && v.seen != 0:
		return true, because("peer has no better table: nobody can complete this one")
	case !v.live && v.condition != unknown:
		return true, because("there is no sync stream: nobody can complete this table")
	}
	return false, because("peer is heard")
}

func judgeGranted(v *view) (bool, why) {
	switch {
	case v.leaving:
		return false, because("this node is leaving")
	case !v.granted:
		return false, because("no grant")
	case !v.live:
		return false, because("granted; but the stream is silent, and the MASTER may have taken the role back")
	case !v.applied:
		return false, because("granted; what the MASTER sent last is not applied yet")
	}
	return true, because("granted by the MASTER")
}

// judgePeerReady opens the gate if this node can hand the role to the peer.
func judgePeerReady(v *view) (bool, why) {
	switch {
	case !v.live:
		return false, because("no live sync stream to the peer")
	case v.peer.Role != ha.Backup:
		return false, why{text: "peer is %s", role: v.peer.Role}
	case v.overdue: // it may have been lost
		return false, because("peer is overdue on every BFD path and on the sync stream")
	case !v.peer.Rank.Able:
		return false, because("peer is not able to serve")
	case !v.peerInSync:
		return false, because("peer is not in sync")
	case v.unread: // a handover would stop forwarding, wait for the read, and fail
		return false, because("this node could not read its dataplane: the peer may lack flows")
	}
	return true, because("peer is Backup and in sync")
}

// judgePeerAble opens the gate if the peer could serve but an orderly handover is not
// possible.
func judgePeerAble(v *view) (bool, why) {
	switch {
	case v.live && v.peer.Role == ha.Backup && v.peer.Rank.Able && v.lacksLong:
		return true, because("peer is able to serve, and this node's targets have been lost for long")
	case v.live:
		return false, because("the sync stream is live: the role is handed over in order")
	case v.up && v.condition == standby:
		return true, because("peer could serve, as BFD says")
	}
	return false, because("peer does not say that it could serve")
}
