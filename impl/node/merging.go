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

// A follower whose table has what the MASTER's lacks offers it (see ctsync.Offer). The MASTER
// merges the entries into its dataplane, where flows that packets have opened stay as they
// are. Then it reads them again. An entry that is not there, because another flow has its
// reply tuple, is deleted from the mirrored table, and so at the peer.

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
	if n.merging.stage != mergeResting || n.merging.attempts == 0 || !n.leads() {
		return clock.Never
	}
	return n.future(n.merging.at)
}

// advanceMerging writes the next offer. A node that no longer leads forgets it: what it has
// not worked in, its peer still holds.
func (n *Node) advanceMerging() {
	m := &n.merging
	if !n.leads() {
		*m = merging{}
		return
	}
	for m.stage == mergeResting && n.now >= m.at {
		offer, ok := n.sync.Offered()
		if !ok {
			return
		}
		if len(offer.Entries) == 0 {
			n.merged()
			continue
		}
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
		n.dropUnwritten(offer, d.Held)
		n.merged()
	}
	n.advanceMerging()
}

func tuplesOf(offer ctsync.Offer) []flow.Tuple {
	tuples := make([]flow.Tuple, len(offer.Entries))
	for i := range offer.Entries {
		tuples[i] = offer.Entries[i].Original
	}
	return tuples
}

// dropUnwritten deletes from the mirrored table what the dataplane does not hold.
func (n *Node) dropUnwritten(offer ctsync.Offer, held []flow.Held) {
	there := make(map[flow.Tuple]bool, len(held))
	for i := range held {
		there[held[i].Original] = held[i].Sound
	}
	var gone []flow.Event
	for i := range offer.Entries {
		if t := offer.Entries[i].Original; !there[t] {
			gone = append(gone, flow.Event{Entry: flow.Entry{Original: t}, Deleted: true})
		}
	}
	n.sync.Local(n.now, gone)
	n.traceNote(fmt.Sprintf("took %d flows of the peer that this node lacked", len(offer.Entries)-len(gone)))
}

// merged ends an offer.
func (n *Node) merged() {
	n.sync.Worked(n.now)
	n.merging.attempts, n.merging.at = 0, n.now
}
