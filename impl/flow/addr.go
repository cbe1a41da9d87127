package flow

import (
	"net/netip"
)

// Addr is an IP address in network byte order; an IPv4 address is IPv4-mapped (RFC 4291
// 2.5.5.2). It is comparable, needs no family tag and, unlike netip.Addr, holds no pointer.
type Addr [16]byte

// mapped is the prefix of an IPv4-mapped address.
var mapped = [12]byte{10: 0xff, 11: 0xff}

// IPv4 returns the IPv4 address a.b.c.d.
func IPv4(a, b, c, d byte) Addr { return IPv4From([4]byte{a, b, c, d}) }

// IPv4From returns the IPv4 address of four bytes of a packet.
func IPv4From(b [4]byte) (a Addr) {
	copy(a[:], mapped[:])
	copy(a[12:], b[:])
	return a
}

// AddrFrom converts an address of either family, without its zone.
func AddrFrom(a netip.Addr) Addr { return a.As16() }

// Is4 reports whether the address is IPv4.
func (a Addr) Is4() bool { return [12]byte(a[:12]) == mapped }

// As4 returns the four bytes of an IPv4 address.
func (a Addr) As4() [4]byte { return [4]byte(a[12:]) }

// Bytes returns the 4 or 16 bytes of an address as packets hold it.
func (a *Addr) Bytes() []byte {
	if a.Is4() {
		return a[12:]
	}
	return a[:]
}

// Netip returns the address; an IPv4 address is unmapped.
func (a Addr) Netip() netip.Addr { return netip.AddrFrom16(a).Unmap() }

func (a Addr) String() string { return a.Netip().String() }

// WithPort returns the address and a port in the usual notation.
func (a Addr) WithPort(port uint16) netip.AddrPort { return netip.AddrPortFrom(a.Netip(), port) }
