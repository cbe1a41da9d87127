package node

import (
	"errors"

	"baton/impl/arbiter"
	"baton/impl/catalog"
	"baton/impl/clock"
	"baton/impl/flow"
	"baton/impl/trace"
)

// Input is what happens to a node. Exactly the types below implement it.
type Input interface{ input() }

type (
	// Timer says that the instant of Deadline has come.
	Timer struct{}

	// Packet is a BFD control packet received on a path.
	Packet struct {
		Path int // index into Config.Paths
		Data []byte
		TTL  uint8
		// At is when it came, by the stamp of who took it from the link: an instant
		// before that of the Step if it had to wait, and 0 where nobody says.
		At clock.Instant
	}

	// Link reports the carrier of a service link (client or backend side).
	Link struct {
		Name string
		Up   bool
		MAC  MAC // its hardware address
	}

	// Dataplane reports whether programs are attached and maps writable.
	Dataplane struct {
		Ready bool
		Why   string // when not ready
	}

	// Flows are flow events of the dataplane, in order.
	Flows struct{ Events []flow.Event }

	// Stream reports that a sync stream to the peer was established or lost. Each
	// stream of a process has an ID of its own, larger than those before; when one
	// is established any earlier one is gone.
	Stream struct {
		ID  uint64
		Up  bool
		Why string // when lost
		// Version is that of the protocol which both ends have agreed to speak, 0 for
		// the newest.
		Version uint8
	}

	// Message is one frame of the sync stream with the given ID. Frames of any
	// stream but the present one are ignored: they may have waited in a buffer
	// through a pause, and what they grant is no longer theirs to give.
	Message struct {
		Stream uint64
		Data   []byte
	}

	// Probe is what came of one probe of a tracked target.
	Probe struct {
		Target   string // one of Config.Track.Targets
		Answered bool
	}

	// Handover is the operator's request to give the MASTER role to the peer.
	Handover struct{}

	// Stop asks the node to leave: a MASTER hands over first. The Exit effect answers it.
	Stop struct{}

	// Lost reports that the dataplane had to drop flow events; the node answers
	// with a Dump and reconciles.
	Lost struct{}

	// SendFailed says that a BFD packet did not leave. It is stepped before any other
	// input: what did not leave justifies no lease.
	SendFailed struct {
		Path int // index into Config.Paths
		Err  string
	}

	// RenewalFailed says that a renewal of the lease did not take hold, because the
	// dataplane refused it or the packet that justified it did not leave.
	RenewalFailed struct {
		Until clock.Instant // up to when the dataplane forwards
	}

	// Done says that the effect with this ID has taken hold, or why it has not.
	Done struct {
		ID      uint64
		Err     string
		Entries []flow.Entry // what a Dump found
		Held    []flow.Held  // what a Walk or an Examine found
		End     bool         // the Walk has come to the end of the table
		// Refused is the failure of an Apply that has taken hold but for some entries.
		Refused *flow.RefusedError
	}

	// Services is what this node balances, from here on.
	Services struct{ Catalog catalog.Catalog }

	// VIPs says how many VIPs there are to announce from here on, and whether some of them
	// are new.
	VIPs struct {
		Count int
		New   bool
	}

	// Decided is what this node's world has decided about a topic, whether by itself or by
	// following; nil withdraws it.
	Decided struct {
		Topic string
		Data  []byte
	}

	// Arbitration is an answer of the arbiter.
	Arbitration struct{ Answer arbiter.Answer }
)

func (s Stream) version() uint8 {
	if s.Version == 0 {
		return Version
	}
	return s.Version
}

func (Timer) input()         {}
func (Packet) input()        {}
func (Link) input()          {}
func (Dataplane) input()     {}
func (Flows) input()         {}
func (Stream) input()        {}
func (Message) input()       {}
func (Probe) input()         {}
func (Handover) input()      {}
func (Stop) input()          {}
func (Lost) input()          {}
func (SendFailed) input()    {}
func (RenewalFailed) input() {}
func (Done) input()          {}
func (Services) input()      {}
func (Decided) input()       {}
func (VIPs) input()          {}
func (Arbitration) input()   {}

// failure is why the effect has not taken hold, nil if it has.
func (d Done) failure() error {
	switch {
	case d.Refused != nil:
		return d.Refused
	case d.Err != "":
		return errors.New(d.Err)
	}
	return nil
}

// Effect is what a node wants done. Exactly the types below implement it. Effects
// are carried out in the order in which Ready returns them; one with an ID is
// answered by Done, and what must follow it waits for that. Those that come with each
// packet, SendBFD, Lease and Trace, come as pointers, so that they can be given back,
// see Node.Release.
type Effect interface{ effect() }

