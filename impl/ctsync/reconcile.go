package ctsync

import (
	"maps"
	"slices"

	"baton/impl/clock"
	"baton/impl/fingerprint"
	"baton/impl/flow"
)

// A reconciliation makes the mirror equal to a dump of the dataplane after events
// were lost. The dump shows the past: flows that have changed since its request
// stay as their events say. An entry whose reply tuple differs from the mirror's
// was opened anew or is damaged: it is doubted, and the mirror is unchanged until
// the caller has examined it.
type reconciliation struct {
	active  bool // a dump was requested and is not processed completely
	loaded  bool // the dump has arrived
	entries []flow.Entry
	cursor  uint32 // slot at which the search for absent flows continues
	seen    slotSet
	touched map[flow.Tuple]struct{} // flows that have changed since
}

func (r *reconciliation) clone() reconciliation {
	c := *r
	c.entries, c.seen, c.touched = slices.Clone(r.entries), slices.Clone(r.seen), maps.Clone(r.touched)
	return c
}

func (r *reconciliation) fingerprint(h *fingerprint.Hash) {
	h.Flag(r.active)
	h.Flag(r.loaded)
	h.Int(len(r.entries))
	for i := range r.entries {
		hashEntry(h, &r.entries[i])
	}
	h.Number(uint64(r.cursor))
	h.Int(len(r.seen))
	for _, bits := range r.seen {
		h.Number(bits)
	}
	h.Set(func(add func(func(*fingerprint.Hash))) {
		// The hash of a set is a sum, which does not depend on the order.
		for t := range r.touched {
			add(func(h *fingerprint.Hash) { hashTuple(h, t) })
		}
	})
}

// touch notes that an event or a batch concerns a flow.
func (r *reconciliation) touch(t flow.Tuple) {
	if r.active {
		r.touched[t] = struct{}{}
	}
}

// DumpAsked says that the caller has passed on the pending events of the dataplane
// and now begins to read it completely. Flows that change between now and the end
// of the reconciliation are exempt from it. Reconcile must follow.
func (e *Engine) DumpAsked(now clock.Instant) {
	e.now = now
	e.recon = reconciliation{active: true, touched: map[flow.Tuple]struct{}{}}
	for _, s := range e.queue.steps {
		if s.done {
			continue
		}
		for i := range s.Entries {
			e.recon.touch(s.Entries[i].Original)
		}
		for _, t := range s.Deletes {
			e.recon.touch(t)
		}
	}
}

// DropDump cancels a requested dump.
func (e *Engine) DropDump() { e.recon = reconciliation{} }

// Reconciling reports whether a dump was requested and is not processed completely.
func (e *Engine) Reconciling() bool { return e.recon.active }

// Reconcile takes a full dump of this node's dataplane. A difference from the
// mirror is an unreported change: it enters as by Local, a part with each Ready.
// The engine owns the entries.
func (e *Engine) Reconcile(now clock.Instant, entries []flow.Entry) {
	e.now = now
	if !e.recon.active {
		e.DumpAsked(now)
	}
	e.recon.loaded = true
	e.recon.entries, e.recon.cursor = entries, 1
	e.stats.Reconciliations++
}

// reconcile processes a part of the dump: first its entries, then the flows that it lacks.
func (e *Engine) reconcile() {
	r := &e.recon
	if !r.loaded {
		return
	}
	n := min(len(r.entries), scanStep)
	for i := range r.entries[:n] {
		e.reconcileEntry(&r.entries[i])
	}
	r.entries = r.entries[n:]
	for ; n < scanStep && r.cursor <= e.table.used; n++ {
		s := e.table.at(r.cursor)
		if !s.vacant() && !r.seen.has(r.cursor) && !r.exempt(s.original) && !e.table.lost(r.cursor) {
			e.local(change{original: s.original}, 0)
			e.stats.Reconciled++
		}
		r.cursor++
	}
	if len(r.entries) > 0 || r.cursor <= e.table.used {
		e.busy = true
		return
	}
	e.recon = reconciliation{}
}

func (e *Engine) reconcileEntry(entry *flow.Entry) {
	r := &e.recon
	c, ok := changeBy(flow.Event{Entry: *entry})
	if !ok {
		e.stats.LocalInvalid++
		return
	}
	if r.exempt(c.original) || e.doubt(&c) {
		return
	}
	before := e.table.all
	e.local(c, entry.Origin)
	if e.table.all != before {
		e.stats.Reconciled++
	}
	r.seen.add(e.table.find(e.table.tuple(c.original), c.original))
}

// doubtedMax bounds the flows examined after one dump. Further ones are taken as dumped.
const doubtedMax = 512

// doubt reports whether an entry of a dump must be examined before the mirror follows it.
func (e *Engine) doubt(c *change) bool {
	id := e.table.find(e.table.tuple(c.original), c.original)
	if id == 0 || e.table.at(id).reply == c.reply || len(e.doubted) >= doubtedMax {
		return false
	}
	e.doubted = append(e.doubted, c.original)
	e.recon.seen.add(id)
	return true
}

// Doubted returns, once, the flows whose reply tuple in a dump differs from the mirror's.
func (e *Engine) Doubted() []flow.Tuple {
	doubted := e.doubted
	e.doubted = nil
	return doubted
}

// Differences compares a dump of a sink's dataplane with the mirror, and returns the entries
// to write and the flows to delete so that the dataplane equals the mirror. Entries that
// arrived since the dump are written again, which is harmless.
func (e *Engine) Differences(held []flow.Entry) (write []flow.Entry, remove []flow.Tuple) {
	var seen slotSet
	for i := range held {
		h := &held[i]
		id := e.table.find(e.table.tuple(h.Original), h.Original)
		if id == 0 {
			remove = append(remove, h.Original)
			continue
		}
		if s := e.table.at(id); s.reply == h.Reply && s.state == h.State {
			seen.add(id)
		}
	}
	for id := uint32(1); id <= e.table.used; id++ {
		if s := e.table.at(id); !s.vacant() && !seen.has(id) {
			write = append(write, s.change().entry(flow.Synced))
		}
	}
	return write, remove
}

func (r *reconciliation) exempt(t flow.Tuple) bool {
	_, ok := r.touched[t]
	return ok
}
