package bpf

import (
	"errors"
	"fmt"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// split calls f for each family with its part of a list. Items of a family without a table
// are passed with a nil family.
func split[T any](families []tables, list []T, tupleOf func(*T) *flow.Tuple, f func(tables, []T) error) error {
	holder := func(e *T) int {
		for i, family := range families {
			if family.has(tupleOf(e).Dst) {
				return i
			}
		}
		return len(families)
	}
	for len(list) > 0 {
		// A run of items of one family; most lists are a single run.
		first, n := holder(&list[0]), 1
		for n < len(list) && holder(&list[n]) == first {
			n++
		}
		var of tables
		if first < len(families) {
			of = families[first]
		}
		if err := f(of, list[:n]); err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}

func entryTuple(e *flow.Entry) *flow.Tuple { return &e.Original }

func itself(t *flow.Tuple) *flow.Tuple { return t }

// Apply implements dataplane.Dataplane.
func (d *Dataplane) Apply(entries []flow.Entry) error { return d.install(entries, noCondition) }

// Merge implements dataplane.Dataplane.
func (d *Dataplane) Merge(entries []flow.Entry, deletes []flow.Tuple) error {
	err := split(d.families, deletes, itself, func(f tables, tuples []flow.Tuple) error {
		if f == nil {
			return nil // no table has them
		}
		return f.deleteReplicated(tuples, d.now())
	})
	return errors.Join(err, d.install(entries, applyMissing))
}

// install writes entries.
func (d *Dataplane) install(entries []flow.Entry, only condition) error {
	return d.write(entries, func(f tables, list []flow.Entry, now clock.Instant) (int, error) { return f.install(list, only, now) })
}

// write writes each entry into the table of its family.
func (d *Dataplane) write(entries []flow.Entry, into func(tables, []flow.Entry, clock.Instant) (missed int, err error)) error {
	for i := range entries {
		if err := dataplane.ValidateEntry(&entries[i]); err != nil {
			return err
		}
	}
	now := d.now()
	return split(d.families, entries, entryTuple, func(f tables, list []flow.Entry) error {
		if f == nil {
			return fmt.Errorf("bpf: apply %d entries: %w", len(list), dataplane.NoTable(len(list)))
		}
		missed, err := into(f, list, now)
		if err == nil && missed > 0 {
			err = fmt.Errorf("bpf: apply %d entries: %w", len(list), dataplane.TableFull(missed, d.cfg.MaxFlows))
		}
		return err
	})
}

// Delete implements dataplane.Dataplane.
func (d *Dataplane) Delete(tuples []flow.Tuple) error { return d.delete(tuples, noCondition) }

// delete removes entries.
func (d *Dataplane) delete(tuples []flow.Tuple, only condition) error {
	return split(d.families, tuples, itself, func(f tables, list []flow.Tuple) error {
		if f == nil {
			return nil
		}
		return f.delete(list, only)
	})
}

// Lookup implements dataplane.Dataplane.
func (d *Dataplane) Lookup(t flow.Tuple) (flow.Entry, bool, error) {
	for _, f := range d.families {
		if f.has(t.Dst) {
			return f.lookup(t, d.now())
		}
	}
	return flow.Entry{}, false, nil
}

// Dump implements dataplane.Dataplane.
func (d *Dataplane) Dump(each func(flow.Entry) bool) error {
	now := d.now()
	for _, f := range d.families {
		if more, err := f.dump(now, each); err != nil || !more {
			return err
		}
	}
	return nil
}

// Sweep implements dataplane.Dataplane.
func (d *Dataplane) Sweep(now, since clock.Instant) (removed []flow.Entry, err error) {
	for _, f := range d.families {
		of, err := f.sweep(now, since)
		removed = append(removed, of...)
		if err != nil {
			return removed, err
		}
	}
	return removed, nil
}
