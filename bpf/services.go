package bpf

import (
	"errors"
	"fmt"
	"net"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"baton/impl/dataplane"
	"baton/impl/dataplane/model"
	"baton/impl/flow"
)

// What an address means to the node (types.h).
const (
	addrARPClient  = 1 << 0
	addrARPBackend = 1 << 1
	addrVirtual    = 1 << 2
	addrOwn        = 1 << 3
)

// maxServices is SERVICES_MAX of maps.h.
const maxServices = 256

// SetServices implements dataplane.Dataplane. Every packet meets a service either
// as it was or as it is to be: the backends are written beside those in use, in the
// other half of backend_tables, before the service that names them is replaced.
func (d *Dataplane) SetServices(services []dataplane.Service) error {
	if len(services) > maxServices {
		return fmt.Errorf("bpf: set services: %d > %d", len(services), maxServices)
	}
	for _, s := range services {
		if err := validService(s); err != nil {
			return err
		}
	}
	addresses, err := d.meanings(services)
	if err != nil {
		return err
	}
	d.generation++
	values := make(map[lbServiceKey]lbService, len(services))
	dnat := make(map[lbBackendKey]uint32)
	for i, s := range services {
		table := d.generation%2*maxServices + uint32(i)
		size, err := d.writeBackends(table, s)
		if err != nil {
			return fmt.Errorf("bpf: set service %s: %w", s.Name, err)
		}
		values[toServiceKey(s.Service)] = lbService{
			Snat: toAddr(s.SNAT), Table: table, Size: uint32(size), Mode: uint8(s.Mode), Balance: uint8(s.Balance),
		}
		for _, b := range s.Backends {
			if s.Mode == dataplane.DNAT {
				dnat[lbBackendKey{Addr: toAddr(b.Addr), Port: swapPort(b.Port), Proto: uint8(s.Proto)}] = 1
			}
		}
	}
	return errors.Join(
		put(d.objs.Addresses, addresses), put(d.objs.DnatBackends, dnat), put(d.objs.Services, values),
		prune(d.objs.Services, values), prune(d.objs.DnatBackends, dnat), prune(d.objs.Addresses, addresses))
}

// writeBackends fills one table and returns how many slots it has.
func (d *Dataplane) writeBackends(table uint32, s dataplane.Service) (int, error) {
	slots := model.Slots(s)
	if len(slots) == 0 {
		return 0, nil
	}
	inner, err := ebpf.NewMap(&ebpf.MapSpec{
		Type: ebpf.Array, Flags: unix.BPF_F_INNER_MAP, KeySize: 4, ValueSize: 8, MaxEntries: uint32(len(slots)),
	})
	if err != nil {
		return 0, err
	}
	defer inner.Close()
	keys, values := make([]uint32, len(slots)), make([]lbBackend, len(slots))
	for i, b := range slots {
		keys[i], values[i] = uint32(i), toBackend(b)
	}
	if _, err := inner.BatchUpdate(keys, values, nil); err != nil {
		return 0, err
	}
	return len(slots), d.objs.BackendTables.Put(table, inner)
}

// meanings says what every address is to the node that it must know.
func (d *Dataplane) meanings(services []dataplane.Service) (map[uint32]uint32, error) {
	out := make(map[uint32]uint32)
	for a := range d.own {
		out[toAddr(a)] = addrOwn
	}
	add := func(a flow.Addr, meaning uint32) error {
		if d.own[a] {
			return fmt.Errorf("bpf: %s is to be a VIP and is an address of this host, whose stack would answer for it", a)
		}
		out[toAddr(a)] |= addrVirtual | meaning
		return nil
	}
	for _, v := range d.cfg.VIPs {
		meaning := uint32(addrARPClient)
		switch v.Link {
		case d.cfg.ClientLink:
		case d.cfg.BackendLink:
			meaning = addrARPBackend
		default:
			return nil, fmt.Errorf("bpf: VIP %s: link %q is neither %s nor %s", v.Addr, v.Link, d.cfg.ClientLink, d.cfg.BackendLink)
		}
		if !v.Addr.Is4() {
			return nil, fmt.Errorf("bpf: VIP %s is no IPv4 address", v.Addr)
		}
		if err := add(flow.AddrFrom(v.Addr), meaning); err != nil {
			return nil, err
		}
	}
	for _, s := range services {
		if err := add(s.VIP, 0); err != nil {
			return nil, err
		}
		if s.SNAT == (flow.Addr{}) {
			continue // dnat backends may have another way to reach their gateway
		}
		if err := add(s.SNAT, 0); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// ownAddresses returns the IPv4 addresses of the host: what is sent to them is the
// stack's, whoever sends it.
func ownAddresses() (map[flow.Addr]bool, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("bpf: read own addresses: %w", err)
	}
	own := make(map[flow.Addr]bool)
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil {
			own[flow.Addr(n.IP.To4())] = true
		}
	}
	return own, nil
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

func validService(s dataplane.Service) error {
	switch {
	case s.Proto != flow.TCP && s.Proto != flow.UDP:
		return fmt.Errorf("bpf: service %s: protocol %s is neither tcp nor udp", s.Name, s.Proto)
	case s.Mode != dataplane.FullNAT && s.Mode != dataplane.DNAT:
		return fmt.Errorf("bpf: service %s: unknown mode %s", s.Name, s.Mode)
	case s.Balance != dataplane.RoundRobin && s.Balance != dataplane.Maglev:
		return fmt.Errorf("bpf: service %s: unknown balance %s", s.Name, s.Balance)
	}
	return nil
}
