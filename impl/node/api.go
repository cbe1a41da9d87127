package node

import (
	"errors"

	"baton/impl/arbiter"
	"baton/impl/catalog"
	"baton/impl/clock"
	"baton/impl/flow"
	"baton/impl/trace"
)

// Input is an event for a node. Only the types below implement it.
type Input interface{ input() }

type (
	// Timer reports that the instant returned by Deadline has come.
	Timer struct{}

	// Packet is a BFD control packet received on a path.
	Packet struct {
		Path int // index into Config.Paths
		Data []byte
		TTL  uint8
		// At is the receive time stamped at the link. It is earlier than the Step's instant if
		// the packet had to wait, and 0 without a stamp.
		At clock.Instant
	}

	// Link reports the carrier of a service link (client or backend side).
	Link struct {
		Name string
		Up   bool
		MAC  MAC // its hardware address
	}

	// Dataplane reports whether the programs are attached and the maps writable.
	Dataplane struct {
		Ready bool
		Why   string // when not ready
	}

	// Flows are the dataplane's flow events, in order.
	Flows struct{ Events []flow.Event }

	// Stream reports that a sync stream to the peer was established or lost. Each stream of a
	// process has its own ID, larger than the IDs before it. When a stream is established,
	// every earlier one is gone.
	Stream struct {
		ID  uint64
		Up  bool
		Why string // when lost
		// Version is the protocol version that both ends agreed on; 0 means the newest.
		Version uint8
	}

	// Message is one frame of the sync stream with the given ID. Frames of an older stream are
	// ignored: they may have waited in a buffer during a pause, and a grant in them may have
	// been taken back.
	Message struct {
		Stream uint64
		Data   []byte
	}

	// Probe is the result of one probe of a tracked target.
	Probe struct {
		Target   string // one of Config.Track.Targets
		Answered bool
	}

	// Handover is the operator's request to give the MASTER role to the peer.
	Handover struct{}

	// Stop asks the node to leave. A MASTER hands over first. The Exit effect answers it.
	Stop struct{}

	// Lost reports that the dataplane had to drop flow events. The node answers with a Dump and
	// reconciles.
	Lost struct{}

	// SendFailed reports that a BFD packet did not leave. It is stepped before any other input,
	// because a packet that did not leave justifies no lease.
	SendFailed struct {
		Path int // index into Config.Paths
		Err  string
	}

	// RenewalFailed reports that a renewal of the lease had no effect: the dataplane
	// refused it, or the packet that justified it did not leave.
	RenewalFailed struct {
		Until clock.Instant // the dataplane forwards until then
	}

	// Done reports that the effect with this ID was carried out, or why it was not.
	Done struct {
		ID      uint64
		Err     string
		Entries []flow.Entry // what a Dump found
		Held    []flow.Held  // what a Walk or an Examine found
		End     bool         // the Walk has come to the end of the table
		// Refused is set if an Apply was carried out except for some entries.
		Refused *flow.RefusedError
	}

	// Services are the services that this node balances from now on.
	Services struct{ Catalog catalog.Catalog }

	// VIPs reports how many VIPs to announce from now on, and whether some of them are new.
	VIPs struct {
		Count int
		New   bool
	}

	// Decided reports this node's decision about a topic, its own or one that it follows. Nil
	// Data withdraws it.
	Decided struct {
		Topic string
		Data  []byte
	}

	// Arbitration is the arbiter's answer.
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

// failure returns why the effect was not carried out, nil if it was.
func (d Done) failure() error {
	switch {
	case d.Refused != nil:
		return d.Refused
	case d.Err != "":
		return errors.New(d.Err)
	}
	return nil
}

// Effect is an action that a node asks for. Only the types below implement it. Effects are
// carried out in the order in which Ready returns them. An effect with an ID is answered by
// Done, and the node waits for that answer where order matters. The effects of each packet
// (SendBFD, Lease and Trace) are pointers so that the caller can return them with Node.Release.
type Effect interface{ effect() }

type (
	// SendBFD transmits a BFD control packet on a path.
	SendBFD struct {
		Path int
		Data []byte
	}

	// SendSync writes one frame to the sync stream. Without a stream the frame is dropped.
	SendSync struct{ Data []byte }

	// ResetStream closes the sync stream. A new one is then dialled or accepted.
	ResetStream struct{ Why string }

	// Apply writes replicated entries and deletions into the dataplane.
	Apply struct {
		ID      uint64
		Entries []flow.Entry
		Deletes []flow.Tuple
	}

	// Lease allows forwarding until the instant, which counts from the clock reading of the
	// Step that asked for it. An instant in the past forbids forwarding. ID 0 is a renewal
	// without a Done.
	Lease struct {
		ID    uint64
		Until clock.Instant
	}

	// Miss sets what the dataplane does with a mid-flow segment that has no entry. Without
	// Guess it adopts the flow only if every node would choose the same backend, and drops the
	// segment otherwise.
	Miss struct{ Guess bool }

	// Drain asks that every pending flow event of the dataplane be stepped (as Flows) before
	// the Done.
	Drain struct{ ID uint64 }

	// Dump asks for all entries of the dataplane. Done carries them.
	Dump struct{ ID uint64 }

	// Walk asks for the next entries of a walk through the dataplane. Done carries them. After
	// the end and after a failure the walk starts over.
	Walk struct{ ID uint64 }

	// Examine asks for the dataplane's entries of some flows. Done carries them.
	Examine struct {
		ID     uint64
		Tuples []flow.Tuple
	}

	// Heal writes those of Entries that the dataplane lacks or holds damaged, and deletes those
	// of Deletes that it holds damaged. Packets may be forwarded meanwhile, so entries that
	// they can use stay unchanged.
	Heal struct {
		ID      uint64
		Entries []flow.Entry
		Deletes []flow.Tuple
	}

	// Merge writes each entry into the dataplane unless a flow there has its original or its
	// reply tuple: what damage has left of a flow is replaced. Packets may be forwarded meanwhile.
	Merge struct {
		ID      uint64
		Entries []flow.Entry
	}

	// SendReplies sends deferred replies to their clients (flow.Event.Deferred).
	SendReplies struct{ IDs []uint64 }

	// DropReplies drops deferred replies.
	DropReplies struct{ IDs []uint64 }

	// Announce sends one gratuitous ARP for each of VIPs addresses, starting with First and
	// wrapping around.
	Announce struct {
		Count int // number of the round: 1 for the first of a burst
		First int
		VIPs  int
	}

	// Relay forwards packets of a VIP that arrive without a lease to the peer until an instant, 0
	// to stop. A node that hears a MASTER repeats it with each packet.
	Relay struct{ Until clock.Instant }

	// PeerMAC is the peer's hardware address on one of this node's service links, zero if the
	// peer has not sent it.
	PeerMAC struct {
		Link string
		MAC  MAC
	}

	// Expire turns the ageing of entries on (on a MASTER) or off. No entry counts as last seen
	// before Since.
	Expire struct {
		On    bool
		Since clock.Instant
	}

	// Keep stores the pedigree beside the table, for the process that may adopt the table.
	Keep struct{ Pedigree flow.Pedigree }

	// Arbitrate asks the arbiter. The answer is an Arbitration, which may come late or never.
	Arbitrate struct{ Question arbiter.Question }

	// Follow carries the decision of the peer, the MASTER, about a topic; nil Data withdraws
	// it. It applies here until Unfollow.
	Follow struct {
		Topic string
		Data  []byte
	}

	// Unfollow makes this node's own decisions apply again. They start from the followed ones.
	Unfollow struct{}

	// Trace records an event.
	Trace struct{ Event trace.Event }

	// Exit reports that the node has left and that the process may end.
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
func (*Relay) effect()      {}
func (PeerMAC) effect()     {}
func (SendReplies) effect() {}
func (DropReplies) effect() {}
func (Expire) effect()      {}
func (Keep) effect()        {}
func (*Trace) effect()      {}
func (Exit) effect()        {}
