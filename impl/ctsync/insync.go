package ctsync

import "baton/impl/clock"

// InSync reports whether this node's dataplane holds the source's table: a mark
// of the source's current term matched, the dataplane has applied everything that
// the mark covers, and the changes since then are within the lag limit. The Reason
// says why or why not. The result stays when the stream is lost; LostAt tells since
// when. A source is always in sync.
func (e *Engine) InSync() (bool, Reason) {
	switch {
	case e.source:
		return true, Reason{text: isSource, a: uint64(e.pos.epoch)}
	case e.synced():
		return true, Reason{text: isEqual, term: e.pos.term, a: e.pos.seq}
	}
	return false, e.whyNot()
}

// synced is InSync of a sink.
func (e *Engine) synced() bool {
	in := &e.intake
	return in.verified && !in.sweeping && e.queue.failures == 0 && e.queue.reached(in.verifiedAt) &&
		e.lag() <= e.cfg.LagLimit
}

// whyNot says what the sink waits for.
func (e *Engine) whyNot() Reason {
	in := &e.intake
	switch {
	case e.queue.failures > 0:
		worst := e.queue.refusals()[0]
		return Reason{text: isRefused, what: worst.Why, a: uint64(worst.Entries)}
	case in.ended && e.offering.on:
		return Reason{text: "offering the MASTER the entries that it lacks"}
	case in.verified && in.sweeping:
		return Reason{text: "deleting what the snapshot did not hold"}
	case in.verified && !e.queue.reached(in.verifiedAt):
		return Reason{text: isApplying, a: uint64(e.queue.len())}
	case in.verified:
		return Reason{text: isBehind, a: e.lag(), b: e.cfg.LagLimit}
	case in.open && in.ended && in.compare.stage == startingOver:
		return Reason{text: "repair failed, waiting for a new snapshot"}
	case in.open && in.ended:
		return Reason{text: "digest differs, repairing"}
	case in.open && in.snapshot:
		return Reason{text: isReceiving, a: uint64(in.entries), b: uint64(in.total)}
	case in.open:
		return Reason{text: "resumed, not compared yet"}
	case in.waiting:
		return Reason{text: "hello not answered yet"}
	case !e.stream:
		return Reason{text: "no stream to the peer"}
	case e.peer.source:
		return Reason{text: "asking for a snapshot"}
	}
	return Reason{text: "the peer is not MASTER"}
}

// Settled reports whether the dataplane holds the complete table of one position: a
// source's, or one that a mark has closed and that no round is replacing.
func (e *Engine) Settled() bool { return e.source || e.intake.settled && e.queue.failures == 0 }

// Current reports whether the source's state is known from the present stream.
func (e *Engine) Current() bool { return e.stream && e.intake.open }

// lag returns how many of the source's changes the dataplane has not applied, as far as is known.
func (e *Engine) lag() uint64 {
	return max(e.intake.head, e.pos.seq) - e.intake.applied
}

// AppliedSeq returns the last change of the source's term that this sink's
// dataplane has applied; 0 if its table is not complete. On a source it is Sent.
func (e *Engine) AppliedSeq() uint64 {
	switch {
	case e.source:
		return e.pos.seq
	case e.intake.verified && !e.intake.sweeping && e.queue.reached(e.intake.verifiedAt):
		return e.intake.applied
	}
	return 0
}

// LostAt returns when the last stream was lost, Never while one is up or before
// the first.
func (e *Engine) LostAt() clock.Instant { return e.lostAt }

// PeerInSync reports whether the sink says that it is in sync with this source,
// and is within the lag limit.
func (e *Engine) PeerInSync() bool {
	return e.feed.open && e.feed.inSync && e.pos.seq-e.feed.acked <= e.cfg.LagLimit
}
