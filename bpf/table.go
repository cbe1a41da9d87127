package bpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cilium/ebpf"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// dumpBatch is how many entries one system call reads at most.
const dumpBatch = 4096

// batchOf is how many entries of a map one system call reads.
func batchOf(m *ebpf.Map) int { return min(dumpBatch, int(m.MaxEntries())) }

// replicated returns those of the entries that are replicated, in their current state.
func (f *family[A]) replicated(tuples []flow.Tuple) ([]rawRecord[A], error) {
	var found []rawRecord[A]
	for _, t := range tuples {
		r := rawRecord[A]{Original: toTuple[A](t)}
		err := f.objs.Conns.Lookup(r.Original, &r.Conn)
		if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return nil, fmt.Errorf("bpf: look up %s: %w", t, err)
		}
		if err == nil && stateOf(r.Conn.Word) != 0 && originOf(r.Conn.Word) == flow.Synced {
			found = append(found, r)
		}
	}
	return found, nil
}

// install writes entries. It returns how many did not fit into the table.
func (f *family[A]) install(entries []flow.Entry, only condition, now clock.Instant) (missed int, err error) {
	return f.write(f.objs.TableApply, entries, only, now)
}

// heal writes the entries that are damaged or missing. It returns the same as install.
func (f *family[A]) heal(entries []flow.Entry, now clock.Instant) (missed int, err error) {
	return f.write(f.objs.TableHeal, entries, noCondition, now)
}

func (f *family[A]) write(program *ebpf.Program, entries []flow.Entry, only condition, now clock.Instant) (missed int, err error) {
	entries, refused := f.withEnds(entries)
	for chunk := range slices.Chunk(entries, batchMax) {
		done, err := f.batch.run(program, len(chunk), only, func(records []rawRecord[A]) {
			for i := range records {
				records[i] = f.toRecord(&chunk[i], now)
			}
		}, nil)
		if err != nil {
			return 0, fmt.Errorf("bpf: apply %d entries: %w", len(chunk), err)
		}
		if missed = len(chunk) - done; missed > 0 {
			return missed + refused, nil
		}
	}
	return refused, nil
}

// withEnds returns the entries whose backends can be stored in a tuple, by address or by number, and the
// number of the others.
func (f *family[A]) withEnds(entries []flow.Entry) (with []flow.Entry, without int) {
	for i := range entries {
		_, err := toBackendAddr[A](entries[i].Reply.Src, f.ends)
		switch {
		case err != nil && without == 0:
			with, without = slices.Clone(entries[:i]), 1
		case err != nil:
			without++
		case without > 0:
			with = append(with, entries[i])
		}
	}
	if without == 0 {
		return entries, 0
	}
	return with, without
}

func (f *family[A]) delete(tuples []flow.Tuple, only condition) error {
	for chunk := range slices.Chunk(tuples, batchMax) {
		_, err := f.batch.run(f.objs.TableRemove, len(chunk), only, func(records []rawRecord[A]) {
			for i := range records {
				records[i] = rawRecord[A]{Original: toTuple[A](chunk[i])}
			}
		}, nil)
		if err != nil {
			return fmt.Errorf("bpf: delete %d entries: %w", len(chunk), err)
		}
	}
	return nil
}

// deleteReplicated deletes those of the entries that are replicated.
func (f *family[A]) deleteReplicated(tuples []flow.Tuple, now clock.Instant) error {
	replicated, err := f.replicated(tuples)
	if err == nil {
		_, err = f.removeUnchanged(replicated, now)
	}
	return err
}

func (f *family[A]) lookup(t flow.Tuple, now clock.Instant) (flow.Entry, bool, error) {
	key, c := toTuple[A](t), rawConn[A]{}
	err := f.objs.Conns.Lookup(key, &c)
	if errors.Is(err, ebpf.ErrKeyNotExist) || err == nil && stateOf(c.Word) == 0 {
		return flow.Entry{}, false, nil
	}
	if err != nil {
		return flow.Entry{}, false, fmt.Errorf("bpf: look up %s: %w", t, err)
	}
	return f.toEntry(&key, &c, now), true, nil
}

// dump calls each for every entry until it returns false, and reports whether it reached the
// end.
func (f *family[A]) dump(now clock.Instant, each func(flow.Entry) bool) (done bool, err error) {
	done = true
	err = f.scan(func(key *rawTuple[A], c *rawConn[A]) bool {
		done = each(f.toEntry(key, c, now))
		return done
	})
	return done, err
}

func (f *family[A]) sweep(now, since clock.Instant) ([]flow.Entry, error) {
	f.backends.loads.beginCount()
	ports, flows := f.beginPortCount(), f.beginFlowCount()
	expired, embryonic, err := f.expired(now, since, ports, flows)
	if err != nil {
		return nil, err
	}
	if err := f.forgetDatagrams(now); err != nil {
		return nil, err
	}
	removed, err := f.removeUnchanged(expired, now)
	if err != nil {
		return removed, err
	}
	evicted, err := f.removeUnchanged(embryonic, now)
	f.evicted.Add(uint64(len(evicted)))
	removed = append(removed, evicted...)
	f.uncount(removed)
	f.endPortCount(ports, removed)
	f.sweepEnds()
	f.backends.loads.endCount()
	return removed, errors.Join(err, f.endFlowCount(flows, removed))
}

