package dataplane

import "math/bits"

// PortPrefix is the ports whose first Bits bits are those of Port.
type PortPrefix struct {
	Port uint16
	Bits uint8
}

const portBits = 16

// PortPrefixes splits a range of ports into the fewest prefixes. The prefixes of a nested range are
// never shorter, so a longest-prefix search finds the narrowest of nested ranges. If two ranges
// have the same prefix, the narrower must win.
func PortPrefixes(first, last uint16) (prefixes []PortPrefix) {
	for at, left := uint32(first), uint32(last)-uint32(first)+1; left > 0; {
		free := min(bits.TrailingZeros32(at|1<<portBits), bits.Len32(left)-1)
		prefixes = append(prefixes, PortPrefix{uint16(at), uint8(portBits - free)})
		at, left = at+1<<free, left-1<<free
	}
	return prefixes
}
