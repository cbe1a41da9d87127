package ctsync

import (
	"encoding/binary"

	"baton/impl/flow"
)

// A digest is the sum of the hashes of what it covers, so that it depends on no
// order and is kept up to date by adding and subtracting. It covers a flow's
// identity and state; lifetimes differ between nodes by nature and stay out.
type digest struct {
	sum     uint64
	entries uint32
}

const (
	plus  = uint64(1)
	minus = ^uint64(0)
)

// count adds what has this hash to the digest (plus), or takes it away (minus).
func (d *digest) count(hash, sign uint64) {
	d.sum += hash * sign
	d.entries += uint32(sign)
}

// hasher hashes tuples and entries. Both nodes of a pair must agree on the key.
type hasher struct{ key uint64 }

// tuple hashes an original tuple. Its low bits choose the bucket.
func (k hasher) tuple(t flow.Tuple) uint64 {
	a, b := words(t)
	return mix(mix(k.key^a) ^ b)
}

// entry hashes a whole entry, given the hash of its original tuple.
func (k hasher) entry(original uint64, reply flow.Tuple, state flow.State) uint64 {
	a, b := words(reply)
	return mix(mix(original^a) ^ b ^ uint64(state)<<8)
}

// check tells two nodes apart that hash with different keys, without giving the
// key away.
func (k hasher) check() uint32 { return uint32(mix(mix(k.key)^0x6261746f6e) >> 32) }

// words packs a tuple into two words: addresses; ports and protocol.
func words(t flow.Tuple) (uint64, uint64) {
	a := uint64(binary.BigEndian.Uint32(t.Src[:]))<<32 | uint64(binary.BigEndian.Uint32(t.Dst[:]))
	return a, uint64(t.SrcPort)<<48 | uint64(t.DstPort)<<32 | uint64(t.Proto)
}

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood 2014), a bijection with
// full avalanche.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
