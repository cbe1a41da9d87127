package node

import (
	"time"

	"baton/impl/bfd"
	"baton/impl/catalog"
	"baton/impl/ctsync"
	"baton/impl/ha"
)

// Status is a node's state as shown to operators.
type Status struct {
	Node        string          `json:"node"`
	Role        string          `json:"role"`
	Epoch       uint32          `json:"epoch"`
	Complete    bool            `json:"complete"` // the table was complete at Epoch
	Incarnation uint64          `json:"incarnation"`
	Gates       []GateStatus    `json:"gates"`
	Paths       []PathStatus    `json:"paths"`
	Peer        PeerStatus      `json:"peer"`
	Sync        ctsync.Progress `json:"sync"`
	InSync      bool            `json:"in_sync"`
	// Degraded: the node has the role, and its table is known to be incomplete.
	Degraded bool `json:"degraded"`
	// PairInSync: the node that does not serve holds the complete table of the node that
	// does.
	PairInSync bool        `json:"pair_in_sync"`
	Flows      int         `json:"flows"` // entries of the mirrored table
	Read       ReadStatus  `json:"read"`
	Scrub      ScrubStatus `json:"scrub"`
	// Defer is nil if the dataplane does not defer replies.
	Defer *DeferStatus `json:"defer,omitempty"`
	// Arbiter is nil if none is configured.
	Arbiter *ArbiterStatus `json:"arbiter,omitempty"`
	Digest  string         `json:"digest"`
	// Lease is how long forwarding is still allowed; 0 if it is not.
	Lease time.Duration `json:"lease"`
	// Adopted describes the table of the process before; nil if there was none, or it did
	// not fit.
	Adopted *AdoptedStatus `json:"adopted_table,omitempty"`
}

// ArbiterStatus is this node's use of the arbiter.
type ArbiterStatus struct {
	Kind    string `json:"kind"` // etcd or gateway
	Policy  string `json:"policy"`
	Answers bool   `json:"answers"`       // the last question was answered, or the gateway is reached
	Why     string `json:"why,omitempty"` // why it was not answered
	// Alone: the node serves without peer and arbiter (keep-serving). For is how long it
	// has.
	Alone bool          `json:"alone"`
	For   time.Duration `json:"for,omitempty"`
}

// AdoptedStatus describes the table that a node began with.
type AdoptedStatus struct {
	Epoch   uint32 `json:"epoch"`
	Whole   bool   `json:"whole"` // the process before led with it to its end
	Read    bool   `json:"read"`  // the node has read it, or stopped trying
	Entries int    `json:"entries"`
}

// ReadStatus describes the node's reads of its dataplane.
type ReadStatus struct {
	// Due: the dataplane may hold flows that the mirrored table lacks.
	Due    bool   `json:"due"`
	Failed uint64 `json:"failed"` // drains and dumps that failed
	Streak int    `json:"streak"` // failures since the last that succeeded
	Why    string `json:"why"`    // the last error
}

// ScrubStatus counts the results of scrubbing since boot.
type ScrubStatus struct {
	Scrubs   uint64            `json:"scrubs"`   // complete scrubs
	ByKind   map[string]uint64 `json:"found"`    // entries by kind of damage, and parts of the mirrored table
	Unhealed uint64            `json:"unhealed"` // entries of a MASTER that could not be written back
	Streak   int               `json:"streak"`   // failed calls of the dataplane since the last complete scrub
	Why      string            `json:"why"`      // the last error
}

// GateStatus is the state of one gate.
type GateStatus struct {
	Name string `json:"name"`
	Open bool   `json:"open"`
	Why  string `json:"why"`
	// For is how long the gate has been open or closed.
	For time.Duration `json:"for"`
}

// PathStatus is the state of one BFD path.
type PathStatus struct {
	Name      string        `json:"name"`
	State     string        `json:"state"`
	Diag      string        `json:"diag"`
	Detection time.Duration `json:"detection"`
	Transmit  time.Duration `json:"transmit"`
	Stats     bfd.Stats     `json:"stats"`
}

// PeerStatus is what this node knows about its peer.
type PeerStatus struct {
	Node     string `json:"node"`
	Heard    bool   `json:"heard"`             // by BFD or on the sync stream
	Stream   bool   `json:"stream"`            // the sync stream is established
	Version  uint8  `json:"version,omitempty"` // protocol version of the sync stream
	Known    bool   `json:"known"`             // its role is known
	Role     string `json:"role"`
	Epoch    uint32 `json:"epoch"`
	Priority uint8  `json:"priority"`
	// Compared: the peer has sent its services on the current stream. Differences are those
	// between its services and this node's.
	Compared    bool                 `json:"compared"`
	Differences []catalog.Difference `json:"differences,omitempty"`
}

// Status returns the node's state as of the last Step.
func (n *Node) Status() Status {
	s := Status{
		Node: n.cfg.ID, Role: n.role.String(), Epoch: n.epoch, Complete: n.complete, Incarnation: n.cfg.Incarnation,
		Peer: PeerStatus{
			Node: n.cfg.Peer, Heard: !n.silent(), Stream: n.stream.up, Known: n.peer.known, Role: "unknown",
			Epoch: n.peer.state.Rank.Epoch, Priority: n.peer.state.Rank.Priority,
			Compared: n.comparison.heard, Differences: n.comparison.differences,
		},
		Sync: n.sync.Progress(), InSync: n.gates.open.Has(ha.InSync), Flows: n.sync.Len(), Digest: n.replica(),
		Read: ReadStatus{Due: !n.reading.done(), Failed: n.reading.stats.failed, Streak: n.reading.streak, Why: n.reading.stats.why},
	}
	s.Scrub = ScrubStatus{Scrubs: n.scrub.stats.Scrubs, ByKind: map[string]uint64{}, Unhealed: n.scrub.stats.Unhealed, Streak: n.scrub.stats.Streak, Why: n.scrub.stats.Why}
	for kind, found := range n.scrub.stats.Found {
		s.Scrub.ByKind[Damage(kind).String()] = found
	}
	s.Adopted = n.adoption.status()
	s.Defer = n.deferral.status(n.cfg.Defer)
	if s.Arbiter = n.arbitration.status(n.now); s.Arbiter == nil {
		s.Arbiter = n.gatewayStatus()
	}
	s.Degraded = n.role.Holds() && !n.complete
	s.PairInSync = n.leads() && n.sync.PeerInSync() || !n.role.Holds() && n.peerServes() && s.InSync
	if n.stream.up {
		s.Peer.Version = n.stream.version
	}
	if n.peer.known {
		s.Peer.Role = n.peer.state.Role.String()
	}
	if n.lease.held {
		s.Lease = n.lease.until.Sub(n.now)
	}
	for gate := range ha.AllGates.Each() {
		s.Gates = append(s.Gates, GateStatus{gate.String(), n.gates.open.Has(gate), n.gates.reason(gate), n.now.Sub(n.gates.since[gate.Index()])})
	}
	for i := range n.paths {
		p := &n.paths[i]
		s.Paths = append(s.Paths, PathStatus{
			Name: p.Name, State: p.session.State().String(), Diag: p.session.LocalDiag().String(),
			Detection: p.session.DetectionTime(), Transmit: p.session.TransmitInterval(), Stats: p.session.Stats(),
		})
	}
	return s
}

// Role returns the node's role.
func (n *Node) Role() ha.Role { return n.role }

// Epoch returns the epoch of the node's table.
func (n *Node) Epoch() uint32 { return n.epoch }
