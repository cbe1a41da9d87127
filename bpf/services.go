package bpf

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"baton/impl/dataplane"
	"baton/impl/dataplane/model"
	"baton/impl/flow"
)

// SetServices implements dataplane.Dataplane.
func (d *Dataplane) SetServices(services []dataplane.Service, vips []dataplane.VIP) error {
	if err := dataplane.ValidateServices(services); err != nil {
		return err
	}
	meanings, err := model.Meanings(d.cfg.BackendLink, vips, services, d.host)
	if err != nil {
		return err
	}
	for _, s := range services {
		if !slices.ContainsFunc(d.families, func(f tables) bool { return f.has(s.VIP) }) {
			return fmt.Errorf("bpf: set service %s: %s is the first IPv6 address, and the IPv6 table is made at the start: restart the node", s.Name, s.VIP)
		}
	}
	if err := d.groups.join(vips); err != nil {
		return err
	}
	d.generation++
	for _, f := range d.families {
		if err := f.setServices(services, d.generation, meanings); err != nil {
			return err
		}
	}
	return d.groups.leave(vips)
}

// setServices replaces the family's services. Every packet sees either the old or the new
// service: new backends are written into the unused half of backend_tables before the
// service that names them is replaced.
func (f *family[A]) setServices(services []dataplane.Service, generation uint32, meanings map[flow.Addr]model.Meaning) error {
	addresses := make(map[A]uint32)
	for a, m := range meanings {
		if f.has(a) {
			addresses[toAddr[A](a)] = uint32(m)
		}
	}
	values := make(map[rawEndpoint[A]]rawService[A], len(services))
	dnat := make(map[rawEndpoint[A]]uint32)
	var tables backendTables[A]
	defer tables.close()
	for i, s := range services {
		if !f.has(s.VIP) {
			continue
		}
		table := generation%2*dataplane.MaxServices + uint32(i)
		slots := model.Slots(s)
		if err := tables.add(table, slots); err != nil {
			return fmt.Errorf("bpf: set service %s: %w", s.Name, err)
		}
		values[toEndpoint[A](s.VIP, s.Port, s.Proto)] = rawService[A]{
			Snat: toAddr[A](s.SNAT), Table: table, Size: uint32(len(slots)), Mode: uint8(s.Mode), Balance: uint8(s.Balance),
		}
		for _, b := range s.Backends {
			if s.Mode == dataplane.DNAT {
				dnat[toEndpoint[A](b.Addr, b.Port, s.Proto)] = 1
			}
		}
	}
	if err := tables.write(f.objs.BackendTables); err != nil {
		return fmt.Errorf("bpf: set backends: %w", err)
	}
	return errors.Join(
		put(f.objs.Addresses, addresses), put(f.objs.DnatBackends, dnat), put(f.objs.Services, values),
		prune(f.objs.Services, values), prune(f.objs.DnatBackends, dnat), prune(f.objs.Addresses, addresses),
		f.objs.Generation.Set(generation)) // last: packets now see the new services
}

// backendTables are inner maps on their way into backend_tables. They go there in
// one batch, since the kernel waits for all running programs after every update.
type backendTables[A addr] struct {
	maps []*ebpf.Map
	keys []uint32
	fds  []uint32
}

// add makes the inner map of one service. Without slots there is none to make.
func (b *backendTables[A]) add(table uint32, slots []dataplane.Backend) error {
	if len(slots) == 0 {
		return nil
	}
	inner, err := ebpf.NewMap(&ebpf.MapSpec{
		Type: ebpf.Array, Flags: unix.BPF_F_INNER_MAP, KeySize: 4, ValueSize: uint32(unsafe.Sizeof(rawBackend[A]{})), MaxEntries: uint32(len(slots)),
	})
	if err != nil {
		return err
	}
	b.maps, b.keys, b.fds = append(b.maps, inner), append(b.keys, table), append(b.fds, uint32(inner.FD()))
	keys, values := make([]uint32, len(slots)), make([]rawBackend[A], len(slots))
	for i, slot := range slots {
		keys[i], values[i] = uint32(i), toBackend[A](slot)
	}
	_, err = inner.BatchUpdate(keys, values, nil)
	return err
}

func (b *backendTables[A]) write(outer *ebpf.Map) error {
	if len(b.keys) == 0 {
		return nil
	}
	_, err := outer.BatchUpdate(b.keys, b.fds, nil)
	return err
}

// close drops this process's hold on the inner maps; those that were written live on in the outer one.
func (b *backendTables[A]) close() {
	for _, m := range b.maps {
		m.Close()
	}
}

// hostAddresses returns the addresses of the host and the broadcast addresses of its
// networks.
func hostAddresses() (h model.Host, err error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return h, fmt.Errorf("bpf: read own addresses: %w", err)
	}
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		h.Own = append(h.Own, flow.Addr(n.IP.To16()))
		if ones, bits := n.Mask.Size(); n.IP.To4() != nil && bits-ones > 1 { // RFC 3021: a /31 has none
			h.Broadcast = append(h.Broadcast, flow.Addr(lastOf(n).To16()))
		}
	}
	return h, nil
}

func lastOf(n *net.IPNet) net.IP {
	last, mask := slices.Clone(n.IP.To4()), n.Mask[len(n.Mask)-4:]
	for i := range last {
		last[i] |= ^mask[i]
	}
	return last
}

// put adds and replaces entries of a map.
func put[K comparable, V any](m *ebpf.Map, want map[K]V) error {
	for k, v := range want {
		if err := m.Put(k, v); err != nil {
			return fmt.Errorf("bpf: set %s: %w", m, err)
		}
	}
	return nil
}

// prune removes the entries of a map that are not wanted.
func prune[K comparable, V any](m *ebpf.Map, want map[K]V) error {
	var stale []K
	var k K
	var v V
	entries := m.Iterate()
	for entries.Next(&k, &v) {
		if _, ok := want[k]; !ok {
			stale = append(stale, k)
		}
	}
	if err := entries.Err(); err != nil {
		return fmt.Errorf("bpf: read %s: %w", m, err)
	}
	for _, k := range stale {
		if err := m.Delete(k); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("bpf: prune %s: %w", m, err)
		}
	}
	return nil
}
