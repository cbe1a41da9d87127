package bfdio

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"

	"baton/impl/bfd"
)

// Echo packets are built and parsed here with their IP header, since a UDP socket can
// neither send over a link to an address of its own system nor receive what comes back.
const (
	ipv4HeaderLen = 20
	ipv6HeaderLen = 40

	ipv4DontFragment = 0x4000
	ipv4Fragment     = 0x3fff // more fragments, or an offset
)

// appendEcho appends an IP packet with the payload as echo packet: TTL 255, source and
// destination port 3785.
func appendEcho(b []byte, from, to netip.Addr, payload []byte) []byte {
	return appendUDP(b, netip.AddrPortFrom(from, EchoPort), netip.AddrPortFrom(to, EchoPort), payload)
}

// appendUDP appends an IP packet with UDP and a TTL or hop limit of 255.
func appendUDP(b []byte, from, to netip.AddrPort, payload []byte) []byte {
	start := len(b)
	if from.Addr().Is4() {
		b = appendIPv4(b, from.Addr(), to.Addr(), len(payload))
	} else {
		b = appendIPv6(b, from.Addr(), to.Addr(), len(payload))
	}
	udp := len(b)
	b = binary.BigEndian.AppendUint16(b, from.Port())
	b = binary.BigEndian.AppendUint16(b, to.Port())
	b = binary.BigEndian.AppendUint16(b, uint16(udpHeaderLen+len(payload)))
	b = append(b, 0, 0)
	b = append(b, payload...)
	binary.BigEndian.PutUint16(b[udp+6:], udpChecksum(b[start:udp], b[udp:]))
	return b
}

func appendIPv4(b []byte, from, to netip.Addr, payload int) []byte {
	start := len(b)
	b = append(b, 0x45, tosCS6)
	b = binary.BigEndian.AppendUint16(b, uint16(ipv4HeaderLen+udpHeaderLen+payload))
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint16(b, ipv4DontFragment)
	b = append(b, bfd.TransmitTTL, unix.IPPROTO_UDP, 0, 0)
	source, destination := from.As4(), to.As4()
	b = append(append(b, source[:]...), destination[:]...)
	binary.BigEndian.PutUint16(b[start+10:], ^fold(sum(0, b[start:])))
	return b
}

func appendIPv6(b []byte, from, to netip.Addr, payload int) []byte {
	b = binary.BigEndian.AppendUint32(b, 6<<28|tosCS6<<20)
	b = binary.BigEndian.AppendUint16(b, uint16(udpHeaderLen+payload))
	b = append(b, unix.IPPROTO_UDP, bfd.TransmitTTL)
	source, destination := from.As16(), to.As16()
	return append(append(b, source[:]...), destination[:]...)
}

// parseEcho parses a received IP packet: payload, addresses and TTL or hop limit. It is not
// ok unless it is a complete UDP packet to the echo port with correct checksums.
func parseEcho(b []byte) (d Datagram, ok bool) {
	header, end := parseIP(b, &d)
	if end > len(b) || header > end {
		return d, false
	}
	udp := b[header:end]
	if len(udp) < udpHeaderLen || binary.BigEndian.Uint16(udp[2:]) != EchoPort {
		return d, false
	}
	length := int(binary.BigEndian.Uint16(udp[4:]))
	if length < udpHeaderLen || length > len(udp) {
		return d, false
	}
	udp = udp[:length]
	if fold(sum(pseudoSum(b[:header], length), udp)) != 0xffff {
		return d, false
	}
	d.Data = udp[udpHeaderLen:]
	return d, true
}

// notUDP is parseIP's result for other packets.
const notUDP = 1 << 16

// parseIP parses an IPv4 or IPv6 header and returns where the UDP packet begins and ends
// according to it; the link may have padded the frame. IPv6 extension headers are rejected,
// since echo packets have none.
func parseIP(b []byte, d *Datagram) (header, end int) {
	switch {
	case len(b) >= ipv4HeaderLen && b[0]>>4 == 4:
		header = int(b[0]&15) * 4
		if header < ipv4HeaderLen || header > len(b) || b[9] != unix.IPPROTO_UDP ||
			binary.BigEndian.Uint16(b[6:])&ipv4Fragment != 0 || fold(sum(0, b[:header])) != 0xffff {
			return 0, notUDP
		}
		d.TTL, d.From, d.To = b[8], netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:]))
		return header, int(binary.BigEndian.Uint16(b[2:]))
	case len(b) >= ipv6HeaderLen && b[0]>>4 == 6 && b[6] == unix.IPPROTO_UDP:
		d.TTL, d.From, d.To = b[7], netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:]))
		return ipv6HeaderLen, ipv6HeaderLen + int(binary.BigEndian.Uint16(b[4:]))
	}
	return 0, notUDP
}

// udpChecksum returns the checksum of a UDP packet whose checksum field is 0. A result of 0
// is sent as 0xffff (RFC 768).
func udpChecksum(ip, udp []byte) uint16 {
	if c := ^fold(sum(pseudoSum(ip, len(udp)), udp)); c != 0 {
		return c
	}
	return 0xffff
}

// pseudoSum returns the sum over the pseudo header (RFC 768, RFC 8200 section 8.1).
func pseudoSum(ip []byte, length int) uint32 {
	addresses := ip[12:ipv4HeaderLen]
	if ip[0]>>4 == 6 {
		addresses = ip[8:ipv6HeaderLen]
	}
	return sum(unix.IPPROTO_UDP+uint32(length), addresses)
}

// sum adds up 16-bit words; an odd last byte is the upper half of a word (RFC 1071).
func sum(s uint32, b []byte) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		s += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	return s
}

func fold(s uint32) uint16 {
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}
