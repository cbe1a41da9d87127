package ctsync

import (
	"fmt"

	"baton/impl/clock"
	"baton/impl/fingerprint"
	"baton/impl/flow"
)

// An intake is the sink's state: what it has received, how much of it the dataplane
// has applied, and whether the table equals the source's. It outlives the stream.
type intake struct {
	// The unanswered hello.
	waiting bool
	hello   hello
	helloAt clock.Instant

	// The round of the current stream.
	place
	open     bool
	snapshot bool
	ended    bool   // its first mark was received
	rows     uint32 // Rows messages received
	entries  int    // rows received
	total    int    // entries that the source announced

	session     uint32 // distinguishes the steps of this term or snapshot from earlier ones
	head        uint64 // the source's last change, as far as is known
	applied     uint64 // last change that the dataplane has applied
	rowsApplied uint32 // Rows messages of the round that it has applied

	// settled says that the received table was that of the engine's position, so
	// that a later round may build on it. verified says that a mark or comparison
	// has proved it and nothing has happened since that could change it; it counts
	// once the steps up to verifiedAt are applied.
	settled    bool
	verified   bool
	verifiedAt uint64

	// Deletion of entries that the snapshot did not hold.
	sweeping bool
	cursor   uint32

	compare comparison
	acked   ack // the last that was sent
}

func (in *intake) fingerprint(h *fingerprint.Hash) {
	h.Flag(in.waiting)
	in.hello.fingerprint(h)
	h.Remembered(in.helloAt, lostMemory)
	in.place.fingerprint(h)
	for _, b := range []bool{in.open, in.snapshot, in.ended, in.settled, in.verified, in.sweeping} {
		h.Flag(b)
	}
	h.Counter(fingerprint.Nonce, uint64(in.session))
	for _, v := range []uint64{
		uint64(in.rows), uint64(in.entries), uint64(in.total), in.head, in.applied, uint64(in.rowsApplied),
		in.verifiedAt, uint64(in.cursor),
	} {
		h.Number(v)
	}
	in.compare.fingerprint(h)
	in.acked.fingerprint(h)
}

// leave forgets the stream but keeps what was received.
func (in *intake) leave() {
	in.waiting, in.open = false, false
}

// doubt says that the table may no longer equal the source's.
func (in *intake) doubt() {
	in.verified = false
	in.compare.due = true
}

// sayHello asks the source for missing changes.
func (e *Engine) sayHello() {
	in := &e.intake
	in.leave()
	e.nonce++
	in.hello = hello{
		incarnation: e.cfg.Incarnation, nonce: e.nonce, want: e.peer.term,
		window: uint32(e.cfg.Window * e.cfg.BatchEntries), batches: uint32(e.cfg.Window),
		buckets: uint16(e.cfg.Buckets), check: e.table.check(), capacity: uint32(e.cfg.Capacity),
	}
	if in.settled && !e.offersStrays() {
		in.hello.have, in.hello.applied = e.pos, in.applied
	}
	in.waiting, in.helloAt = true, e.now
	e.send(in.hello.encode(e.version))
}

// receiveBegin opens a round, if it answers the hello.
func (e *Engine) receiveBegin(r *reader) error {
	var m begin
	if err := m.decode(r); err != nil {
		return err
	}
	in := &e.intake
	if e.source || !e.stream || !e.peer.source || m.term != e.peer.term || m.nonce != in.hello.nonce {
		return e.outdated()
	}
	same := !m.snapshot && m.from.term == m.term
	switch {
	case m.snapshot:
	case !in.settled || m.from != in.hello.have || m.from != e.pos:
		return fmt.Errorf("resumption from %s/%d, this node has %s/%d", m.from.term, m.from.seq, e.pos.term, e.pos.seq)
	case same && m.seq != m.from.seq || !same && m.seq != 0:
		return fmt.Errorf("resumption from %d goes on after %d", m.from.seq, m.seq)
	}
	if !same {
		e.table.renew()
		e.sessions++
		*in = intake{hello: in.hello, session: e.sessions, applied: m.seq, compare: in.compare}
		e.pos = position{term: m.term, seq: m.seq}
	}
	in.waiting, in.open, in.snapshot, in.ended = false, true, m.snapshot, false
	in.place = place{epoch: m.epoch, round: m.round}
	in.rows, in.rowsApplied, in.entries, in.total = 0, 0, 0, int(m.total)
	in.head, in.acked = m.head, ack{}
	in.compare.stop()
	e.offering = offering{due: e.offering.due, strays: e.offering.strays && !m.snapshot}
	e.capacity.learn(e.cfg.Capacity, m.capacity)
	e.meter.begin(e.now)
	return nil
}

