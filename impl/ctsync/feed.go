package ctsync

import (
	"fmt"
	"slices"

	"baton/impl/clock"
	"baton/impl/fingerprint"
)

// scanStep is the maximum number of slots that one Ready visits in a walk of the table.
const scanStep = 1 << 15

// A feed is the source's state of the current stream: what was sent to the sink and
// what the sink has acked. The zero feed has received no hello yet.
type feed struct {
	place
	open  bool
	nonce uint32 // of the hello that it answers

	// Changes.
	window uint64 // maximum in flight
	next   uint64 // sequence number of the next to send
	acked  uint64

	// Rows of the snapshot, then of buckets under repair.
	batches   uint32 // maximum number of messages in flight
	rows      uint32 // messages sent
	rowsAcked uint32
	offered   uint32 // offers received
	cursor    uint32 // slot at which the snapshot continues; 0 if there is none or it is complete
	since     uint64 // flows changed after this change are sent only as deltas
	entries   int    // sent in the snapshot
	total     int    // entries when it began
	repairs   []uint16

	barriers []barrier
	markDue  bool          // the round, or a repair in it, must be closed
	checkAt  clock.Instant // when to compare the digests again
	marked   bool          // the round is closed
	inSync   bool          // as reported by the sink
}

// A barrier is a message about the table after change seq. It is sent right after
// that change.
type barrier struct {
	kind byte
	seq  uint64
	msg  []byte
}

func (f *feed) clone() feed {
	c := *f
	c.repairs, c.barriers = slices.Clone(f.repairs), slices.Clone(f.barriers)
	return c
}

func (f *feed) fingerprint(h *fingerprint.Hash) {
	f.place.fingerprint(h)
	h.Flag(f.open)
	h.Counter(fingerprint.Nonce, uint64(f.nonce))
	for _, v := range []uint64{
		f.window, f.next, f.acked, uint64(f.batches), uint64(f.rows), uint64(f.rowsAcked), uint64(f.offered), uint64(f.cursor), f.since,
		uint64(f.entries), uint64(f.total), uint64(len(f.repairs)), uint64(len(f.barriers)),
	} {
		h.Number(v)
	}
	for _, bucket := range f.repairs {
		h.Number(uint64(bucket))
	}
	for i := range f.barriers {
		h.Number(uint64(f.barriers[i].kind))
		h.Counter(fingerprint.Seq, f.barriers[i].seq)
		h.Text(string(f.barriers[i].msg))
	}
	h.Flag(f.markDue)
	h.Instant(f.checkAt)
	h.Flag(f.marked)
	h.Flag(f.inSync)
}

// hasRoom reports whether the windows of both changes and rows are open.
func (f *feed) hasRoom() bool {
	return f.next-1-f.acked < f.window && f.rows-f.rowsAcked < f.batches
}

func (f *feed) pending(kind byte) bool {
	for i := range f.barriers {
		if f.barriers[i].kind == kind {
			return true
		}
	}
	return false
}

// canMark reports whether a mark may be taken: all rows are sent, and no mark waits for
// the window. It becomes true with an ack of the sink, so it needs no deadline.
func (f *feed) canMark() bool {
	return f.cursor == 0 && len(f.repairs) == 0 && !f.pending(typeMark)
}

// deadline returns when the digests must be compared again. first is the oldest change in
// the journal.
func (f *feed) deadline(first uint64) clock.Instant {
	if f.open && f.marked && f.canMark() && !f.overtaken(first) {
		return f.checkAt
	}
	return clock.Never
}

// overtaken reports whether the journal no longer holds the next change for the sink.
func (f *feed) overtaken(first uint64) bool { return f.next < first }

