package node

import (
	"baton/impl/bfd"
	"baton/impl/clock"
	"baton/impl/ha"
)

// The tests are outside of the package, because the driver that runs their nodes imports it.
// This file exports the internals that they need.

// Limits of the package.
const (
	YieldLimit   = yieldLimit
	RelayLimit   = relayLimit
	RereadPause  = rereadPause
	GrantLimit   = grantLimit
	StaleAfter   = staleAfter
	MuteLimit    = muteLimit
	LeaveLimit   = leaveLimit
	BootListen   = bootListen
	InstallLimit = installLimit
	GiveLimit    = giveLimit
	Settled      = settled
	Repeat       = repeat
	Refresh      = refresh
	ScrubPause   = scrubPause
	ScrubEvery   = scrubEvery

	MergeAttempts = mergeAttempts

	StandoffTurn       = standoffTurn
	StandoffLargerID   = standoffLargerID
	StandoffIncomplete = standoffIncomplete
)

// Burst is when gratuitous ARPs leave.
var Burst = burst

// The messages between nodes.
type (
	State = state
	Grant = grant
)

// Types of messages, and lengths.
const (
	TypeState    = typeState
	TypeRequest  = typeRequest
	TypeGrant    = typeGrant
	TypeServices = typeServices
	TypeDecision = typeDecision
	StateLen     = stateLen
)

func EncodeState(s State, version byte) []byte { return s.encode(version) }
func EncodeGrant(g Grant, version byte) []byte { return g.encode(version) }

var (
	EncodeRequest = encodeRequest
	DecodeState   = decodeState
	DecodeGrant   = decodeGrant
)

// Now is the instant that the node was stepped to last.
func (n *Node) Now() clock.Instant { return n.now }

// PeerSaid returns the peer's last state, if it is known.
func (n *Node) PeerSaid() (State, bool) { return n.peer.state, n.peer.known }

// StatesSent is the number of the last state that the node has sent.
func (n *Node) StatesSent() uint64 { return n.stream.seq }

// MaxEpoch is the largest epoch that a peer may report.
const MaxEpoch = maxEpoch

// StreamID returns the id of the node's sync stream, 0 if none is up.
func (n *Node) StreamID() uint64 {
	if n.stream.up {
		return n.stream.id
	}
	return 0
}

// SyncEngineInSync returns the sync engine's InSync, regardless of the gate.
func (n *Node) SyncEngineInSync() bool {
	in, _ := n.sync.InSync()
	return in
}

// GateOpen reports whether a gate is open.
func (n *Node) GateOpen(gate ha.Gates) bool { return n.gates.open.Has(gate) }

// GateReason says why a gate is open or closed.
func (n *Node) GateReason(gate ha.Gates) string { return n.gates.reason(gate) }

// Session returns the session of a path.
func (n *Node) Session(path int) *bfd.Session { return n.paths[path].session }

// PathConfig returns the configuration of a path.
func (n *Node) PathConfig(path int) Path { return n.paths[path].Path }

// MergeAt returns when a failed merge is retried.
func (n *Node) MergeAt() clock.Instant { return n.merging.at }

// ProofStaleAt returns when the last proof that the peer hears this node becomes stale.
func (n *Node) ProofStaleAt() clock.Instant { return n.footing().staleAt }
