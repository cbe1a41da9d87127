package node

import (
	"fmt"
	"time"

	"baton/impl/clock"
	"baton/impl/ctsync"
	"baton/impl/fingerprint"
	"baton/impl/flow"
	"baton/impl/ha"
)

// A follower offers the entries that its source's table lacks (see ctsync.Offer). The source
// merges them into its dataplane, where flows opened by packets stay unchanged, and reads them
// back. The entries found there enter the mirrored table, and so the peer's.

const (
	// mergeRetry is how long after a failed call an offer is written again.
	mergeRetry = 50 * time.Millisecond
	// mergeAttempts is how often an offer is written. After that, the entries that the dataplane
	// still lacks are given up.
	mergeAttempts = 4
)

type mergeStage uint8

const (
	mergeResting mergeStage = iota
	mergeWriting            // the entries are being written
	mergeProving            // the entries are being read back
)

// merging is the progress of the current offer.
type merging struct {
	stage    mergeStage
	awaited  uint64        // the effect whose Done is expected
	attempts int           // failed attempts
	at       clock.Instant // time of the next attempt
}

// idle reports whether no offer is being merged, nor waits for its next attempt.
func (m *merging) idle() bool { return m.stage == mergeResting && m.attempts == 0 }

func (m *merging) fingerprint(h *fingerprint.Hash) {
	h.Number(uint64(m.stage))
	h.Int(m.attempts)
	h.Instant(m.at)
}

// offerRest makes the engine offer its table to a MASTER if the tables have diverged because the
// peer served meanwhile, or if the MASTER's term is new to this node and its table lacks this
// one's history.
func (n *Node) offerRest(leads bool, term followedTerm, theirs ha.Rank) {
	if leads && n.tablesCount() && (n.sync.Apart() || n.followed != term && n.epoch > theirs.Witnessed) {
		n.sync.OfferRest()
	}
}

// mergeWait returns when merging needs a Timer: for the next attempt after a failed one.
func (n *Node) mergeWait() clock.Instant { return n.future(n.merging.at) }

// advanceMerging writes the next offer. A node that is no longer a source has no offer; its peer
// still holds the entries. Entries written but not yet read back are only in the dataplane, so
// the dataplane is read.
func (n *Node) advanceMerging() {
	m := &n.merging
	offer, ok := n.sync.Offered()
	switch {
	case !ok:
		if m.stage != mergeResting {
			n.reading.ask(n.now)
		}
		*m = merging{}
	case m.stage == mergeResting && n.now >= m.at:
		m.stage, m.awaited = mergeWriting, n.nextID(pending{kind: pendingMerge})
		n.emit(Merge{ID: m.awaited, Entries: offer.Entries})
	}
}

// mergeAnswered takes the Done that merging waits for.
func (n *Node) mergeAnswered(d Done) {
	m := &n.merging
	if d.ID != m.awaited || m.stage == mergeResting {
		return
	}
	stage := m.stage
	m.stage = mergeResting
	offer, _ := n.sync.Offered()
	switch {
	case d.Err != "" && m.attempts+1 < mergeAttempts:
		m.at = n.now.Add(mergeRetry << m.attempts)
		m.attempts++
	case stage == mergeWriting:
		m.stage, m.awaited = mergeProving, n.nextID(pending{kind: pendingMerge})
		n.emit(Examine{ID: m.awaited, Tuples: tuplesOf(offer)})
	default:
		n.merged(d)
	}
}

func tuplesOf(offer ctsync.Offer) []flow.Tuple {
	tuples := make([]flow.Tuple, len(offer.Entries))
	for i := range offer.Entries {
		tuples[i] = offer.Entries[i].Original
	}
	return tuples
}

// merged ends an offer. d holds the dataplane's entries for the offered flows. After a failure,
// entries may be in the dataplane only, so it is read.
func (n *Node) merged(d Done) {
	var taken []flow.Event
	for i := range d.Held {
		if d.Held[i].Sound {
			taken = append(taken, flow.Event{Entry: d.Held[i].Entry})
		}
	}
	n.sync.Worked(n.now, taken)
	n.merging = merging{}
	if d.Err != "" {
		n.reading.ask(n.now)
		n.traceNote("flows of the peer that this node lacked are not known to be taken: " + d.Err)
		return
	}
	n.traceNote(fmt.Sprintf("took %d flows of the peer that this node lacked", len(taken)))
}
