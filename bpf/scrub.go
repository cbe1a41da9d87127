package bpf

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cilium/ebpf"

	"baton/impl/clock"
	"baton/impl/flow"
)

// walker reads a family's table a part at a time. The cursor is a position in the hash
// table. Entries never move there, so a walk reads each entry that stays exactly once.
type walker[A addr] struct {
	cursor ebpf.MapBatchCursor
	keys   []rawTuple[A]
	conns  []rawConn[A]
}

// walkBatch is the maximum number of entries of a part.
const walkBatch = 2048

// Walk implements dataplane.Dataplane. It walks one family after the other.
func (d *Dataplane) Walk(f func(flow.Held)) (end bool, err error) {
	end, err = d.families[d.walking].walk(d.now(), f)
	if err != nil {
		d.walking = 0
		return false, err
	}
	if !end {
		return false, nil
	}
	d.walking = (d.walking + 1) % len(d.families)
	return d.walking == 0, nil
}

// Examine implements dataplane.Dataplane.
func (d *Dataplane) Examine(tuples []flow.Tuple) (held []flow.Held, err error) {
	now := d.now()
	err = split(d.families, tuples, itself, func(f tables, list []flow.Tuple) error {
		if f == nil {
			for _, t := range list {
				held = append(held, flow.Held{Entry: flow.Entry{Original: t}})
			}
			return nil
		}
		part, err := f.examine(list, now)
		held = append(held, part...)
		return err
	})
	return held, err
}

// Heal implements dataplane.Dataplane.
func (d *Dataplane) Heal(entries []flow.Entry, deletes []flow.Tuple) error {
	return errors.Join(d.delete(deletes, removeDamaged), d.write(entries, tables.heal))
}

func (f *family[A]) walk(now clock.Instant, each func(flow.Held)) (end bool, err error) {
	w := &f.walker
	if w.keys == nil {
		w.keys, w.conns = make([]rawTuple[A], walkBatch), make([]rawConn[A], walkBatch)
	}
	n, err := f.objs.Conns.BatchLookup(&w.cursor, w.keys, w.conns, nil)
	end = errors.Is(err, ebpf.ErrKeyNotExist)
	if err != nil {
		w.cursor = ebpf.MapBatchCursor{}
	}
	if err != nil && !end {
		return false, fmt.Errorf("bpf: walk through connection table: %w", err)
	}
	return end, f.check(w.keys[:n], w.conns[:n], now, each)
}

// check calls f with each entry that was read.
func (f *family[A]) check(keys []rawTuple[A], conns []rawConn[A], now clock.Instant, each func(flow.Held)) error {
	for from := 0; from < len(keys); from += batchMax {
		keys, conns := keys[from:min(from+batchMax, len(keys))], conns[from:min(from+batchMax, len(keys))]
		_, err := f.batch.run(f.objs.TableCheck, len(keys), noCondition, func(batch []rawRecord[A]) {
			for i := range batch {
				batch[i] = rawRecord[A]{Original: keys[i], Conn: conns[i]}
			}
		}, func(batch []rawRecord[A]) {
			for i := range batch {
				each(flow.Held{Entry: f.toEntry(&keys[i], &conns[i], now), Found: true, Sound: batch[i].Conn.Word != 0})
			}
		})
		if err != nil {
			return fmt.Errorf("bpf: check %d entries: %w", len(keys), err)
		}
	}
	return nil
}

func (f *family[A]) examine(tuples []flow.Tuple, now clock.Instant) ([]flow.Held, error) {
	var keys []rawTuple[A]
	var conns []rawConn[A]
	held := make([]flow.Held, 0, len(tuples))
	for _, t := range tuples {
		key, c := toTuple[A](t), rawConn[A]{}
		switch err := f.objs.Conns.Lookup(key, &c); {
		case errors.Is(err, ebpf.ErrKeyNotExist):
			held = append(held, flow.Held{Entry: flow.Entry{Original: t}})
		case err != nil:
			return nil, fmt.Errorf("bpf: look up %s: %w", t, err)
		default:
			keys, conns = append(keys, key), append(conns, c)
		}
	}
	held = slices.Grow(held, len(keys))
	return held, f.check(keys, conns, now, func(h flow.Held) { held = append(held, h) })
}

// Damage implements faulty.Damager.
func (d *Dataplane) Damage(altered, vanished flow.Tuple) error {
	return split(d.families, []flow.Tuple{altered, vanished}, itself, func(f tables, list []flow.Tuple) error {
		for _, t := range list {
			if err := f.damage(t, t == vanished); err != nil {
				return fmt.Errorf("bpf: damage %s: %w", t, err)
			}
		}
		return nil
	})
}

// damagedBit is the bit of a port that Damage flips.
const damagedBit = 1 << 9

func (f *family[A]) damage(t flow.Tuple, vanishes bool) error {
	key, c := toTuple[A](t), rawConn[A]{}
	if vanishes {
		return f.objs.Conns.Delete(key)
	}
	if err := f.objs.Conns.Lookup(key, &c); err != nil {
		return err
	}
	c.Reply.Dport ^= swapPort(damagedBit)
	return f.objs.Conns.Update(key, &c, ebpf.UpdateExist)
}
