package ctsync

import (
	"slices"

	"baton/impl/clock"
	"baton/impl/fingerprint"
	"baton/impl/flow"
)

// A step is a batch for the dataplane, and what may be acked once it and all
// earlier steps are applied.
type step struct {
	Batch
	ordinal uint64 // of its message; equal for both parts of a message
	done    bool
	failure failure
	session uint32 // of the intake that it came from
	seq     uint64 // changes
	round   uint32
	rows    uint32 // Rows messages of the round
}

// A queue holds the steps that are not applied yet, in order. A failed step is
// repeated until it succeeds; later steps count only after it.
type queue struct {
	steps    []*step
	spare    []*step
	ordinal  uint64 // of the last step
	lastID   uint64
	failures int // steps that have failed: the dataplane may hold part of them
}

// clone copies the steps, except those kept for reuse.
func (q *queue) clone() queue {
	c := *q
	c.steps, c.spare = make([]*step, len(q.steps)), nil
	for i, s := range q.steps {
		copied := *s
		copied.Entries, copied.Deletes = slices.Clone(s.Entries), slices.Clone(s.Deletes)
		c.steps[i] = &copied
	}
	return c
}

func (q *queue) fingerprint(h *fingerprint.Hash) {
	h.Int(q.failures)
	h.Int(len(q.steps))
	for _, s := range q.steps {
		s.fingerprint(h)
	}
}

func (s *step) fingerprint(h *fingerprint.Hash) {
	h.Int(len(s.Entries))
	for i := range s.Entries {
		hashEntry(h, &s.Entries[i])
	}
	h.Int(len(s.Deletes))
	for _, t := range s.Deletes {
		hashTuple(h, t)
	}
	h.Flag(s.done)
	s.failure.fingerprint(h)
	h.Counter(fingerprint.Nonce, uint64(s.session))
	h.Counter(fingerprint.Seq, s.seq)
	h.Counter(fingerprint.Nonce, uint64(s.round))
	h.Number(uint64(s.rows))
}

func hashTuple(h *fingerprint.Hash, t flow.Tuple) {
	h.Text(string(flow.AppendTuple(nil, t)))
}

func hashEntry(h *fingerprint.Hash, e *flow.Entry) {
	hashTuple(h, e.Original)
	hashTuple(h, e.Reply)
	h.Number(uint64(e.State))
	h.Number(uint64(e.Origin))
	h.Number(uint64(e.Remaining))
}

func (q *queue) len() int { return len(q.steps) }

// reached reports whether all steps up to an ordinal are applied.
func (q *queue) reached(ordinal uint64) bool {
	return len(q.steps) == 0 || q.steps[0].ordinal > ordinal
}

func (q *queue) deadline() clock.Instant {
	due := clock.Never
	if q.failures > 0 {
		for _, s := range q.steps {
			if s.failure.waiting {
				due = min(due, s.failure.retryAt)
			}
		}
	}
	return due
}

// fresh returns an empty step, possibly a reused one.
func (q *queue) fresh() *step {
	if n := len(q.spare); n > 0 {
		s := q.spare[n-1]
		q.spare = q.spare[:n-1]
		*s = step{Batch: Batch{Entries: s.Entries[:0], Deletes: s.Deletes[:0]}}
		return s
	}
	return new(step)
}

// enqueue passes a step to the dataplane. Its deletions come first, as a separate
// step that acks nothing. A step without changes counts as soon as those before it.
func (e *Engine) enqueue(s *step) {
	for i := range s.Entries {
		e.recon.touch(s.Entries[i].Original)
	}
	for _, t := range s.Deletes {
		e.recon.touch(t)
	}
	q := &e.queue
	q.ordinal++
	s.ordinal = q.ordinal
	if len(s.Deletes) > 0 && len(s.Entries) > 0 {
		first := q.fresh()
		first.ordinal = s.ordinal
		first.Deletes, s.Deletes = s.Deletes, first.Deletes
		q.steps = append(q.steps, first)
		e.hand(first)
	}
	q.steps = append(q.steps, s)
	if s.done = len(s.Entries)+len(s.Deletes) == 0; s.done {
		e.settle()
		return
	}
	e.hand(s)
}

// hand passes a step to the caller under a new ID.
func (e *Engine) hand(s *step) {
	e.queue.lastID++
	s.ID = e.queue.lastID
	e.out.Apply = append(e.out.Apply, s.Batch)
}

// Applied says that the dataplane has applied the batch with the ID, or why it has
// not, or not completely. Only applied batches are acked. A failed batch is repeated,
// with the mirror's contents at that time. Unknown IDs are ignored.
func (e *Engine) Applied(now clock.Instant, id uint64, err error) {
	e.now = now
	q := &e.queue
	for _, s := range q.steps {
		if s.ID != id || s.done || s.failure.waiting {
			continue
		}
		if s.failure.times > 0 {
			q.failures--
		}
		if err != nil {
			s.failure.note(&e.cfg, now, len(s.Entries)+len(s.Deletes), err)
			q.failures++
			e.stats.ApplyFailures++
			return
		}
		s.failure, s.done = failure{}, true
		e.settle()
		return
	}
}

// settle removes applied steps from the front of the queue.
func (e *Engine) settle() {
	q := &e.queue
	n := 0
	for n < len(q.steps) && q.steps[n].done {
		s := q.steps[n]
		n++
		e.meter.count(e.now, len(s.Entries)+len(s.Deletes))
		if !e.source && s.session == e.intake.session {
			e.intake.applied = max(e.intake.applied, s.seq)
			if s.round == e.intake.round {
				e.intake.rowsApplied = max(e.intake.rowsApplied, s.rows)
			}
		}
		q.spare = append(q.spare, s)
	}
	q.steps = append(q.steps[:0], q.steps[n:]...)
}

// retry repeats failed steps that are due, and with them those that are due soon, so that
// a dataplane that refuses a thousand batches does not cost a thousand wake-ups.
func (e *Engine) retry() {
	if e.queue.failures == 0 || e.now.Before(e.queue.deadline()) {
		return
	}
	soon := e.now.Add(e.cfg.Retry / 2)
	for _, s := range e.queue.steps {
		if s.failure.waiting && !s.failure.retryAt.After(soon) {
			s.failure.waiting = false
			e.refresh(s)
			e.hand(s)
		}
	}
}

// refresh brings a failed step up to date. Later steps may already be applied: it
// must not undo them, and need not repeat them.
func (e *Engine) refresh(s *step) {
	entries, deletes := s.Entries[:0], s.Deletes[:0]
	for i := range s.Entries {
		if entry, ok := e.Lookup(s.Entries[i].Original); ok {
			entries = append(entries, entry)
		}
	}
	for _, t := range s.Deletes {
		if _, ok := e.Lookup(t); !ok {
			deletes = append(deletes, t)
		}
	}
	s.Entries, s.Deletes = entries, deletes
}
