package bpf

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/cilium/ebpf"

	"baton/impl/flow"
)

// tunnelEnds are the IPv6 backends of IPv4 services, whose addresses do not fit into an IPv4 tuple. The
// programs know them by numbers, which the tuples hold in place of addresses (src/ipv4/across.h). An
// address gets a number when a service or an entry first names it, and loses it when neither has named
// it during two sweeps. A number is reused as late as possible.
type tunnelEnds struct {
	mu      sync.Mutex
	kernel  *ebpf.Map
	numbers map[flow.Addr]uint32
	addrs   []flow.Addr // by number, also after the address lost it; zero if it was never assigned
	named   []uint32    // by number: the last sweep in which it was named
	sweeps  uint32
	last    uint32 // number assigned last
}

// errNoTunnelEnd means that the IPv6 backends of IPv4 services exceed the numbers.
var errNoTunnelEnd = errors.New("no number for another IPv6 backend of an IPv4 service")

// keptSweeps is how many sweeps a number outlives its last use.
const keptSweeps = 2

// openTunnelEnds returns the ends of a map, with its numbers if it was adopted. It does not read a new
// map: that would be empty, and reading takes a tenth of the time of loading the programs.
func openTunnelEnds(m *ebpf.Map, adopted bool) (*tunnelEnds, error) {
	t := &tunnelEnds{kernel: m, numbers: map[flow.Addr]uint32{}, addrs: make([]flow.Addr, m.MaxEntries()), named: make([]uint32, m.MaxEntries())}
	if !adopted {
		return t, nil
	}
	keys := make([]uint32, m.MaxEntries())
	var cursor ebpf.MapBatchCursor
	if _, err := m.BatchLookup(&cursor, keys, t.addrs, nil); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return nil, fmt.Errorf("bpf: read tunnel ends: %w", err)
	}
	for number, a := range t.addrs {
		if a != (flow.Addr{}) {
			t.numbers[a] = uint32(number)
		}
	}
	return t, nil
}

// number returns the number of an address in the form of an IPv4 address. It assigns one if there is none.
func (t *tunnelEnds) number(a flow.Addr) (ipv4, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, ok := t.numbers[a]
	if !ok {
		var err error
		if n, err = t.give(a); err != nil {
			return ipv4{}, err
		}
	}
	t.named[n] = t.sweeps
	return ipv4{2: byte(n >> 8), 3: byte(n)}, nil
}

// give assigns a number to an address: its earlier one, if no other address has that. If an address
// stood at two numbers in the map, the next process would use one of them, while entries may name the
// other.
func (t *tunnelEnds) give(a flow.Addr) (uint32, error) {
	if was := slices.Index(t.addrs, a); was > 0 {
		t.numbers[a] = uint32(was)
		return uint32(was), nil
	}
	size := uint32(len(t.addrs))
	for range size {
		t.last = max((t.last+1)%size, 1) // 0 is none
		if was := t.addrs[t.last]; was != (flow.Addr{}) && t.numbers[was] == t.last {
			continue
		}
		if err := t.kernel.Put(t.last, a); err != nil {
			return 0, fmt.Errorf("bpf: write tunnel end %s: %w", a, err)
		}
		t.addrs[t.last], t.numbers[a] = a, t.last
		return t.last, nil
	}
	return 0, errNoTunnelEnd
}

// address returns the address of a number; the number itself if it was never assigned.
func (t *tunnelEnds) address(number ipv4) flow.Addr {
	t.mu.Lock()
	defer t.mu.Unlock()
	if a := t.addrs[int(number[2])<<8|int(number[3])]; a != (flow.Addr{}) {
		return a
	}
	return flow.IPv4From(number)
}

// isTunnelEnd reports whether an address of a tuple is a number.
func isTunnelEnd(a *ipv4) bool { return a[0] == 0 && a[1] == 0 }

// name notes that an entry names a number.
func (t *tunnelEnds) name(number ipv4) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.named[int(number[2])<<8|int(number[3])] = t.sweeps
}

// sweep frees the numbers that nothing has named for keptSweeps sweeps.
func (t *tunnelEnds) sweep() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for a, n := range t.numbers {
		if t.sweeps-t.named[n] >= keptSweeps {
			delete(t.numbers, a)
		}
	}
	t.sweeps++
}

func (t *tunnelEnds) close() error {
	if t == nil {
		return nil
	}
	return t.kernel.Close()
}

// nameEnd notes the number that the reply tuple of an entry names, if it names one.
func (f *family[A]) nameEnd(reply *rawTuple[A]) {
	if number, ok := any(&reply.Src).(*ipv4); ok && isTunnelEnd(number) {
		f.ends.name(*number)
	}
}

// sweepEnds frees the numbers that neither a service nor an entry has named for keptSweeps sweeps.
func (f *family[A]) sweepEnds() {
	if f.ends == nil {
		return
	}
	for _, s := range *f.balanced.Load() {
		for _, b := range s.Backends {
			if !b.Addr.Is4() {
				f.ends.number(b.Addr)
			}
		}
	}
	f.ends.sweep()
}
