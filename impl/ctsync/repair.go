package ctsync

import (
	"fmt"

	"baton/impl/clock"
	"baton/impl/fingerprint"
)

// attemptsMax is the number of failed repairs in a row after which the sink asks for a snapshot.
const attemptsMax = 3

// A comparison finds and repairs differences that exist although every message was
// applied: strays of the sink, or a defect of either node.
type comparison struct {
	due      bool // the table may differ
	stage    stage
	list     []uint16 // buckets still missing
	version  version  // of the current bucket, from its first message
	attempts int      // repairs that ended in an unequal mark
	at       clock.Instant
}

// stage is the stage of a comparison.
type stage uint8

const (
	resting      stage = iota
	asked              // for the digests of all buckets
	repairing          // unequal buckets are being received
	closing            // all were received, the mark follows
	startingOver       // repair has failed; a snapshot will be requested
)

func (c *comparison) fingerprint(h *fingerprint.Hash) {
	h.Flag(c.due)
	h.Number(uint64(c.stage))
	h.Int(len(c.list))
	for _, bucket := range c.list {
		h.Number(uint64(bucket))
	}
	h.Counter(fingerprint.Seq, c.version.seq)
	h.Int(c.attempts)
	h.Instant(c.at)
}

// stop forgets the requests of an earlier stream or round.
func (c *comparison) stop() { c.stage, c.list, c.version = resting, nil, version{} }

// judge takes the result of a mark.
func (e *Engine) judge(equal bool) {
	in := &e.intake
	c := &in.compare
	switch {
	case c.stage == asked || c.stage == repairing || c.stage == startingOver:
		return // the awaited answer says more
	case equal && in.sweeping && c.due:
		return // the mark does not cover a stray in a slot that the sweep has passed
	case equal:
		e.confirm()
		return
	}
	e.stats.Mismatches++
	in.verified = false
	c.due = true
	if c.stage == closing {
		c.stage = resting
		if c.attempts++; c.attempts >= attemptsMax {
			e.startOver()
		}
	}
}

// confirm says that the received table was proved equal.
func (e *Engine) confirm() {
	in := &e.intake
	in.compare = comparison{}
	in.settled = !in.sweeping
	if !in.verified {
		in.verified, in.verifiedAt = true, e.queue.ordinal
	}
}

// startOver asks for a snapshot: at once after a resumption, after a delay if this
// round already was a snapshot.
func (e *Engine) startOver() {
	in := &e.intake
	in.settled, in.verified = false, false
	in.compare.stage, in.compare.at = startingOver, e.now
	if in.snapshot {
		in.compare.at = e.now.Add(e.cfg.Resync)
	}
}

// examine begins the next stage of the comparison.
func (e *Engine) examine() {
	in := &e.intake
	c := &in.compare
	switch {
	case c.stage == startingOver && !e.now.Before(c.at):
		c.attempts = 0
		e.sayHello()
	case c.stage == resting && c.due && in.ended && !in.sweeping:
		c.due, c.stage = false, asked
		m := need{in.place}
		e.send(m.encode(e.version))
	}
}

// receiveBuckets compares all buckets and asks for those that differ.
func (e *Engine) receiveBuckets(r *reader) error {
	var m buckets
	if err := m.decode(r); err != nil {
		return err
	}
	if ok, err := e.admit(m.place); !ok {
		return err
	}
	c := &e.intake.compare
	switch {
	case c.stage != asked:
		return fmt.Errorf("nobody asked")
	case m.seq != e.pos.seq:
		return fmt.Errorf("at change %d, after change %d", m.seq, e.pos.seq)
	case len(m.sums) != len(e.table.buckets):
		return fmt.Errorf("%d of %d", len(m.sums), len(e.table.buckets))
	}
	for i := range m.sums {
		if m.sums[i] != e.table.buckets[i].all.sum {
			c.list = append(c.list, uint16(i))
		}
	}
	switch n := len(c.list); {
	case n == 0:
		c.stage = resting
		e.confirm()
	case n > len(e.table.buckets)/2:
		c.list = nil
		e.startOver()
	default:
		c.stage = repairing
		e.stats.Repairs++
		e.stats.BucketsRepaired += uint64(n)
		m := repair{place: e.intake.place, list: c.list}
		e.send(m.encode(e.version))
	}
	return nil
}

// checkBucket refuses rows of a bucket that was not requested, and rows that do not
// belong to their bucket.
func (e *Engine) checkBucket(m *rows, list []change) error {
	c := &e.intake.compare
	switch {
	case c.stage != repairing || m.bucket != c.list[0]:
		return fmt.Errorf("of bucket %d, which is not asked for", m.bucket)
	case m.first != (c.version == version{}):
		return fmt.Errorf("of bucket %d do not begin or end where they should", m.bucket)
	}
	for i := range list {
		if b := e.table.bucketOf(e.table.tuple(list[i].original)); b != int(m.bucket) {
			return fmt.Errorf("of bucket %d hold %s of bucket %d", m.bucket, list[i].original, b)
		}
	}
	return nil
}

// closeBucket deletes, after the last row of a bucket, what the source does not hold.
func (e *Engine) closeBucket(st *step, m *rows) {
	c := &e.intake.compare
	if m.first {
		e.checkMirror(int(m.bucket))
		c.version = version{gen: e.table.gen, seq: m.seq}
	}
	if !m.last {
		return
	}
	before := len(st.Deletes)
	e.table.walkBucket(int(m.bucket), func(_ uint32, s *slot) {
		if s.older(c.version) {
			st.Deletes = append(st.Deletes, s.original)
		}
	})
	for _, t := range st.Deletes[before:] {
		hash := e.table.tuple(t)
		e.table.remove(hash, e.table.find(hash, t))
	}
	c.version = version{}
	if c.list = c.list[1:]; len(c.list) == 0 {
		c.stage = closing
	}
}
