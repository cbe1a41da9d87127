// Package ip builds headers and checksums of packets that the harness sends itself: floods,
// test frames, and flows from addresses that no host has. It does no IO.
package ip

import (
	"encoding/binary"
	"net"
	"slices"

	"baton/impl/flow"
	"baton/scenarios/lab"
)

const (
	EtherIPv4 = 0x0800
	EtherARP  = 0x0806
	EtherIPv6 = 0x86dd
)

// EtherTypes maps each family to its EtherType.
var EtherTypes = [lab.Families]uint16{lab.IPv4: EtherIPv4, lab.IPv6: EtherIPv6}

// Lengths of headers, without options or extension headers.
const (
	Len4 = 20
	Len6 = 40
)

// FamilyOf returns the family of an address.
func FamilyOf(a flow.Addr) lab.Family {
	if a.Is4() {
		return lab.IPv4
	}
	return lab.IPv6
}

// Header returns the header of a packet whose payload has the given length.
func Header(source, target flow.Addr, protocol, hops uint8, payload int) []byte {
	if FamilyOf(target) == lab.IPv6 {
		h := make([]byte, Len6)
		h[0], h[6], h[7] = 0x60, protocol, hops
		binary.BigEndian.PutUint16(h[4:], uint16(payload))
		copy(h[8:], source[:])
		copy(h[24:], target[:])
		return h
	}
	h := make([]byte, Len4)
	h[0], h[8], h[9] = 0x45, hops, protocol
	binary.BigEndian.PutUint16(h[2:], uint16(Len4+payload))
	copy(h[12:], source.Bytes())
	copy(h[16:], target.Bytes())
	binary.BigEndian.PutUint16(h[10:], Checksum(h))
	return h
}

// TransportChecksum covers a payload and its pseudo header (RFC 9293 3.1, RFC 8200 8.1).
// The payload's checksum field must be 0.
func TransportChecksum(source, target flow.Addr, protocol uint8, payload []byte) uint16 {
	pseudo := make([]byte, 0, 2*len(source)+8+len(payload))
	pseudo = append(append(pseudo, source.Bytes()...), target.Bytes()...)
	pseudo = binary.BigEndian.AppendUint32(pseudo, uint32(len(payload)))
	pseudo = binary.BigEndian.AppendUint32(pseudo, uint32(protocol))
	return Checksum(append(pseudo, payload...))
}

// Checksum is the Internet checksum (RFC 1071).
func Checksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// Neighbour discovery (RFC 4861).
const (
	NeighbourSolicitation  = 135
	NeighbourAdvertisement = 136
	FlagSolicited          = 0x40
	FlagOverride           = 0x20
	ndpHopLimit            = 255
)

// AllNodes is the destination of an unsolicited advertisement, AllNodesMAC its hardware
// address.
var (
	AllNodes    = flow.Addr{0: 0xff, 1: 2, 15: 1}
	AllNodesMAC = net.HardwareAddr{0x33, 0x33, 0, 0, 0, 1}
)

// Advertisement returns a neighbour advertisement that maps an address to a hardware
// address, sent to a destination.
func Advertisement(addr flow.Addr, mac net.HardwareAddr, to flow.Addr, flags byte) []byte {
	message := make([]byte, 32)
	message[0], message[4] = NeighbourAdvertisement, flags
	copy(message[8:], addr[:])
	message[24], message[25] = 2, 1 // target link-layer address
	copy(message[26:], mac)
	binary.BigEndian.PutUint16(message[2:], TransportChecksum(addr, to, lab.ProtoICMPv6, message))
	return slices.Concat(Header(addr, to, lab.ProtoICMPv6, ndpHopLimit, len(message)), message)
}
