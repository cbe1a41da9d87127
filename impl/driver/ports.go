// Package driver carries out what a node's core wants done. A world (the daemon, the
// simulator, the explorer, the tests of the core) implements Ports and hands inputs to
// Step; the driver steps the core, carries its effects out in their order and keeps what
// they came to until the world steps it in. It reads no clock but that of its ports,
// starts no goroutine and opens no socket.
//
// # Who does what
//
// The world decides when an input is stepped and looks after Core.Deadline. Effects are
// carried out within Step. One that takes time, as Ports.Takes says, keeps the effects
// behind it waiting, and the world calls Finish when the time has passed; until then
// nothing may be stepped. Apply and Dump may also be answered later: the effects behind
// them do not wait. What an effect came to is returned by Next, in order.
//
// # What did not happen
//
// A packet that did not leave justifies no lease: the driver withholds every renewal
// behind it in the same Ready, and tells the core of both before any other input.
// Every call that fails is told to Ports.Failed, whoever else learns of it.
package driver

import (
	"baton/impl/arbiter"
	"baton/impl/clock"
	"baton/impl/flow"
	"baton/impl/node"
	"baton/impl/trace"
)

// Ports are what a core's effects reach. What a call is given is valid during the call
// only, but for the entries and deletes of Apply, Heal and Merge.
type Ports interface {
	Clock
	Dataplane
	Heartbeat
	Announcer
	Stream
	Recorder
	Process
	Arbiter
	Decider
}

// Clock is the time of the node's host.
type Clock interface {
	Now() clock.Instant
	// Takes reports whether an effect takes time. It is asked once, before the effect is
	// carried out; the world calls Driver.Finish when the time has passed.
	Takes(node.Effect) bool
}

// Dataplane forwards packets and holds the connection table.
type Dataplane interface {
	// Lease allows forwarding until an instant.
	Lease(until clock.Instant) error
	// Apply writes entries and deletions and calls done, at once or later. After an
	// error, any part of them may have taken hold.
	Apply(entries []flow.Entry, deletes []flow.Tuple, done func(error))
	// SetMiss has mid-flow segments without an entry adopted by a guess, or not.
	SetMiss(guess bool) error
	// Drain hands every pending flow event to take, in order. lost: the dataplane has dropped events
	// since it was last asked.
	Drain(take func([]flow.Event)) (lost bool, err error)
	// Dump reads all entries and calls done, at once or later.
	Dump(done func([]flow.Entry, error))
	// Walk reads the next entries of a walk through the table and calls done, at once or
	// later; see node.Walk.
	Walk(done func(part []flow.Held, end bool, err error))
	// Examine reads entries.
	Examine([]flow.Tuple) ([]flow.Held, error)
	// Heal writes entries and deletions and calls done, at once or later; see node.Heal.
	Heal(entries []flow.Entry, deletes []flow.Tuple, done func(error))
	// Merge writes entries and calls done, at once or later; see node.Merge.
	Merge(entries []flow.Entry, done func(error))
	// Expire turns the ageing of entries on or off; see node.Expire.
	Expire(on bool, since clock.Instant)
	// Relay has packets that arrive without a lease sent on to the peer until an instant.
	Relay(until clock.Instant) error
	// PeerMAC sets the peer's hardware address on a link.
	PeerMAC(link string, mac node.MAC) error
	// SendReplies sends replies that are held back; see dataplane.Dataplane.Release.
	SendReplies(ids []uint64) error
	// DropReplies drops replies that are held back.
	DropReplies(ids []uint64)
	// Keep keeps what is known of the table with it.
	Keep(flow.Pedigree) error
}

// Heartbeat is the way of BFD packets to the peer.
type Heartbeat interface {
	// SendBFD transmits a packet. An error means that the packet did not leave.
	SendBFD(path int, to Cast, packet []byte) error
}

// Cast is the link-layer destination of a packet.
type Cast bool

// The casts. The IP destination is the peer's address in both.
const (
	Unicast   Cast = false // the peer's hardware address
	Broadcast Cast = true  // the broadcast address: the packet waits for no neighbour entry
)

// Announcer sends gratuitous ARP for VIPs.
type Announcer interface {
	Announce(node.Announce) error
}

// Stream is the sync stream to the peer.
type Stream interface {
	// SendSync writes a frame. Without a stream it is dropped.
	SendSync(frame []byte)
	// ResetStream closes the stream; a new one follows.
	ResetStream(why string)
}

// Recorder keeps what is told of a node.
type Recorder interface {
	Record(trace.Event)
	// Failed is told of each call of a port that failed.
	Failed(Call, error)
}

// Arbiter is the third party that the node asks.
type Arbiter interface {
	// Arbitrate asks a question. The world steps the answer in as an Arbitration.
	Arbitrate(arbiter.Question)
}

// Decider decides about topics that the core only carries, such as the state of backends.
type Decider interface {
	// Follow has what the peer decided hold, nil if nothing does any more, until Unfollow.
	Follow(topic string, data []byte)
	Unfollow()
}

// Process is the node's own process.
type Process interface {
	// Exit ends it.
	Exit()
}

// Call is a call of a port that may fail.
type Call uint8

// The calls that may fail.
const (
	SendBFD Call = iota
	Lease
	Apply
	SetMiss
	Drain
	Dump
	Announce
	Keep
	Walk
	Examine
	Heal
	Merge
	Relay
	PeerMAC
	SendReplies
	Calls // how many there are
)

var callNames = [Calls]string{"send", "lease", "apply", "miss", "drain", "dump", "announce", "keep", "walk", "examine", "heal", "merge", "relay", "peer-mac", "reply"}

func (c Call) String() string { return callNames[c] }