// admit accepts messages of the current round and drops those of earlier ones. A
// later round cannot come before its begin on the same stream.
func (e *Engine) admit(p place) (ok bool, err error) {
	in := &e.intake
	switch {
	case e.source || !in.open || p.epoch < in.epoch:
		return false, e.outdated()
	case p != in.place:
		return false, fmt.Errorf("epoch %d round %d, not begun", p.epoch, p.round)
	}
	return true, nil
}

// receiveDelta takes the next changes.
func (e *Engine) receiveDelta(r *reader) error {
	var m delta
	list, err := m.decode(r, e.scratch)
	if err != nil {
		return err
	}
	e.scratch = list
	if ok, err := e.admit(m.place); !ok {
		return err
	}
	in := &e.intake
	if m.first != e.pos.seq+1 {
		return fmt.Errorf("change %d, expected %d", m.first, e.pos.seq+1)
	}
	last := m.first + uint64(m.count) - 1
	if last-in.applied > uint64(in.hello.window) {
		return fmt.Errorf("change %d is outside the window: %d applied, %d allowed", last, in.applied, in.hello.window)
	}
	st := e.queue.fresh()
	for i := range list {
		e.write(st, &list[i], version{gen: e.table.gen, seq: m.first + uint64(i)})
	}
	e.pos.seq, in.head = last, max(in.head, m.head)
	e.stage(st)
	return nil
}

// rowsSlack is by how many messages one bucket under repair may exceed the window.
const rowsSlack = 256

// receiveRows takes rows of the snapshot or of a bucket under repair. They are as
// of a change that is not older than the last received one, so no row can bring
// back a flow that a delta has deleted.
func (e *Engine) receiveRows(r *reader) error {
	var m rows
	list, err := m.decode(r, e.scratch)
	if err != nil {
		return err
	}
	e.scratch = list
	if ok, err := e.admit(m.place); !ok {
		return err
	}
	in := &e.intake
	switch {
	case m.index != in.rows+1:
		return fmt.Errorf("rows %d, expected %d", m.index, in.rows+1)
	case m.index-in.rowsApplied > in.hello.batches+rowsSlack:
		return fmt.Errorf("rows %d are outside the window: %d applied, %d allowed", m.index, in.rowsApplied, in.hello.batches)
	case m.seq < e.pos.seq:
		return fmt.Errorf("as of change %d, after change %d", m.seq, e.pos.seq)
	case m.bucket == noBucket && (!in.snapshot || in.ended):
		return fmt.Errorf("outside a snapshot")
	case m.bucket != noBucket:
		if err := e.checkBucket(&m, list); err != nil {
			return err
		}
	}
	st := e.queue.fresh()
	for i := range list {
		e.write(st, &list[i], version{gen: e.table.gen, seq: m.seq})
	}
	if m.bucket != noBucket {
		e.closeBucket(st, &m)
	}
	in.rows, in.entries, in.head = m.index, in.entries+len(list), max(in.head, m.seq)
	e.stage(st)
	return nil
}

// write updates one flow of the mirror from the source, unless the mirror has a
// newer version, and adds the dataplane's part to the step.
func (e *Engine) write(st *step, c *change, v version) {
	hash := e.table.tuple(c.original)
	id := e.table.find(hash, c.original)
	if id == 0 {
		if !c.deleted() {
			id = e.table.insert(hash, *c, flow.Synced, v)
			e.put(st, id, c)
		}
		return
	}
	s := e.table.at(id)
	if s.newer(v) {
		return
	}
	if c.deleted() {
		e.table.remove(hash, id)
		st.Deletes = append(st.Deletes, c.original)
		return
	}
	origin, moved, equal := flow.Synced, s.reply != c.reply, s.reply == c.reply && s.state == c.state
	if equal {
		origin = s.origin
	}
	e.table.replace(hash, id, *c, origin, v)
	if moved {
		st.Deletes = append(st.Deletes, c.original)
	}
	if !equal {
		e.put(st, id, c)
	}
}