type (
	// SendBFD transmits a BFD control packet on a path.
	SendBFD struct {
		Path int
		Data []byte
	}

	// SendSync writes one frame to the sync stream. Without a stream it is dropped.
	SendSync struct{ Data []byte }

	// ResetStream closes the sync stream; a new one is dialled or accepted.
	ResetStream struct{ Why string }

	// Apply writes replicated entries and deletions into the dataplane.
	Apply struct {
		ID      uint64
		Entries []flow.Entry
		Deletes []flow.Tuple
	}

	// Lease allows forwarding until the instant, counted from the clock reading of
	// the Step that asked for it; one in the past forbids forwarding. ID 0 is a
	// renewal that nobody waits for.
	Lease struct {
		ID    uint64
		Until clock.Instant
	}

	// Miss chooses what the dataplane does with mid-flow segments without an entry: it
	// takes up those of which any node would have made the same, and drops the others,
	// unless it is to guess.
	Miss struct{ Guess bool }

	// Drain asks that every flow event that is pending in the dataplane be stepped
	// in (as Flows) before the Done.
	Drain struct{ ID uint64 }

	// Dump asks for all entries of the dataplane, in Done.
	Dump struct{ ID uint64 }

	// Walk asks for the next entries of a walk through the dataplane, in Done. After the end,
	// and after a failure, the walk begins anew.
	Walk struct{ ID uint64 }

	// Examine asks for what the dataplane holds of some flows, in Done.
	Examine struct {
		ID     uint64
		Tuples []flow.Tuple
	}

	// Heal writes those of the entries into the dataplane that it holds damaged or not at
	// all, and deletes those of the others that it holds damaged. Packets may be forwarded
	// meanwhile: what they can use stays as it is.
	Heal struct {
		ID      uint64
		Entries []flow.Entry
		Deletes []flow.Tuple
	}

	// Merge writes each entry into the dataplane unless a flow there has its original or its
	// reply tuple. Packets may be forwarded meanwhile.
	Merge struct {
		ID      uint64
		Entries []flow.Entry
	}

	// SendReplies sends replies to clients that the dataplane holds back (flow.Event.Deferred).
	SendReplies struct{ IDs []uint64 }

	// DropReplies drops such replies.
	DropReplies struct{ IDs []uint64 }

	// Announce sends one gratuitous ARP for each of a number of VIPs, starting with First and
	// wrapping around.
	Announce struct {
		Count int // of the round: 1 for the first of a burst
		First int
		VIPs  int
	}

	// Relay has packets of a VIP that arrive without a lease sent on to the peer until an
	// instant.
	Relay struct{ Until clock.Instant }

	// PeerMAC says which hardware address the peer has on one of this node's service links,
	// zero if it has not told.
	PeerMAC struct {
		Link string
		MAC  MAC
	}

	// Expire turns the ageing of entries on (on a MASTER) or off. Entries count as
	// touched no earlier than Since.
	Expire struct {
		On    bool
		Since clock.Instant
	}

	// Keep keeps what is known of the table with the table, for the process that may
	// adopt it.
	Keep struct{ Pedigree flow.Pedigree }

	// Arbitrate asks the arbiter. Its answer is an Arbitration, some time later or never.
	Arbitrate struct{ Question arbiter.Question }

	// Follow says what the peer, the MASTER, has decided about a topic; nil if it has
	// withdrawn it. It holds here until Unfollow.
	Follow struct {
		Topic string
		Data  []byte
	}

	// Unfollow says that this node's own decisions hold from here on. They go on from what
	// was followed.
	Unfollow struct{}

	// Trace records an event.
	Trace struct{ Event trace.Event }

	// Exit says that the node has left and the process may end.
	Exit struct{}
)

func (*SendBFD) effect()    {}
func (Arbitrate) effect()   {}
func (Follow) effect()      {}
func (Unfollow) effect()    {}
func (SendSync) effect()    {}
func (ResetStream) effect() {}
func (Apply) effect()       {}
func (*Lease) effect()      {}
func (Miss) effect()        {}
func (Drain) effect()       {}
func (Dump) effect()        {}
func (Walk) effect()        {}
func (Examine) effect()     {}
func (Heal) effect()        {}
func (Merge) effect()       {}
func (Announce) effect()    {}
func (Relay) effect()       {}
func (PeerMAC) effect()     {}
func (SendReplies) effect() {}
func (DropReplies) effect() {}
func (Expire) effect()      {}
func (Keep) effect()        {}
func (*Trace) effect()      {}
func (Exit) effect()        {}
