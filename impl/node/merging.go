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

// A follower whose table has what its source's lacks offers it (see ctsync.Offer). The source
// merges the entries into its dataplane, where flows that packets have opened stay as they
// are, and reads them again. What is there then enters the mirrored table, and so the peer's.

const (
	// mergeRetry is how long after a failed call an offer is written again.
	mergeRetry = 50 * time.Millisecond
	// mergeAttempts is how often an offer is written before the entries that the dataplane
	// still lacks are given up.
	mergeAttempts = 4
)

type mergeStage uint8

const (
	mergeResting mergeStage = iota
	mergeWriting            // the entries are being written
	mergeProving            // and read again
)

// merging is how far the offer at hand is worked in.
type merging struct {
	stage    mergeStage
	awaited  uint64        // the effect whose Done goes on
	attempts int           // that have failed
	at       clock.Instant // when it is tried again
}

func (m *merging) fingerprint(h *fingerprint.Hash) {
	h.Number(uint64(m.stage))
	h.Int(m.attempts)
	h.Instant(m.at)
}

// offerRest has the engine offer its table to a MASTER of a term that was not followed yet
// and whose table lacks the history of this one, or whose peer has served meanwhile.
func (n *Node) offerRest(leads bool, term followedTerm, theirs ha.Rank) {
	if leads && n.tablesCount() && (n.sync.Apart() || n.followed != term && n.epoch > theirs.Witnessed) {
		n.sync.OfferRest()
	}
}

// mergeWait returns when merging needs a Timer.
func (n *Node) mergeWait() clock.Instant {
	if n.merging.stage != mergeResting || n.merging.attempts == 0 {
		return clock.Never
	}
	return n.future(n.merging.at)
}

// advanceMerging writes the next offer. A node that is no source any more has none: its peer
// still holds the entries. What was written and not proved is in the dataplane alone, and has
// to be read.
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

// mergeAnswered takes the answer that merging waits for.
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

// merged ends an offer, given what the dataplane holds of its flows. What it has taken and could
// not be proved is in no table before the dataplane is read.
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
