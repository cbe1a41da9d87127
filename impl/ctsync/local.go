package ctsync

import (
	"baton/impl/clock"
	"baton/impl/flow"
)

// Local takes changes of this node's own dataplane, in their order. A source
// numbers and streams them. On a sink they are strays: late events of its time as
// MASTER, or errors. They count as older than everything from the source, and make
// a comparison due. An unknown flow is offered to the source.
func (e *Engine) Local(now clock.Instant, events []flow.Event) {
	e.now = now
	for i := range events {
		c, ok := changeBy(events[i])
		if !ok {
			e.stats.LocalInvalid++
			continue
		}
		e.recon.touch(c.original)
		known := e.table.len()
		if e.local(c, events[i].Entry.Origin) && !e.source {
			if e.table.len() > known {
				e.stray()
			}
			e.assert(c)
		}
	}
}

// local updates the mirror by one change of the dataplane, and reports whether it
// changed anything.
func (e *Engine) local(c change, origin flow.Origin) bool {
	hash := e.table.tuple(c.original)
	id := e.table.find(hash, c.original)
	if id == 0 && c.deleted() {
		return false
	}
	if id != 0 && !c.deleted() {
		if s := e.table.at(id); s.reply == c.reply && s.state == c.state {
			s.remaining, s.origin = c.remaining, origin
			return false
		}
	}
	var v version
	if e.source {
		e.journal.add(c)
		e.pos.seq = e.journal.last
		v = version{gen: e.table.gen, seq: e.pos.seq}
	} else {
		e.stats.Strays++
		e.intake.doubt()
	}
	switch {
	case c.deleted():
		e.table.remove(hash, id)
	case id != 0:
		e.table.replace(hash, id, c, origin, v)
	default:
		e.table.insert(hash, c, origin, v)
	}
	return true
}

// assert writes a stray back to the dataplane. A batch may have overwritten it
// there before its event was read; the change read last wins in both places.
func (e *Engine) assert(c change) {
	st := e.queue.fresh()
	if c.deleted() {
		st.Deletes = append(st.Deletes, c.original)
	} else {
		st.Entries = append(st.Entries, c.entry(flow.Synced))
	}
	e.enqueue(st)
}
