// Package faulty makes the calls of a dataplane fail on request, as when the kernel's maps
// are full or cannot be written, or the ring buffer overflows.
//
// The simulator wraps the model in it, the daemon the real dataplane, but only if started
// for tests. Packets are still forwarded: only the node's calls fail. The package reads no
// clock and draws no random numbers.
package faulty

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"

	"baton/impl/dataplane"
	"baton/impl/flow"
)

// Fault is a kind of failure, by its name in scenarios.
type Fault string

// The faults.
const (
	MapFull      Fault = "map full"      // there is no room for new entries
	MapError     Fault = "map error"     // every write fails
	MapUnread    Fault = "map unread"    // the table can be neither read nor swept
	MapDamaged   Fault = "map damaged"   // two entries are damaged, once
	EventsLost   Fault = "events lost"   // the ring buffer is full: flow events are dropped and counted
	EventsUnread Fault = "events unread" // flow events cannot be read
)

// proofs are the calls that prove a fault: each returns the error of the call, nil if it
// succeeded.
var proofs = map[Fault]func(*Dataplane) error{
	MapFull:      func(d *Dataplane) error { return d.write("apply", []flow.Entry{{}}, nothing) },
	MapError:     func(d *Dataplane) error { return d.Delete(nil) },
	MapUnread:    func(d *Dataplane) error { return d.Dump(func(flow.Entry) bool { return false }) },
	EventsLost:   (*Dataplane).overflow,
	EventsUnread: func(d *Dataplane) error { _, err := d.Poll(0, func(flow.Event) {}); return err },
}

// nothing is a write without entries.
func nothing([]flow.Entry) error { return nil }

// Dataplane wraps another one and makes its calls fail. Break and Mend may run concurrently
// with its other methods.
type Dataplane struct {
	dataplane.Dataplane
	capacity int

	mu     sync.Mutex
	faults []Fault
	lost   uint64 // flow events
}

var _ dataplane.Dataplane = (*Dataplane)(nil)

// Wrap returns a dataplane without a fault. capacity is the size of its table.
func Wrap(inner dataplane.Dataplane, capacity int) *Dataplane {
	return &Dataplane{Dataplane: inner, capacity: capacity}
}

// Break starts a fault and proves it by a call, whose error it returns as seen. Damage is proven by
// what the table then holds.
func (d *Dataplane) Break(f Fault) (seen error, err error) {
	if f == MapDamaged {
		return d.damage()
	}
	proof, ok := proofs[f]
	if !ok {
		return nil, fmt.Errorf("dataplane: no fault %q", f)
	}
	d.mu.Lock()
	if !slices.Contains(d.faults, f) {
		d.faults = append(d.faults, f)
	}
	d.mu.Unlock()
	if seen = proof(d); seen == nil {
		return nil, fmt.Errorf("dataplane: %s did not take effect: the affected call does not fail", f)
	}
	return seen, nil
}

// Mend ends all faults and proves it by repeating the failed calls.
func (d *Dataplane) Mend() (ended []Fault, err error) {
	d.mu.Lock()
	ended, d.faults = d.faults, nil
	d.mu.Unlock()
	for _, f := range ended {
		if failed := proofs[f](d); failed != nil {
			err = errors.Join(err, fmt.Errorf("dataplane: %s has not ended: %w", f, failed))
		}
	}
	return ended, err
}

func (d *Dataplane) has(f Fault) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Contains(d.faults, f)
}

// failure is the error of a call while a fault affects it.
func (d *Dataplane) failure(f Fault, call string) error {
	if !d.has(f) {
		return nil
	}
	return fmt.Errorf("dataplane: %s: %w (injected)", call, syscall.EIO)
}

// Apply implements dataplane.Dataplane.
func (d *Dataplane) Apply(entries []flow.Entry) error {
	return d.write("apply", entries, d.Dataplane.Apply)
}

// Merge implements dataplane.Dataplane.
func (d *Dataplane) Merge(entries []flow.Entry, deletes []flow.Tuple) error {
	return d.write("merge", entries, func(known []flow.Entry) error { return d.Dataplane.Merge(known, deletes) })
}

// Heal implements dataplane.Dataplane.
func (d *Dataplane) Heal(entries []flow.Entry, deletes []flow.Tuple) error {
	return d.write("heal", entries, func(known []flow.Entry) error { return d.Dataplane.Heal(known, deletes) })
}

// write writes entries. A full table only accepts entries that it already has.
func (d *Dataplane) write(call string, entries []flow.Entry, inner func([]flow.Entry) error) error {
	if err := d.failure(MapError, call); err != nil {
		return err
	}
	if !d.has(MapFull) {
		return inner(entries)
	}
	var known []flow.Entry
	for _, e := range entries {
		_, there, err := d.Lookup(e.Original)
		if err != nil {
			return err
		}
		if there {
			known = append(known, e)
		}
	}
	err := inner(known)
	if refused := len(entries) - len(known); err == nil && refused > 0 {
		err = fmt.Errorf("dataplane: %s %d entries: %w", call, len(entries), dataplane.TableFull(refused, d.capacity))
	}
	return err
}

// Delete implements dataplane.Dataplane.
func (d *Dataplane) Delete(tuples []flow.Tuple) error {
	if err := d.failure(MapError, "delete"); err != nil {
		return err
	}
	return d.Dataplane.Delete(tuples)
}

// SetMiss implements dataplane.Dataplane.
func (d *Dataplane) SetMiss(p dataplane.MissPolicy) error {
	if err := d.failure(MapError, "set miss policy"); err != nil {
		return err
	}
	return d.Dataplane.SetMiss(p)
}

// SetServices implements dataplane.Dataplane.
func (d *Dataplane) SetServices(services []dataplane.Service, vips []dataplane.VIP) error {
	if err := d.failure(MapError, "set services"); err != nil {
		return err
	}
	return d.Dataplane.SetServices(services, vips)
}
