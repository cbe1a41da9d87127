package bpf

import (
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"baton/impl/dataplane"
	"baton/impl/dataplane/model"
	"baton/impl/flow"
)

// SetServices implements dataplane.Dataplane. Every packet meets a service either
// as it was or as it is to be: the backends are written beside those in use, in the
// other half of backend_tables, before the service that names them is replaced.
func (d *Dataplane) SetServices(services []dataplane.Service) error {
	if err := dataplane.ValidateServices(services); err != nil {
		return err
	}
	addresses, err := d.meanings(services)
	if err != nil {
		return err
	}
	d.generation++
	values := make(map[lbServiceKey]lbService, len(services))
	dnat := make(map[lbBackendKey]uint32)
	var tables backendTables
	defer tables.close()
	for i, s := range services {
		table := d.generation%2*dataplane.MaxServices + uint32(i)
		slots := model.Slots(s)
		if err := tables.add(table, slots); err != nil {
			return fmt.Errorf("bpf: set service %s: %w", s.Name, err)
		}
		values[toServiceKey(s.Service)] = lbService{
			Snat: toAddr(s.SNAT), Table: table, Size: uint32(len(slots)), Mode: uint8(s.Mode), Balance: uint8(s.Balance),
		}
		for _, b := range s.Backends {
			if s.Mode == dataplane.DNAT {
				dnat[lbBackendKey{Addr: toAddr(b.Addr), Port: swapPort(b.Port), Proto: uint8(s.Proto)}] = 1
			}
		}
	}
	if err := tables.write(d.objs.BackendTables); err != nil {
		return fmt.Errorf("bpf: set backends: %w", err)
	}
	return errors.Join(
		put(d.objs.Addresses, addresses), put(d.objs.DnatBackends, dnat), put(d.objs.Services, values),
		prune(d.objs.Services, values), prune(d.objs.DnatBackends, dnat), prune(d.objs.Addresses, addresses),
		d.objs.Generation.Set(d.generation)) // at last: what a packet then finds out is the new
}

// backendTables are inner maps on their way into backend_tables. They go there in
// one batch, since the kernel waits for all running programs after every update.
type backendTables struct {
	maps []*ebpf.Map
	keys []uint32
	fds  []uint32
}

// add makes the inner map of one service. Without slots there is none to make.
func (b *backendTables) add(table uint32, slots []dataplane.Backend) error {
	if len(slots) == 0 {
		return nil
	}
	inner, err := ebpf.NewMap(&ebpf.MapSpec{
		Type: ebpf.Array, Flags: unix.BPF_F_INNER_MAP, KeySize: 4, ValueSize: 8, MaxEntries: uint32(len(slots)),
	})
	if err != nil {
		return err
	}
	b.maps, b.keys, b.fds = append(b.maps, inner), append(b.keys, table), append(b.fds, uint32(inner.FD()))
	keys, values := make([]uint32, len(slots)), make([]lbBackend, len(slots))
	for i, backend := range slots {
		keys[i], values[i] = uint32(i), toBackend(backend)
	}
	_, err = inner.BatchUpdate(keys, values, nil)
	return err
}

func (b *backendTables) write(outer *ebpf.Map) error {
	if len(b.keys) == 0 {
		return nil
	}
	_, err := outer.BatchUpdate(b.keys, b.fds, nil)
	return err
}

// close drops this process's hold on the inner maps; those that were written live on in the outer one.
func (b *backendTables) close() {
	for _, m := range b.maps {
		m.Close()
	}
}

// meanings returns the contents of the map addresses.
func (d *Dataplane) meanings(services []dataplane.Service) (map[uint32]uint32, error) {
	meanings, err := model.Meanings(d.cfg, services, d.host)
	if err != nil {
		return nil, err
	}
	out := make(map[uint32]uint32, len(meanings))
	for a, m := range meanings {
		out[toAddr(a)] = uint32(m)
	}
	return out, nil
}

// hostAddresses returns the IPv4 addresses of the host and the broadcast addresses of
// its networks.
func hostAddresses() (h model.Host, err error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return h, fmt.Errorf("bpf: read own addresses: %w", err)
	}
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		if !ok || n.IP.To4() == nil {
			continue
		}
		h.Own = append(h.Own, flow.IPv4From([4]byte(n.IP.To4())))
		if ones, bits := n.Mask.Size(); bits-ones > 1 { // RFC 3021: a link of two has none
			h.Broadcast = append(h.Broadcast, flow.IPv4From([4]byte(lastOf(n))))
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
