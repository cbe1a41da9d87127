// Package driver carries out the effects of a node's core. A world (the daemon, the
// simulator, the explorer, the tests of the core) implements Ports and passes inputs to
// Step. The driver steps the core, carries out its effects in order and queues their
// results until the world steps them in. It reads only the clock of its ports, starts no
// goroutine and opens no socket.
//
// # Division of work
//
// The world decides when to step an input, and steps a Timer at the core's Deadline.
// Effects are carried out within Step. An effect for which Ports.Takes returns true delays
// the effects after it until the world calls Finish; until then the world must not call
// Step. Effects that are answered through a done callback, such as Apply and Dump, delay
// nothing: the result may come later. Next returns the results in order.
//
// # Failures
//
// A BFD packet that did not leave justifies no lease: the driver refuses every lease after
// it in the same Ready that would allow forwarding, and reports the packet and the refused
// renewal to the core before any other input. Every failed call is reported to
// Ports.Failed.
package driver

import (
	"baton/impl/arbiter"
	"baton/impl/clock"
	"baton/impl/flow"
	"baton/impl/node"
	"baton/impl/trace"
)

// Ports are the systems on which a core's effects act. Arguments are valid only during the
// call, except the entries and deletes of Apply, Heal and Merge.
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
	// Takes reports whether an effect takes time. It is called once, before the effect is
	// carried out. The world calls Driver.Finish when the time has passed.
	Takes(node.Effect) bool
}

// Dataplane forwards packets and holds the connection table.
type Dataplane interface {
	// Lease allows forwarding until an instant.
	Lease(until clock.Instant) error
	// Apply writes entries and deletions and calls done, at once or later. After an
	// error, any part of them may have been written.
	Apply(entries []flow.Entry, deletes []flow.Tuple, done func(error))
	// SetMiss says whether the dataplane guesses the backend of a mid-flow segment that has
	// no entry; see node.Miss.
	SetMiss(guess bool) error
	// Drain passes every pending flow event to take, in order. lost reports whether the
	// dataplane has dropped events since the last call.
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
	// Relay makes the dataplane forward packets that arrive without a lease to the peer,
	// until an instant.
	Relay(until clock.Instant) error
	// PeerMAC sets the peer's hardware address on a link.
	PeerMAC(link string, mac node.MAC) error
	// SendReplies sends deferred replies; see dataplane.Dataplane.Release.
	SendReplies(ids []uint64) error
	// DropReplies drops deferred replies.
	DropReplies(ids []uint64)
	// Keep stores the pedigree with the table.
	Keep(flow.Pedigree) error
}

// Heartbeat sends BFD packets to the peer.
type Heartbeat interface {
	// SendBFD transmits a packet. An error means that the packet did not leave.
	SendBFD(path int, to Cast, packet []byte) error
}

// Cast is the link-layer destination of a packet.
type Cast bool

// The casts. The IP destination is the peer's address either way.
const (
	Unicast   Cast = false // the peer's hardware address
	Broadcast Cast = true  // the broadcast address: needs no neighbour entry
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

// Recorder records a node's trace events and the failed calls of its ports.
type Recorder interface {
	Record(trace.Event)
	Failed(Call, error)
}

// Arbiter is the third party that decides which node may act alone; see package arbiter.
type Arbiter interface {
	// Arbitrate asks a question. The world steps the answer as a node.Arbitration.
	Arbitrate(arbiter.Question)
}

// Decider decides about topics that the core only transports, such as the state of backends.
type Decider interface {
	// Follow applies the peer's decision until Unfollow; nil data withdraws it.
	Follow(topic string, data []byte)
	Unfollow()
}

// Process is the node's own process.
type Process interface {
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
	Calls // the number of calls
)

var callNames = [Calls]string{"send", "lease", "apply", "miss", "drain", "dump", "announce", "keep", "walk", "examine", "heal", "merge", "relay", "peer-mac", "reply"}

func (c Call) String() string { return callNames[c] }
