package bpf

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"baton/impl/dataplane"
	"baton/impl/dataplane/model"
)

// backendTables is backend_tables: an outer map of inner maps. The new flows of a service
// get their backends from its inner map.
type backendTables[A addr] struct {
	outer *ebpf.Map
	built map[uint32]dataplane.Service // the service whose table is at an index
	loads loads[A]                     // of the services balanced by least-conn
	ends  *tunnelEnds
}

// place is the index and size of a service's table. A service without backends has no table
// and size 0.
type place struct{ index, size uint32 }

// write returns the place of each service's table. A service whose backends have not
// changed keeps its table. The other tables are written to unused places in one batch,
// because the kernel waits for all running programs after every update.
func (b *backendTables[A]) write(services []dataplane.Service, named map[rawServiceKey[A]]rawService[A]) ([]place, error) {
	free := b.free(named)
	if err := b.loads.drop(free); err != nil {
		return nil, err
	}
	places := make([]place, len(services))
	var keys, fds, loaded []uint32
	var inner []*ebpf.Map
	defer func() { // the outer map keeps those that were written
		for _, m := range inner {
			m.Close()
		}
	}()
	for i, s := range services {
		has := named[toServiceKey[A](s.Service)]
		if built := b.built[has.Table]; has.Size > 0 && built.SameSlots(s) {
			places[i] = place{has.Table, has.Size}
			continue
		}
		slots := model.Slots(s)
		if len(slots) == 0 {
			continue
		}
		if len(free) == 0 {
			return nil, errors.New("bpf: set backends: no place for another table")
		}
		m, err := newBackendTable[A](slots, b.ends)
		if err != nil {
			return nil, fmt.Errorf("bpf: backends of service %s: %w", s.Name, err)
		}
		places[i] = place{free[0], uint32(len(slots))}
		inner, keys, fds, free = append(inner, m), append(keys, free[0]), append(fds, uint32(m.FD())), free[1:]
		b.built[places[i].index] = s
		if s.Balance == dataplane.LeastConn {
			if err := b.loads.add(places[i].index, s, has, b.ends); err != nil {
				return nil, fmt.Errorf("bpf: loads of service %s: %w", s.Name, err)
			}
			loaded = append(loaded, places[i].index)
		}
	}
	if err := b.loads.write(loaded); err != nil || len(keys) == 0 {
		return places, err
	}
	if _, err := b.outer.BatchUpdate(keys, fds, nil); err != nil {
		return nil, fmt.Errorf("bpf: set backends: %w", err)
	}
	return places, nil
}

// free returns the places that no service uses.
func (b *backendTables[A]) free(named map[rawServiceKey[A]]rawService[A]) []uint32 {
	taken := make([]bool, b.outer.MaxEntries())
	for _, s := range named {
		taken[s.Table] = taken[s.Table] || s.Size > 0
	}
	var free []uint32
	for i := range taken {
		if !taken[i] {
			free = append(free, uint32(i))
		}
	}
	return free
}

// newBackendTable makes an inner map. It writes through mapped memory instead of system
// calls, which fills a Maglev table 50 times as fast as a batch update.
func newBackendTable[A addr](slots []dataplane.Backend, ends *tunnelEnds) (*ebpf.Map, error) {
	raw := make([]rawBackend[A], len(slots))
	for i, slot := range slots {
		var err error
		if raw[i], err = toBackend[A](slot, ends); err != nil {
			return nil, err
		}
	}
	size := uint32(unsafe.Sizeof(rawBackend[A]{}))
	m, err := ebpf.NewMap(&ebpf.MapSpec{
		Type: ebpf.Array, Flags: unix.BPF_F_INNER_MAP | unix.BPF_F_MMAPABLE, KeySize: 4, ValueSize: size, MaxEntries: uint32(len(slots)),
	})
	if err != nil {
		return nil, err
	}
	stride := int(size+7) &^ 7 // the kernel's elements are aligned
	page := unix.Getpagesize()
	memory, err := unix.Mmap(m.FD(), 0, (stride*len(slots)+page-1)/page*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("map memory: %w", err), m.Close())
	}
	for i := range raw {
		*(*rawBackend[A])(unsafe.Pointer(&memory[i*stride])) = raw[i]
	}
	if err := unix.Munmap(memory); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}