// put adds an entry to the step and remembers its slot.
func (e *Engine) put(st *step, id uint32, c *change) {
	st.Entries = append(st.Entries, c.entry(flow.Synced))
	e.slots = append(e.slots, id)
}

// stage enqueues a received step, reduced to the final state of each flow.
func (e *Engine) stage(st *step) {
	in := &e.intake
	kept := st.Entries[:0]
	for i := range st.Entries {
		entry := &st.Entries[i]
		s := e.table.at(e.slots[i])
		if s.original == entry.Original && s.reply == entry.Reply && s.state == entry.State {
			kept = append(kept, *entry)
		}
	}
	st.Entries, e.slots = kept, e.slots[:0]
	st.session, st.seq, st.round, st.rows = in.session, e.pos.seq, in.round, in.rows
	e.enqueue(st)
}

// receiveMark compares the table with the source's at the same change.
func (e *Engine) receiveMark(r *reader) error {
	var m mark
	if err := m.decode(r); err != nil {
		return err
	}
	if ok, err := e.admit(m.place); !ok {
		return err
	}
	in := &e.intake
	switch {
	case m.seq != e.pos.seq:
		return fmt.Errorf("at change %d, after change %d", m.seq, e.pos.seq)
	case m.rows != in.rows:
		return fmt.Errorf("after rows %d, of which %d came", m.rows, in.rows)
	}
	first := !in.ended
	in.ended = true
	if in.snapshot && first {
		in.sweeping, in.cursor = e.table.fresh.entries != e.table.all.entries, 1
		in.compare.due = false // earlier strays are swept, or make the mark differ
		if in.sweeping {
			e.beginOffering()
		}
	}
	have := e.table.all
	if in.sweeping {
		have = e.table.fresh // digest of the table after the sweep
	}
	e.judge(have == digest{sum: m.sum, entries: m.entries})
	return nil
}

// sweep deletes entries that the snapshot did not hold, a bounded number at a time.
func (e *Engine) sweep() {
	in := &e.intake
	scanned := 0
	for in.sweeping && e.queue.len() < e.cfg.Window {
		if scanned >= scanStep {
			e.busy = true
			return
		}
		st := e.queue.fresh()
		for ; in.cursor <= e.table.used && len(st.Deletes) < e.cfg.BatchEntries && scanned < scanStep; in.cursor++ {
			scanned++
			if s := e.table.at(in.cursor); !s.vacant() && s.gen != e.table.gen {
				st.Deletes = append(st.Deletes, s.original)
				e.table.remove(e.table.tuple(s.original), in.cursor)
			}
		}
		in.sweeping = in.cursor <= e.table.used
		e.stage(st)
	}
	if !in.sweeping {
		in.verifiedAt = e.queue.ordinal
		in.settled = true
	}
}

// absorb does the work that is due at a sink.
func (e *Engine) absorb() {
	in := &e.intake
	if e.offering.on {
		e.sendOffers()
	}
	if in.sweeping && !e.offering.on && !e.offersStrays() {
		e.sweep()
	}
	if !e.stream || !e.peer.source {
		return
	}
	if in.open && e.offersStrays() {
		e.sayHello()
	}
	if in.waiting && !e.now.Before(in.helloAt.Add(e.cfg.Resync)) {
		in.helloAt = e.now
		e.send(in.hello.encode(e.version))
	}
	if !in.open {
		return
	}
	e.examine()
	if !in.open {
		return
	}
	said := ack{place: in.place, seq: in.applied, rows: in.rowsApplied, inSync: e.synced()}
	if said != in.acked {
		if said.inSync {
			e.apart, e.offering.due = false, false
		}
		e.stopwatch(said.inSync)
		in.acked = said
		e.send(said.encode(e.version))
	}
}

// intakeDeadline returns when absorb is due without input.
func (e *Engine) intakeDeadline() clock.Instant {
	in := &e.intake
	switch {
	case !e.stream || !e.peer.source:
		return clock.Never
	case in.waiting:
		return in.helloAt.Add(e.cfg.Resync)
	case in.open && in.compare.stage == startingOver:
		return in.compare.at
	}
	return clock.Never
}
