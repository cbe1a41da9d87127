package bpf

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cilium/ebpf"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

const (
	// batchMax is how many entries one run of a table program takes: BATCH_MAX of maps.h.
	batchMax = 4096
	// dumpBatch is how many entries one system call reads.
	dumpBatch = 4096
)

// Apply implements dataplane.Dataplane.
func (d *Dataplane) Apply(entries []flow.Entry) error { return d.install(entries, false) }

// Merge implements dataplane.Dataplane.
func (d *Dataplane) Merge(entries []flow.Entry, deletes []flow.Tuple) error {
	replicated, err := d.replicated(deletes)
	if err == nil {
		_, err = d.removeUnchanged(replicated, d.now())
	}
	return errors.Join(err, d.install(entries, true))
}

// replicated returns the replicated ones among entries, as they are now.
func (d *Dataplane) replicated(tuples []flow.Tuple) ([]lbRecord, error) {
	var found []lbRecord
	for _, t := range tuples {
		r := lbRecord{Original: toTuple(t)}
		err := d.objs.Conns.Lookup(r.Original, &r.Conn)
		if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return nil, fmt.Errorf("bpf: look up %s: %w", t, err)
		}
		if err == nil && stateOf(r.Conn.Word) != 0 && originOf(r.Conn.Word) == flow.Synced {
			found = append(found, r)
		}
	}
	return found, nil
}

// install writes all entries, or only those with neither tuple in the table.
func (d *Dataplane) install(entries []flow.Entry, onlyMissing bool) error {
	for i := range entries {
		if err := dataplane.ValidateEntry(&entries[i]); err != nil {
			return err
		}
	}
	now := d.now()
	for chunk := range slices.Chunk(entries, batchMax) {
		done, err := d.runBatch(d.objs.TableApply, len(chunk), onlyMissing, func(records []lbRecord) {
			for i := range records {
				records[i] = d.toRecord(&chunk[i], now)
			}
		}, nil)
		if err != nil {
			return fmt.Errorf("bpf: apply %d entries: %w", len(chunk), err)
		}
		if missed := len(chunk) - done; missed > 0 {
			return fmt.Errorf("bpf: apply %d entries: %w", len(chunk), dataplane.TableFull(missed, d.cfg.MaxFlows))
		}
	}
	return nil
}

// Delete implements dataplane.Dataplane.
func (d *Dataplane) Delete(tuples []flow.Tuple) error {
	for chunk := range slices.Chunk(tuples, batchMax) {
		_, err := d.runBatch(d.objs.TableRemove, len(chunk), false, func(records []lbRecord) {
			for i := range records {
				records[i] = lbRecord{Original: toTuple(chunk[i])}
			}
		}, nil)
		if err != nil {
			return fmt.Errorf("bpf: delete %d entries: %w", len(chunk), err)
		}
	}
	return nil
}

// Lookup implements dataplane.Dataplane.
func (d *Dataplane) Lookup(t flow.Tuple) (flow.Entry, bool, error) {
	key, conn := toTuple(t), lbConn{}
	err := d.objs.Conns.Lookup(key, &conn)
	if errors.Is(err, ebpf.ErrKeyNotExist) || err == nil && stateOf(conn.Word) == 0 {
		return flow.Entry{}, false, nil
	}
	if err != nil {
		return flow.Entry{}, false, fmt.Errorf("bpf: look up %s: %w", t, err)
	}
	return d.toEntry(&key, &conn, d.now()), true, nil
}

// Dump implements dataplane.Dataplane.
func (d *Dataplane) Dump(f func(flow.Entry) bool) error {
	now := d.now()
	return d.scan(func(key *lbTuple, conn *lbConn) bool { return f(d.toEntry(key, conn, now)) })
}

// Sweep implements dataplane.Dataplane.
func (d *Dataplane) Sweep(now, since clock.Instant) ([]flow.Entry, error) {
	expired, err := d.expired(now, since)
	if err != nil {
		return nil, err
	}
	if err := d.forgetDatagrams(now); err != nil {
		return nil, err
	}
	return d.removeUnchanged(expired, now)
}

