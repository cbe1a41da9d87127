package model

import (
	"encoding/binary"

	"baton/impl/dataplane"
	"baton/impl/dataplane/maglev"
	"baton/impl/flow"
)

// Slots returns the table from which a service's new flows take their backend: round robin
// cycles through it, Maglev indexes it by a hash, LeastConn compares all of it. The loader writes it to
// the eBPF programs' maps.
func Slots(s dataplane.Service) []dataplane.Backend {
	switch s.Balance {
	case dataplane.RoundRobin:
		return turns(s)
	case dataplane.LeastConn:
		return s.Backends
	}
	names := make([]string, len(s.Backends))
	for i, b := range s.Backends {
		names[i] = b.Addr.WithPort(b.Port).String()
	}
	table := maglev.Table(names, s.Weights, maglev.DefaultSize)
	slots := make([]dataplane.Backend, len(table))
	for i, name := range table {
		slots[i] = s.Backends[name]
	}
	return slots
}

// Hash returns the flow hash of an original tuple: Maglev's index, and the start of the
// SNAT port's probe sequence. It has no seed, since both nodes must compute the same one.
func Hash(t flow.Tuple) uint64 {
	rest := uint64(t.SrcPort)<<32 | uint64(t.DstPort)<<16 | uint64(t.Proto)
	return mix(hashAddresses(&t.Src, &t.Dst) ^ mix(rest))
}

func hashAddresses(src, dst *flow.Addr) uint64 {
	half := binary.BigEndian.Uint64
	if dst.Is4() {
		return uint64(binary.BigEndian.Uint32(src[12:]))<<32 | uint64(binary.BigEndian.Uint32(dst[12:]))
	}
	h := mix(mix(half(src[:8])) ^ half(src[8:]))
	return mix(h^half(dst[:8])) ^ half(dst[8:])
}

// mix is the finalizer of MurmurHash3.
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// PortAttempts is the number of SNAT ports that a new flow tries.
const PortAttempts = 64

// SNATPort returns the i-th port that a flow with this hash tries.
func SNATPort(r dataplane.PortRange, hash uint64, i int) uint16 {
	size := uint64(r.Last-r.First) + 1
	return r.First + uint16(mix(hash+uint64(i))%size)
}

// SNATAddress returns which of a service's SNAT addresses a flow with this hash tries i-th.
func SNATAddress(addresses int, hash uint64, i int) int {
	return int(uint32(mix(hash+uint64(i))>>32) % uint32(addresses))
}
