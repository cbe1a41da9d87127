package node

import (
	"math"
	"slices"
	"time"

	"baton/impl/clock"
	"baton/impl/fingerprint"
	"baton/impl/flow"
)

// deferral holds back the replies that establish clients' flows until the peer has acknowledged
// those flows. A client that has received such a reply has a flow that survives this node. No
// reply waits longer than the limit, or for a peer that is not in sync.
type deferral struct {
	waiting []waitingReply // oldest first
	bytes   int            // total size of the packets
	stats   DeferStats
}

// waitingReply is a reply that the dataplane holds back.
type waitingReply struct {
	flow.Deferred
	seq   uint64 // last change of its flow, which the peer has to acknowledge
	since clock.Instant
}

// Bounds of the waiting replies. Beyond them, replies are sent at once.
const (
	maxWaiting      = 4096
	maxWaitingBytes = 1 << 20
)

// DeferStats counts replies by the reason why their wait ended.
type DeferStats struct {
	Acked    uint64 `json:"acked"`     // the peer has acknowledged the flow
	TimedOut uint64 `json:"timed_out"` // the limit was reached
	NoPeer   uint64 `json:"no_peer"`   // the peer was not in sync
	Full     uint64 `json:"full"`      // too many were waiting
	Dropped  uint64 `json:"dropped"`   // not sent: the node had stopped forwarding
	// Waited is the total waiting time of acknowledged replies.
	Waited time.Duration `json:"waited"`
}

// Ended is how many replies no longer wait.
func (s *DeferStats) Ended() uint64 { return s.Acked + s.TimedOut + s.NoPeer + s.Full + s.Dropped }

// DeferStatus describes a node's deferred replies.
type DeferStatus struct {
	Limit   time.Duration `json:"limit"`
	Waiting int           `json:"waiting"`
	DeferStats
}

func (d *deferral) status(limit time.Duration) *DeferStatus {
	if limit == 0 {
		return nil
	}
	return &DeferStatus{Limit: limit, Waiting: len(d.waiting), DeferStats: d.stats}
}

func (d *deferral) clone() deferral {
	c := *d
	c.waiting = slices.Clone(d.waiting)
	return c
}

func (d *deferral) fingerprint(h *fingerprint.Hash) {
	h.Int(len(d.waiting))
	h.Int(d.bytes)
	for i := range d.waiting {
		h.Counter(fingerprint.Seq, d.waiting[i].seq)
		h.Instant(d.waiting[i].since)
	}
}

// deadline returns when the oldest reply reaches the limit.
func (d *deferral) deadline(limit time.Duration) clock.Instant {
	if len(d.waiting) == 0 {
		return clock.Never
	}
	return d.waiting[0].since.Add(limit)
}

// receiveFlows takes the dataplane's events in order: a flow's changes come before the reply
// that waits for them.
func (n *Node) receiveFlows(events []flow.Event) {
	strays := n.sync.Stats().Strays
	n.takeFlows(events)
	n.install.strayed = n.install.strayed || n.sync.Stats().Strays != strays
}

func (n *Node) takeFlows(events []flow.Event) {
	for len(events) > 0 {
		changes := slices.IndexFunc(events, func(e flow.Event) bool { return e.Deferred.ID != 0 })
		if changes < 0 {
			n.sync.Local(n.now, events)
			return
		}
		if changes > 0 {
			n.sync.Local(n.now, events[:changes])
		}
		n.deferReply(&events[changes])
		events = events[changes+1:]
	}
}

// deferReply queues a reply.
func (n *Node) deferReply(e *flow.Event) {
	d := &n.deferral
	switch {
	case !n.lease.held:
		d.stats.Dropped++
		n.emit(DropReplies{IDs: []uint64{e.Deferred.ID}})
	case len(d.waiting) >= maxWaiting || d.bytes+e.Deferred.Bytes > maxWaitingBytes:
		d.stats.Full++
		n.emit(SendReplies{IDs: []uint64{e.Deferred.ID}})
	default:
		seq, known := n.sync.LastChange(e.Entry.Original)
		if !known { // its event was lost: no acknowledgement covers it
			seq = math.MaxUint64
		}
		d.bytes += e.Deferred.Bytes
		d.waiting = append(d.waiting, waitingReply{e.Deferred, seq, n.now})
	}
}

// sendDeferred sends the replies that need not wait any longer.
func (n *Node) sendDeferred() {
	d := &n.deferral
	if len(d.waiting) == 0 {
		return
	}
	synced, acked := n.sync.PeerInSync(), n.sync.Acked()
	var ids []uint64
	kept := d.waiting[:0]
	for _, w := range d.waiting {
		switch {
		case !synced:
			d.stats.NoPeer++
		case w.seq <= acked:
			d.stats.Acked++
			d.stats.Waited += n.now.Sub(w.since)
		case n.now >= w.since.Add(n.cfg.Defer):
			d.stats.TimedOut++
		default:
			kept = append(kept, w)
			continue
		}
		d.bytes -= w.Bytes
		ids = append(ids, w.ID)
	}
	d.waiting = kept
	if ids != nil {
		n.emit(SendReplies{IDs: ids})
	}
}

// dropDeferred drops the deferred replies when the node has stopped forwarding. The backends
// retransmit them, and the next MASTER forwards those.
func (n *Node) dropDeferred() {
	d := &n.deferral
	if len(d.waiting) == 0 {
		return
	}
	ids := make([]uint64, len(d.waiting))
	for i := range d.waiting {
		ids[i] = d.waiting[i].ID
	}
	d.stats.Dropped += uint64(len(ids))
	d.waiting, d.bytes = d.waiting[:0], 0
	n.emit(DropReplies{IDs: ids})
}