// receiveHello opens a round for the sink.
func (e *Engine) receiveHello(r *reader) error {
	var m hello
	if err := m.decode(r); err != nil {
		return err
	}
	if !e.source || !e.stream || m.want != e.pos.term || m.incarnation != e.peer.incarnation {
		return e.outdated()
	}
	if int(m.buckets) != e.cfg.Buckets {
		return fmt.Errorf("the peer has %d digest buckets, this node %d", m.buckets, e.cfg.Buckets)
	}
	if m.check != e.table.check() {
		return fmt.Errorf("the peer hashes with another key")
	}
	if e.feed.open && e.feed.nonce == m.nonce {
		return e.outdated()
	}
	e.capacity.learn(e.cfg.Capacity, m.capacity)
	e.dropOffers()
	e.feed = feed{nonce: m.nonce, window: uint64(m.window), batches: m.batches}
	e.feed.window = min(e.feed.window, uint64(e.cfg.Window)*uint64(e.cfg.BatchEntries))
	e.feed.batches = min(e.feed.batches, uint32(e.cfg.Window))
	switch {
	case m.have.term == e.pos.term && m.have.seq <= e.pos.seq && m.have.seq+1 >= e.journal.first():
		e.resume(m.have, m.have.seq, m.applied)
	case m.have.known() && m.have.term == e.base.term && e.journal.first() == 1 && !e.beyondBase(m.have):
		// The sink has a table of the term on which ours is based, usually in exactly
		// that state. If not, the closing mark detects it, and the unequal buckets are
		// repaired.
		e.resume(m.have, 0, 0)
	default:
		e.snapshot()
	}
	return nil
}

// beyondBase reports whether a sink that can make offers has continued the term on which this
// one is based after it had ended here. A repair would delete its new flows.
func (e *Engine) beyondBase(have position) bool {
	return e.version >= versionOffer && have.seq > e.base.seq
}

// resume opens a round that continues after change seq.
func (e *Engine) resume(from position, seq, applied uint64) {
	e.stats.Resumes++
	e.feed.next, e.feed.acked = seq+1, applied
	e.openRound(begin{from: from, seq: seq})
}

// snapshot opens a round that sends every entry, and the changes from now on.
func (e *Engine) snapshot() {
	e.stats.Snapshots++
	f := &e.feed
	*f = feed{nonce: f.nonce, window: f.window, batches: f.batches}
	f.cursor, f.since = 1, e.pos.seq
	f.next, f.acked = e.pos.seq+1, e.pos.seq
	e.openRound(begin{snapshot: true, seq: e.pos.seq})
}

func (e *Engine) openRound(m begin) {
	e.rounds++
	f := &e.feed
	f.open, f.markDue, f.total = true, true, int(e.table.told(e.version).entries)
	f.place = place{epoch: e.pos.epoch, round: e.rounds}
	m.term, m.nonce, m.round = e.pos.term, f.nonce, f.round
	m.head, m.total, m.capacity = e.pos.seq, uint32(f.total), uint32(e.cfg.Capacity)
	e.send(m.encode(e.version))
}

// ours reports whether a message of the sink belongs to the current round.
func (e *Engine) ours(p place) bool { return e.source && e.feed.open && p == e.feed.place }

func (e *Engine) receiveAck(r *reader) error {
	var m ack
	if err := m.decode(r); err != nil {
		return err
	}
	f := &e.feed
	switch {
	case !e.ours(m.place):
		return e.outdated()
	case m.seq < f.acked || m.rows < f.rowsAcked:
		return fmt.Errorf("change %d and rows %d, after %d and %d", m.seq, m.rows, f.acked, f.rowsAcked)
	case m.seq >= f.next || m.rows > f.rows:
		return fmt.Errorf("change %d and rows %d, of %d and %d sent", m.seq, m.rows, f.next-1, f.rows)
	}
	f.acked, f.rowsAcked, f.inSync = m.seq, m.rows, m.inSync
	if m.inSync {
		e.shared, e.apart = max(e.shared, m.seq), false
	}
	e.stopwatch(f.inSync)
	return nil
}

func (e *Engine) receiveNeed(r *reader) error {
	var m need
	if err := m.decode(r); err != nil {
		return err
	}
	switch {
	case !e.ours(m.place):
		return e.outdated()
	case !e.feed.marked:
		return fmt.Errorf("before the round was closed")
	case e.feed.pending(typeBuckets):
		return fmt.Errorf("asked for twice")
	}
	e.feed.inSync = false
	e.barrier(typeBuckets, encodeBuckets(e.version, m.place, e.pos.seq, e.table.buckets))
	return nil
}

func (e *Engine) receiveRepair(r *reader) error {
	var m repair
	if err := m.decode(r); err != nil {
		return err
	}
	switch {
	case !e.ours(m.place):
		return e.outdated()
	case len(e.feed.repairs) > 0 || e.feed.cursor != 0:
		return fmt.Errorf("while rows are being sent")
	case int(m.list[len(m.list)-1]) >= e.cfg.Buckets:
		return fmt.Errorf("bucket %d of %d", m.list[len(m.list)-1], e.cfg.Buckets)
	}
	e.feed.repairs = m.list
	e.stats.Repairs++
	return nil
}

