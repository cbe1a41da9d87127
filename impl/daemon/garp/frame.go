package garp

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Offsets into an Ethernet frame with an ARP packet for IPv4 (RFC 826).
const (
	macLen      = 6
	srcOffset   = macLen
	typeOffset  = 2 * macLen
	arpOffset   = typeOffset + 2
	opOffset    = arpOffset + 6
	senderMAC   = arpOffset + 8
	senderIP    = senderMAC + macLen
	targetMAC   = senderIP + 4
	targetIP    = targetMAC + macLen
	minFrameLen = 60 // Ethernet's minimum, without the checksum
)

// Frame returns the announcement of an address.
func Frame(mac net.HardwareAddr, vip netip.Addr) []byte {
	if vip.Is6() {
		return advertisement(mac, vip)
	}
	return arpAnnouncement(mac, vip)
}

// arpAnnouncement returns an ARP Announcement (RFC 5227 section 3) of an address: a
// broadcast ARP *request* with the address as sender and target. VRRP uses this form (RFC
// 5798 8.1.2), switches learn the port from it, and Linux accepts it as gratuitous without
// further conditions: unlike a reply it overrides an entry that was updated within the last
// second (arp_is_garp).
func arpAnnouncement(mac net.HardwareAddr, vip netip.Addr) []byte {
	f := make([]byte, minFrameLen)
	copy(f, broadcast)
	copy(f[srcOffset:], mac)
	binary.BigEndian.PutUint16(f[typeOffset:], unix.ETH_P_ARP)
	binary.BigEndian.PutUint16(f[arpOffset:], 1) // Ethernet
	binary.BigEndian.PutUint16(f[arpOffset+2:], unix.ETH_P_IP)
	f[arpOffset+4], f[arpOffset+5] = macLen, 4
	binary.BigEndian.PutUint16(f[opOffset:], 1) // request
	ip := vip.As4()
	copy(f[senderMAC:], mac)
	copy(f[senderIP:], ip[:])
	copy(f[targetIP:], ip[:]) // the target's MAC stays zero
	return f
}

var broadcast = bytes.Repeat([]byte{0xff}, macLen)