// forgetDatagrams deletes expired datagrams. A value begins with its expiry time.
func (f *family[A]) forgetDatagrams(now clock.Instant) error {
	var expired [][]byte
	var key, value []byte
	all := f.objs.Fragments.Iterate()
	for all.Next(&key, &value) {
		if now >= clock.Instant(binary.NativeEndian.Uint64(value)) {
			expired = append(expired, slices.Clone(key))
		}
	}
	if err := all.Err(); err != nil {
		return fmt.Errorf("bpf: read fragments: %w", err)
	}
	for _, k := range expired {
		if err := f.objs.Fragments.Delete(k); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("bpf: forget a fragmented datagram: %w", err)
		}
	}
	return nil
}

// expired returns the entries whose timeout has passed. If the table is nearly full, it also
// returns embryonic entries to remove.
func (f *family[A]) expired(now, since clock.Instant, ports *dataplane.PortCount, flows flowCount) (expired, embryonic []rawRecord[A], err error) {
	entries := 0
	err = f.scan(func(key *rawTuple[A], c *rawConn[A]) bool {
		entries++
		idle, state := now.Sub(max(clock.Instant(c.LastSeen), since)), stateOf(c.Word)
		f.count(key, &c.Reply, state, 1)
		f.nameEnd(&c.Reply)
		countPort(ports, key, &c.Reply)
		countForLimits(flows, key, state)
		if idle >= f.lifetime(key, &c.Reply, state) {
			expired = append(expired, rawRecord[A]{Original: *key, Conn: *c})
			return true
		}
		if original := fromTuple(key); f.evicts && idle >= dataplane.PressedLife && dataplane.Embryonic(&original, state) {
			embryonic = append(embryonic, rawRecord[A]{Original: *key, Conn: *c})
		}
		return true
	})
	if !dataplane.Pressed(entries, int(f.objs.Conns.MaxEntries())) {
		embryonic = nil
	}
	return expired, embryonic, err
}

// removeUnchanged removes the entries that have not changed since they were read: a packet
// that changed an entry shows that the flow is alive. It returns the removed entries.
func (f *family[A]) removeUnchanged(records []rawRecord[A], now clock.Instant) ([]flow.Entry, error) {
	var removed []flow.Entry
	for chunk := range slices.Chunk(records, batchMax) {
		_, err := f.batch.run(f.objs.TableRemove, len(chunk), removeUnchanged, func(batch []rawRecord[A]) {
			copy(batch, chunk)
		}, func(batch []rawRecord[A]) {
			for i := range batch {
				if r := &batch[i]; r.Conn.Word != 0 {
					e := f.toEntry(&r.Original, &r.Conn, now)
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
func (f *family[A]) scan(each func(*rawTuple[A], *rawConn[A]) bool) error {
	batch := batchOf(f.objs.Conns)
	keys, conns := make([]rawTuple[A], batch), make([]rawConn[A], batch)
	var cursor ebpf.MapBatchCursor
	for {
		n, err := f.objs.Conns.BatchLookup(&cursor, keys, conns, nil)
		if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("bpf: read connection table: %w", err)
		}
		for i := range n {
			if stateOf(conns[i].Word) != 0 && !each(&keys[i], &conns[i]) {
				return nil
			}
		}
		if err != nil {
			return nil
		}
	}
}

func (f *family[A]) toRecord(e *flow.Entry, now clock.Instant) rawRecord[A] {
	timeout := f.lifetimes.Load().Of(&e.Original, &e.Reply, e.State)
	age := timeout - min(max(e.Remaining, 0), timeout)
	reply, _ := f.toReply(e.Reply) // numbered by withEnds
	return rawRecord[A]{Original: toTuple[A](e.Original), Conn: rawConn[A]{
		Reply: reply, LastSeen: int64(now.Add(-age)), Word: toWord(e.State, e.Origin),
	}}
}

func (f *family[A]) toEntry(original *rawTuple[A], c *rawConn[A], now clock.Instant) flow.Entry {
	state := stateOf(c.Word)
	return flow.Entry{
		Original: fromTuple(original), Reply: f.fromReply(&c.Reply),
		State: state, Origin: originOf(c.Word),
		Remaining: remaining(f.lifetime(original, &c.Reply, state), now.Sub(clock.Instant(c.LastSeen))),
	}
}

// lifetime returns the lifetime of an entry. It converts only the tuples of affinities,
// because a scan calls it for each entry.
func (f *family[A]) lifetime(original, reply *rawTuple[A], s flow.State) time.Duration {
	switch {
	case original.Sport == 0:
		t, r := fromTuple(original), f.fromReply(reply)
		return f.lifetimes.Load().Of(&t, &r, s)
	case reply.Dport == 0: // see flow.DirectReply
		return f.timeouts.OfDirect(s)
	}
	return f.timeouts.Of(s)
}

// remaining returns the rest of a lifetime after an idle time.
func remaining(timeout, idle time.Duration) time.Duration {
	return min(max(timeout-idle, 0), timeout)
}
