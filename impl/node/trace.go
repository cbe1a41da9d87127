package node

import (
	"fmt"
	"time"

	"baton/impl/bfd"
	"baton/impl/clock"
	"baton/impl/ha"
	"baton/impl/trace"
)

// progressTold is the last traced progress of connection sync and of the replica.
type progressTold struct {
	phase   string
	warning string // about what the peer can hold
	decile  int
	digest  uint64        // of the replica
	replica bool          // its digest has been traced
	again   clock.Instant // when the replica's digest may be traced again
}

// replicaEvery is the shortest time between two traces of a changing table's digest.
const replicaEvery = 250 * time.Millisecond

func (n *Node) trace(e trace.Event) {
	e.At, e.Node = n.now, n.cfg.ID
	n.emit(&Trace{Event: e})
}

func (n *Node) traceNote(note string) { n.trace(trace.Event{Kind: trace.KindNote, Note: note}) }

func (n *Node) traceRole(from ha.Role, reason ha.Reason) {
	n.trace(trace.Event{Kind: trace.KindRole, Role: &trace.Role{
		From: from.String(), To: n.role.String(), Reason: reason.String(), Epoch: n.epoch,
		Gates: n.gates.open.Names(), Closed: (ha.AllGates &^ n.gates.open).Names(), Degraded: reason.Degraded,
	}})
}

// traceRefusal traces a refused handover, and a claim that a gate refuses although no MASTER is left. It traces each
// once, until another gate refuses.
func (n *Node) traceRefusal(event ha.Event, reason ha.Reason) {
	wanted := event == ha.HandoverAsked || n.gates.open.Has(ha.NoMaster)
	if !wanted || event == ha.GatesChanged && reason.Refused == n.gates.refused {
		return
	}
	n.gates.refused = reason.Refused
	n.trace(trace.Event{Kind: trace.KindRole, Role: &trace.Role{
		From: n.role.String(), To: n.role.String(), Reason: reason.String() + " (" + n.gates.reason(reason.Refused) + ")",
		Epoch: n.epoch, Gates: n.gates.open.Names(), Closed: (ha.AllGates &^ n.gates.open).Names(),
		Refused: reason.Refused.String(),
	}})
}

func (n *Node) traceGate(gate ha.Gates, open bool, why string) {
	n.trace(trace.Event{Kind: trace.KindGate, Gate: &trace.Gate{Name: gate.String(), Open: open, Why: why}})
}

func (n *Node) traceBFD(p *path, c bfd.Change) {
	n.trace(trace.Event{Kind: trace.KindBFD, BFD: &trace.BFD{
		Path: p.Name, From: c.From.String(), To: c.To.String(), Diag: c.Diag.String(),
		Detect: trace.Dur(p.session.DetectionTime()),
	}})
}

func (n *Node) traceLease() {
	until := n.lease.until
	if !n.lease.held {
		until = n.now
	}
	e := n.spares.trace()
	e.Event.At, e.Event.Node, *e.Event.Lease = n.now, n.cfg.ID, trace.Lease{Until: until, Relay: n.relaying.until}
	n.emit(e)
}

// traceProgress traces connection sync when its phase changes or another tenth of a snapshot has arrived, a warning
// about what the peer can hold, and the table's digest when it has changed.
func (n *Node) traceProgress() {
	phase, percent := n.sync.Stage()
	decile := int(percent / 10)
	if phase != n.told.phase || decile != n.told.decile {
		n.told.phase, n.told.decile = phase, decile
		n.trace(trace.Event{Kind: trace.KindSync, Sync: n.syncEvent()})
	}
	if warning := n.sync.Warning(); warning != n.told.warning {
		if n.told.warning = warning; warning != "" {
			n.traceNote("connection sync: " + warning)
		}
	}
	if n.told.outdated(n) && n.now >= n.told.again {
		n.told.replica, n.told.digest, n.told.again = true, n.sync.Digest(), n.now.Add(replicaEvery)
		n.trace(trace.Event{Kind: trace.KindReplica, Replica: &trace.Replica{Entries: n.sync.Len(), Digest: n.replica()}})
	}
}

func (n *Node) syncEvent() *trace.Sync {
	p := n.sync.Progress()
	return &trace.Sync{
		Phase: p.Phase, Entries: p.Entries, Total: p.Total, Percent: p.Percent, Lag: p.Lag, Rate: p.Rate,
		Digest: p.Digest, Why: p.Why, Took: trace.Dur(p.Took),
	}
}

func (n *Node) replica() string { return fmt.Sprintf("%016x", n.sync.Digest()) }

// outdated reports whether the replica differs from what was traced last.
func (t *progressTold) outdated(n *Node) bool { return !t.replica || t.digest != n.sync.Digest() }

func (t *progressTold) wait(n *Node) clock.Instant {
	if n.now < t.again && t.outdated(n) {
		return t.again
	}
	return clock.Never
}