// pump sends what the window allows: changes first, then rows, and the mark once
// all rows are sent.
func (e *Engine) pump() {
	f := &e.feed
	if !f.open {
		return
	}
	if f.overtaken(e.journal.first()) {
		// A stalled sink gets its new snapshot when it acks again.
		if !f.hasRoom() {
			return
		}
		e.stats.Overflows++
		e.snapshot()
	}
	e.flush()
	e.sendRows()
	e.sendRepairs()
	if f.canMark() && (f.markDue || !e.now.Before(f.checkAt)) {
		e.mark()
	}
	e.flush()
}

// mark takes count and digest of the current table.
func (e *Engine) mark() {
	f := &e.feed
	f.markDue, f.checkAt = false, e.now.Add(e.cfg.DigestEvery)
	told := e.table.told(e.version)
	m := mark{place: f.place, seq: e.pos.seq, rows: f.rows, entries: told.entries, sum: told.sum}
	e.barrier(typeMark, m.encode(e.version))
	f.marked = true
}

func (e *Engine) barrier(kind byte, msg []byte) {
	e.feed.barriers = append(e.feed.barriers, barrier{kind: kind, seq: e.pos.seq, msg: msg})
}

// flush sends changes, and barriers at their places between them.
func (e *Engine) flush() {
	f := &e.feed
	for {
		limit := e.pos.seq
		if len(f.barriers) > 0 {
			limit = f.barriers[0].seq
		}
		for f.next <= limit && f.next-1-f.acked < f.window {
			e.sendDelta(limit)
		}
		if len(f.barriers) == 0 || f.next <= limit {
			return
		}
		e.send(f.barriers[0].msg)
		f.barriers = f.barriers[1:]
	}
}

// sendDelta sends one batch of changes up to limit.
func (e *Engine) sendDelta(limit uint64) {
	f := &e.feed
	n := min(limit-f.next+1, f.window-(f.next-1-f.acked), uint64(e.cfg.BatchEntries))
	m := delta{place: f.place, first: f.next, head: e.pos.seq, count: int(n)}
	msg := m.encode(e.version)
	for range n {
		msg = appendChange(msg, e.told(e.journal.at(f.next)))
		f.next++
	}
	e.send(msg)
}

// sendRows sends rows of the snapshot: the flows that have not changed since it
// began. Flows opened meanwhile are sent as deltas.
func (e *Engine) sendRows() {
	f := &e.feed
	scanned := 0
	for f.cursor != 0 && f.rows-f.rowsAcked < f.batches {
		if scanned >= scanStep {
			e.busy = true
			return
		}
		list := e.scratch[:0]
		for ; f.cursor <= e.table.used && len(list) < e.cfg.BatchEntries && scanned < scanStep; f.cursor++ {
			scanned++
			if s := e.table.at(f.cursor); !s.vacant() && e.tells(s) && !s.newer(version{e.table.gen, f.since}) {
				list = append(list, s.change())
			}
		}
		e.scratch = list
		if f.cursor > e.table.used {
			f.cursor = 0
		}
		if len(list) > 0 {
			f.entries += len(list)
			e.sendList(rows{bucket: noBucket}, list)
		}
	}
}

// sendRepairs sends buckets under repair, each as a whole and as of one sequence number. A
// mark that waits for the window is sent first: it counts only the rows before it.
func (e *Engine) sendRepairs() {
	f := &e.feed
	for len(f.repairs) > 0 && !f.pending(typeMark) && f.rows-f.rowsAcked < f.batches {
		m := rows{bucket: f.repairs[0], first: true}
		list := e.scratch[:0]
		e.table.walkBucket(int(m.bucket), func(_ uint32, s *slot) {
			if e.tells(s) {
				list = append(list, s.change())
			}
		})
		e.scratch = list
		for !m.last {
			n := min(len(list), e.cfg.BatchEntries)
			m.last = n == len(list)
			e.sendList(m, list[:n])
			list, m.first = list[n:], false
		}
		if f.repairs = f.repairs[1:]; len(f.repairs) == 0 {
			f.markDue = true
		}
	}
}

func (e *Engine) sendList(m rows, list []change) {
	f := &e.feed
	f.rows++
	m.place, m.index, m.seq, m.count = f.place, f.rows, e.pos.seq, len(list)
	msg := m.encode(e.version)
	for i := range list {
		msg = appendChange(msg, &list[i])
	}
	e.send(msg)
}
