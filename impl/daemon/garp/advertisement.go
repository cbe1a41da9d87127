package garp

import (
	"encoding/binary"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Offsets into an Ethernet frame with a neighbour advertisement and one option (RFC 4861
// 4.4, 4.6.1), and field values.
const (
	ipv6Offset     = typeOffset + 2
	payloadLen     = ipv6Offset + 4
	ipv6Source     = ipv6Offset + 8
	ipv6Target     = ipv6Source + 16
	naOffset       = ipv6Target + 16
	naChecksum     = naOffset + 2
	naFlags        = naOffset + 4
	naAddress      = naOffset + 8
	naOption       = naAddress + 16
	advertisement6 = naOption + 8

	naType         = 136
	flagRouter     = 0x80
	flagOverride   = 0x20
	ndpHopLimit    = 255
	targetLinkAddr = 2
)

// advertisement returns an unsolicited neighbour advertisement of an address to all nodes
// (RFC 4861 7.2.6). Override makes hosts replace an existing entry. Router is set because
// the node forwards packets to the address.
func advertisement(mac net.HardwareAddr, vip netip.Addr) []byte {
	f := make([]byte, advertisement6)
	copy(f, []byte{0x33, 0x33, 0, 0, 0, 1})
	copy(f[srcOffset:], mac)
	binary.BigEndian.PutUint16(f[typeOffset:], unix.ETH_P_IPV6)
	f[ipv6Offset] = 6 << 4
	binary.BigEndian.PutUint16(f[payloadLen:], advertisement6-naOffset)
	f[payloadLen+2], f[payloadLen+3] = unix.IPPROTO_ICMPV6, ndpHopLimit
	ip, allNodes := vip.As16(), netip.IPv6LinkLocalAllNodes().As16()
	copy(f[ipv6Source:], ip[:])
	copy(f[ipv6Target:], allNodes[:])
	f[naOffset], f[naFlags] = naType, flagRouter|flagOverride
	copy(f[naAddress:], ip[:])
	f[naOption], f[naOption+1] = targetLinkAddr, 1
	copy(f[naOption+2:], mac)
	binary.BigEndian.PutUint16(f[naChecksum:], checksum(f[ipv6Source:], unix.IPPROTO_ICMPV6, advertisement6-naOffset))
	return f
}

// checksum returns the checksum of a message with its packet's addresses (RFC 8200 8.1).
func checksum(addressesAndMessage []byte, proto, length uint32) uint16 {
	sum := proto + length
	for i := 0; i < len(addressesAndMessage); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(addressesAndMessage[i:]))
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}
