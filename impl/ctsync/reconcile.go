package ctsync

import (
	"maps"
	"slices"

	"baton/impl/clock"
	"baton/impl/fingerprint"
	"baton/impl/flow"
)

// A reconciliation makes the mirror equal to a dump of the dataplane, after
// events were lost. The dump is a picture of the past: flows that have changed
// since it was asked for are left as their events say. An entry with another reply tuple than
// the mirror's is of a flow that was opened anew, or damaged: it is doubted, and the mirror
// stays as it is until the caller has examined it.
type reconciliation struct {
	active  bool // a dump was asked for and is not worked in yet
	loaded  bool // and it is here
	entries []flow.Entry
	cursor  uint32 // slot at which the search for absent flows goes on
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
		// A set: its hash is a sum, which no order changes.
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

// DumpAsked says that the caller begins to read the whole dataplane, having
// handed over the events that were pending there. Flows that change between now
// and the end of the reconciliation are exempt from it. Reconcile must follow.
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

// DropDump says that the dump that was asked for will not come or counts no more.
func (e *Engine) DropDump() { e.recon = reconciliation{} }

// Reconciling reports whether a dump was asked for that is not worked in yet.
func (e *Engine) Reconciling() bool { return e.recon.active }

// Reconcile takes a full dump of this node's dataplane. What differs from the
// mirror is a change that was not heard of: it enters as by Local, a part with
// each Ready. The entries belong to the engine from now on.
func (e *Engine) Reconcile(now clock.Instant, entries []flow.Entry) {
	e.now = now
	if !e.recon.active {
		e.DumpAsked(now)
	}
	e.recon.loaded = true
	e.recon.entries, e.recon.cursor = entries, 1
	e.stats.Reconciliations++
}

// reconcile works in a part of the dump: first what it holds, then what it lacks.
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

// doubtedMax bounds what is examined after one dump. What is beyond it is believed.
const doubtedMax = 512

// doubt reports whether an entry of a dump is to be examined before the mirror follows it.
func (e *Engine) doubt(c *change) bool {
	id := e.table.find(e.table.tuple(c.original), c.original)
	if id == 0 || e.table.at(id).reply == c.reply || len(e.doubted) >= doubtedMax {
		return false
	}
	e.doubted = append(e.doubted, c.original)
	e.recon.seen.add(id)
	return true
}

// Doubted returns the flows that a dump has with another reply tuple than the mirror, once.
func (e *Engine) Doubted() []flow.Tuple {
	doubted := e.doubted
	e.doubted = nil
	return doubted
}

// Differences compares a dump of a sink's dataplane with the mirror, and returns what is to
// be written and deleted there so that it holds what the mirror does. An entry that came in
// since the dump is among what is to be written; writing it twice does no harm.
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
