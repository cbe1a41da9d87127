package node

import (
	"baton/impl/bfd"
	"baton/impl/clock"
	"baton/impl/ha"
)

// The tests live outside of the package, because the driver that runs their nodes imports
// it. What they need of its insides is here.

// Limits of the package.
const (
	YieldLimit   = yieldLimit
	RelayLimit   = relayLimit
	RereadPause  = rereadPause
	GrantLimit   = grantLimit
	StaleAfter   = staleAfter
	MuteLimit    = muteLimit
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

// PeerSaid is what the peer said of itself, if it is known.
func (n *Node) PeerSaid() (State, bool) { return n.peer.state, n.peer.known }

// StreamID is the sync stream that the node is on, 0 if none is up.
func (n *Node) StreamID() uint64 {
	if n.stream.up {
		return n.stream.id
	}
	return 0
}

// SyncEngineInSync is what connection sync says, whatever the gate.
func (n *Node) SyncEngineInSync() bool {
	in, _ := n.sync.InSync()
	return in
}

// GateOpen reports whether a gate is open.
func (n *Node) GateOpen(gate ha.Gates) bool { return n.gates.open.Has(gate) }

// GateReason says why a gate is open or closed.
func (n *Node) GateReason(gate ha.Gates) string { return n.gates.reason(gate) }

// Session is that of a path.
func (n *Node) Session(path int) *bfd.Session { return n.paths[path].session }

// PathConfig is that of a path.
func (n *Node) PathConfig(path int) Path { return n.paths[path].Path }

// MergeAt is when a failed merge is tried again.
func (n *Node) MergeAt() clock.Instant { return n.merging.at }