// forgetDatagrams makes room for those whose fragments are still to come.
func (d *Dataplane) forgetDatagrams(now clock.Instant) error {
	var expired []lbFragmentKey
	var key lbFragmentKey
	var value lbFragments
	all := d.objs.Fragments.Iterate()
	for all.Next(&key, &value) {
		if now >= clock.Instant(value.Expires) {
			expired = append(expired, key)
		}
	}
	if err := all.Err(); err != nil {
		return fmt.Errorf("bpf: read fragments: %w", err)
	}
	for _, k := range expired {
		if err := d.objs.Fragments.Delete(k); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("bpf: forget a fragmented datagram: %w", err)
		}
	}
	return nil
}

// expired returns the entries whose timeout has run.
func (d *Dataplane) expired(now, since clock.Instant) ([]lbRecord, error) {
	var out []lbRecord
	err := d.scan(func(key *lbTuple, conn *lbConn) bool {
		seen := max(clock.Instant(conn.LastSeen), since)
		if now.Sub(seen) >= d.cfg.Timeouts.Of(stateOf(conn.Word)) {
			out = append(out, lbRecord{Original: *key, Conn: *conn})
		}
		return true
	})
	return out, err
}

// removeUnchanged removes the entries that still are as they were read: one that a
// packet has touched since then is alive. It returns those that it removed.
func (d *Dataplane) removeUnchanged(records []lbRecord, now clock.Instant) ([]flow.Entry, error) {
	var removed []flow.Entry
	for chunk := range slices.Chunk(records, batchMax) {
		_, err := d.runBatch(d.objs.TableRemove, len(chunk), true, func(batch []lbRecord) {
			copy(batch, chunk)
		}, func(batch []lbRecord) {
			for i := range batch {
				if r := &batch[i]; r.Conn.Word != 0 {
					e := d.toEntry(&r.Original, &r.Conn, now)
					e.Remaining = 0
					removed = append(removed, e)
				}
			}
		})
		if err != nil {
			return removed, fmt.Errorf("bpf: remove %d entries: %w", len(chunk), err)
		}
	}
	return removed, nil
}

// scan calls f with each entry until it returns false.
func (d *Dataplane) scan(f func(*lbTuple, *lbConn) bool) error {
	keys, conns := make([]lbTuple, dumpBatch), make([]lbConn, dumpBatch)
	var cursor ebpf.MapBatchCursor
	for {
		n, err := d.objs.Conns.BatchLookup(&cursor, keys, conns, nil)
		if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("bpf: read connection table: %w", err)
		}
		for i := range n {
			if stateOf(conns[i].Word) != 0 && !f(&keys[i], &conns[i]) {
				return nil
			}
		}
		if err != nil {
			return nil
		}
	}
}

// runBatch runs a table program over n records of the batch buffer, which fill sets
// and collect, if it is not nil, reads afterwards. It returns how many took effect;
// the others come back with a zero word. The buffer has one user at a time, so that
// a long sweep and the entries that arrive from the peer may go on side by side.
func (d *Dataplane) runBatch(p *ebpf.Program, n int, conditional bool, fill, collect func([]lbRecord)) (int, error) {
	d.batchUse.Lock()
	defer d.batchUse.Unlock()
	if d.batch.values == nil {
		return 0, errors.New("the dataplane is closed")
	}
	args := lbBatchArgs{Count: uint32(n)}
	if conditional {
		args.Conditional = 1
	}
	fill(d.batch.values[:n])
	if _, err := p.Run(&ebpf.RunOptions{Context: &args, ContextOut: &args}); err != nil {
		return 0, err
	}
	if collect != nil {
		collect(d.batch.values[:n])
	}
	return int(args.Done), nil
}

func (d *Dataplane) toRecord(e *flow.Entry, now clock.Instant) lbRecord {
	timeout := d.cfg.Timeouts.Of(e.State)
	age := timeout - min(max(e.Remaining, 0), timeout)
	return lbRecord{Original: toTuple(e.Original), Conn: lbConn{
		Reply: toTuple(e.Reply), LastSeen: int64(now.Add(-age)), Word: toWord(e.State, e.Origin),
	}}
}

func (d *Dataplane) toEntry(original *lbTuple, conn *lbConn, now clock.Instant) flow.Entry {
	state := stateOf(conn.Word)
	return flow.Entry{
		Original: fromTuple(original), Reply: fromTuple(&conn.Reply),
		State: state, Origin: originOf(conn.Word),
		Remaining: remaining(d.cfg.Timeouts.Of(state), now.Sub(clock.Instant(conn.LastSeen))),
	}
}

// remaining returns the lifetime that is left after an idle time.
func remaining(timeout, idle time.Duration) time.Duration {
	return min(max(timeout-idle, 0), timeout)
}
