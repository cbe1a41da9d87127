package ctsync

import "baton/impl/flow"

// A digest is the sum of the hashes of its flows, so that it does not depend on
// their order and can be updated incrementally. It covers a flow's identity and
// state, but not its lifetime, which differs between nodes by nature.
type digest struct {
	sum     uint64
	entries uint32
}

const (
	plus  = uint64(1)
	minus = ^uint64(0)
)

// count adds a flow by its hash (plus), or removes it (minus).
func (d *digest) count(hash, sign uint64) {
	d.sum += hash * sign
	d.entries += uint32(sign)
}

// digests holds the digest of all flows, and separate ones of flows that not every version can carry:
// those across families, the other SCTP flows, and the other IPv6 flows.
type digests struct {
	all, ipv6, sctp, across digest
}

// count counts a flow that versions from since on can carry.
func (d *digests) count(hash, sign uint64, since byte) {
	d.all.count(hash, sign)
	switch since {
	case versionIPv6:
		d.ipv6.count(hash, sign)
	case versionSCTP:
		d.sctp.count(hash, sign)
	case versionAcross:
		d.across.count(hash, sign)
	}
}

// add adds the flows of another digest.
func (d *digests) add(o digests) {
	d.all.add(o.all)
	d.ipv6.add(o.ipv6)
	d.sctp.add(o.sctp)
	d.across.add(o.across)
}

func (d *digest) add(o digest) {
	d.sum += o.sum
	d.entries += o.entries
}

func (d *digest) subtract(o digest) {
	d.sum -= o.sum
	d.entries -= o.entries
}

// told returns the digest of the flows that a protocol version can carry.
func (d *digests) told(version byte) digest {
	told := d.all
	if version < versionIPv6 {
		told.subtract(d.ipv6)
	}
	if version < versionSCTP {
		told.subtract(d.sctp)
	}
	if version < versionAcross {
		told.subtract(d.across)
	}
	return told
}

// hasher hashes tuples and entries. Both nodes of a pair must agree on the key.
type hasher struct{ key uint64 }

// tuple hashes an original tuple. Its low bits choose the bucket.
func (k hasher) tuple(t flow.Tuple) uint64 {
	return mix(absorb(k.key, &t) ^ rest(&t))
}

// entry hashes a whole entry, given the hash of its original tuple.
func (k hasher) entry(original uint64, reply flow.Tuple, state flow.State) uint64 {
	return mix(absorb(original, &reply) ^ rest(&reply) ^ uint64(state)<<8)
}

// check returns a number by which nodes detect that their keys differ, without
// revealing the key.
func (k hasher) check() uint32 { return uint32(mix(mix(k.key)^0x6261746f6e) >> 32) }

// absorb hashes the addresses of a tuple: one word for IPv4, two per address for IPv6 and across
// families.
func absorb(h uint64, t *flow.Tuple) uint64 {
	src, dst := &t.Src, &t.Dst
	if src.Is4() && dst.Is4() {
		return mix(h ^ (uint64(order.Uint32(src[12:]))<<32 | uint64(order.Uint32(dst[12:]))))
	}
	h = mix(mix(h^order.Uint64(src[:8])) ^ order.Uint64(src[8:]))
	return mix(mix(h^order.Uint64(dst[:8])) ^ order.Uint64(dst[8:]))
}

// rest returns a tuple's ports and protocol as one word.
func rest(t *flow.Tuple) uint64 {
	return uint64(t.SrcPort)<<48 | uint64(t.DstPort)<<32 | uint64(t.Proto)
}

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood 2014), a bijection with
// full avalanche.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
