package model

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// Apply implements dataplane.Dataplane. The newest entry of a reply tuple wins: a flow of
// this node with the same one is older than the peer's, and is removed.
func (d *Dataplane) Apply(entries []flow.Entry) error { return d.install(entries, false) }

// Merge implements dataplane.Dataplane.
func (d *Dataplane) Merge(entries []flow.Entry, deletes []flow.Tuple) error {
	for _, t := range deletes {
		if c := d.conns[t]; c != nil && c.origin == flow.Synced {
			d.remove(t)
		}
	}
	return d.install(entries, true)
}

// install writes all entries, or only those neither of whose tuples is in the table.
func (d *Dataplane) install(entries []flow.Entry, onlyMissing bool) error {
	for i := range entries {
		if err := dataplane.ValidateEntry(&entries[i]); err != nil {
			return err
		}
	}
	full := 0
	for _, e := range entries {
		if _, taken := d.replies[e.Reply]; onlyMissing && (taken || d.conns[e.Original] != nil) {
			continue
		}
		if old := d.conns[e.Original]; old != nil && old.reply != e.Reply {
			d.remove(e.Original)
		}
		if owner, taken := d.replies[e.Reply]; taken && owner != e.Original {
			d.remove(owner)
		}
		if d.conns[e.Original] == nil && len(d.conns) >= d.cfg.MaxFlows {
			full++
			continue
		}
		if !e.Reply.Unclaimed() {
			d.replies[e.Reply] = e.Original
		}
		d.conns[e.Original] = d.replicated(e)
	}
	if full > 0 {
		return fmt.Errorf("dataplane model: apply %d entries: %w", len(entries), dataplane.TableFull(full, d.cfg.MaxFlows))
	}
	return nil
}

// replicated returns the conn of a peer's entry. The peer has seen packets that this node
// has not: a half-open connection counts as answered, and which side closed first is
// unknown, so both FINs must still be seen.
func (d *Dataplane) replicated(e flow.Entry) *conn {
	timeout := d.lifetimes.Of(&e.Original, &e.Reply, e.State)
	age := timeout - min(max(e.Remaining, 0), timeout)
	return &conn{
		reply: e.Reply, state: e.State, origin: e.Origin,
		lastSeen: d.now.Add(-age), replySeen: e.State == flow.SynSent,
	}
}

// Delete implements dataplane.Dataplane.
func (d *Dataplane) Delete(tuples []flow.Tuple) error {
	for _, t := range tuples {
		d.remove(t)
	}
	return nil
}

// remove removes both directions of an entry. A damaged entry may have another flow's reply tuple;
// that flow keeps it.
func (d *Dataplane) remove(t flow.Tuple) {
	if c := d.conns[t]; c != nil {
		if d.replies[c.reply] == t {
			delete(d.replies, c.reply)
		}
		delete(d.conns, t)
	}
}

// Lookup implements dataplane.Dataplane.
func (d *Dataplane) Lookup(t flow.Tuple) (flow.Entry, bool, error) {
	c := d.conns[t]
	if c == nil {
		return flow.Entry{}, false, nil
	}
	return d.entry(t, c, d.now), true, nil
}

// Dump implements dataplane.Dataplane. The model dumps in the order of tuples.
func (d *Dataplane) Dump(f func(flow.Entry) bool) error {
	for _, t := range d.sorted() {
		if !f(d.entry(t, d.conns[t], d.now)) {
			return nil
		}
	}
	return nil
}

// Sweep implements dataplane.Dataplane.
func (d *Dataplane) Sweep(now, since clock.Instant) ([]flow.Entry, error) {
	var removed []flow.Entry
	pressed := !d.cfg.KeepEmbryonic && dataplane.Pressed(len(d.conns), d.cfg.MaxFlows)
	for t, c := range d.conns { // order does not matter: the result is sorted
		idle := now.Sub(max(c.lastSeen, since))
		expired := idle >= d.lifetimes.Of(&t, &c.reply, c.state)
		if !expired && pressed && idle >= dataplane.PressedLife && dataplane.Embryonic(&t, c.state) {
			expired = true
			d.counters.Evicted++
		}
		if expired {
			e := d.entry(t, c, now)
			e.Remaining = 0
			removed = append(removed, e)
		}
	}
	slices.SortFunc(removed, func(a, b flow.Entry) int { return a.Original.Compare(b.Original) })
	for _, e := range removed {
		d.remove(e.Original)
	}
	d.countFlows()
	d.countPorts()
	d.countForLimits()
	d.forgetDatagrams(now)
	return removed, nil
}

// Len returns the number of entries.
func (d *Dataplane) Len() int { return len(d.conns) }

func (d *Dataplane) sorted() []flow.Tuple {
	tuples := slices.AppendSeq(make([]flow.Tuple, 0, d.Len()), maps.Keys(d.conns))
	slices.SortFunc(tuples, flow.Tuple.Compare)
	return tuples
}

func (d *Dataplane) entry(t flow.Tuple, c *conn, now clock.Instant) flow.Entry {
	return flow.Entry{
		Original: t, Reply: c.reply, State: c.state, Origin: c.origin,
		Remaining: remaining(d.lifetimes.Of(&t, &c.reply, c.state), now.Sub(c.lastSeen)),
	}
}

// remaining returns the remaining lifetime after an idle time.
func remaining(timeout, idle time.Duration) time.Duration {
	return min(max(timeout-idle, 0), timeout)
}

// Claims maps the reply tuples in use to their original tuples. Tests check it against the
// entries.
func (d *Dataplane) Claims() map[flow.Tuple]flow.Tuple { return maps.Clone(d.replies) }
