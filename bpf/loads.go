package bpf

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"baton/impl/dataplane"
	"baton/impl/flow"
)

// loads is load_tables: the flow counts that least-conn compares.
type loads[A addr] struct {
	outer  *ebpf.Map
	tables map[uint32]*loadTable[A] // by the index of their service's backend table
}

// loadTable holds the flow counts of one service's backends.
type loadTable[A addr] struct {
	kernel  *ebpf.Map
	memory  mapping[rawLoad] // shared with the programs, which count new flows
	slots   map[rawBackend[A]]int
	counted []uint32 // the counts of the running sweep
}

// newLoadTable starts with the counts of the table that it replaces, which may be nil.
func newLoadTable[A addr](s dataplane.Service, was *loadTable[A], ends *tunnelEnds) (*loadTable[A], error) {
	m, err := ebpf.NewMap(&ebpf.MapSpec{
		Type: ebpf.Array, Flags: unix.BPF_F_INNER_MAP | unix.BPF_F_MMAPABLE, KeySize: 4, ValueSize: 8, MaxEntries: uint32(len(s.Backends)),
	})
	if err != nil {
		return nil, err
	}
	t := &loadTable[A]{kernel: m, slots: make(map[rawBackend[A]]int), counted: make([]uint32, len(s.Backends))}
	if t.memory, err = mapMemory[rawLoad](m); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	for i, b := range s.Backends {
		load := rawLoad{Weight: uint32(s.Weight(i))}
		raw, err := toBackend[A](b, ends)
		if err != nil {
			return nil, errors.Join(err, t.close())
		}
		if was != nil {
			if at, ok := was.slots[raw]; ok {
				load.Flows = atomic.LoadUint32(&was.memory.values[at].Flows)
			}
		}
		t.memory.values[i] = load
		t.slots[raw] = i
	}
	return t, nil
}

func (t *loadTable[A]) close() error { return errors.Join(t.memory.close(), t.kernel.Close()) }

// add makes the table of a service at a place. It starts with the service's current counts.
func (l *loads[A]) add(place uint32, s dataplane.Service, has rawService[A], ends *tunnelEnds) error {
	var was *loadTable[A]
	if has.Size > 0 {
		was = l.tables[has.Table]
	}
	t, err := newLoadTable(s, was, ends)
	if err == nil {
		l.tables[place] = t
	}
	return err
}

// drop frees the tables at places that no service uses.
func (l *loads[A]) drop(free []uint32) error {
	var errs []error
	for _, at := range free {
		if t := l.tables[at]; t != nil {
			errs = append(errs, t.close())
			delete(l.tables, at)
		}
	}
	return errors.Join(errs...)
}

// write gives the programs the tables at some places, in one batch like backendTables.write.
func (l *loads[A]) write(places []uint32) error {
	if len(places) == 0 {
		return nil
	}
	fds := make([]uint32, len(places))
	for i, at := range places {
		fds[i] = uint32(l.tables[at].kernel.FD())
	}
	if _, err := l.outer.BatchUpdate(places, fds, nil); err != nil {
		return fmt.Errorf("bpf: set loads: %w", err)
	}
	return nil
}

func (l *loads[A]) close() error {
	var errs []error
	for _, t := range l.tables {
		errs = append(errs, t.close())
	}
	clear(l.tables)
	return errors.Join(errs...)
}

// beginCount starts counting the flows of all tables, and endCount gives the result to the
// programs. Flows that the programs added in between may be uncounted until the next count.
func (l *loads[A]) beginCount() {
	for _, t := range l.tables {
		clear(t.counted)
	}
}

func (l *loads[A]) endCount() {
	for _, t := range l.tables {
		for i, n := range t.counted {
			atomic.StoreUint32(&t.memory.values[i].Flows, n)
		}
	}
}

// count adds by to the load of an entry's backend if the entry counts as a flow.
func (f *family[A]) count(original, reply *rawTuple[A], s flow.State, by int) {
	if len(f.backends.loads.tables) == 0 {
		return
	}
	of := fromTuple(original)
	service, known := f.services.holds[toServiceKey[A](f.lifetimes.Load().Services().Of(&of))]
	if !known || dataplane.Balance(service.Balance) != dataplane.LeastConn || service.Size == 0 {
		return
	}
	t := f.backends.loads.tables[service.Table]
	at, ok := t.slots[rawBackend[A]{Addr: reply.Src, Port: reply.Sport}]
	if !ok {
		at, ok = t.slots[rawBackend[A]{Addr: reply.Src}] // a backend that keeps the port
	}
	if ok && dataplane.IsLoad(&of, s) {
		t.counted[at] += uint32(by)
	}
}

// uncount subtracts the entries that a sweep has removed.
func (f *family[A]) uncount(removed []flow.Entry) {
	for _, e := range removed {
		original := toTuple[A](e.Original)
		if reply, err := f.toReply(e.Reply); err == nil {
			f.count(&original, &reply, e.State, -1)
		}
	}
}
