package netns

import (
	"encoding/binary"

	"baton/impl/flow"
	"baton/scenarios/lab"
)

// etherTypes of the families.
var etherTypes = [lab.Families]uint16{lab.IPv4: etherIPv4, lab.IPv6: etherIPv6}

// ipHeader is the header of a packet of a family, without options or extension headers.
func ipHeader(f lab.Family, source, target flow.Addr, protocol, hops uint8, payload int) []byte {
	if f == lab.IPv6 {
		ip := make([]byte, ip6End-ethLen)
		ip[0], ip[6], ip[7] = 0x60, protocol, hops
		binary.BigEndian.PutUint16(ip[4:], uint16(payload))
		copy(ip[8:], source[:])
		copy(ip[24:], target[:])
		return ip
	}
	ip := make([]byte, ipEnd-ethLen)
	ip[0], ip[8], ip[9] = ipv4NoOpts, hops, protocol
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)+payload))
	copy(ip[12:], source.Bytes())
	copy(ip[16:], target.Bytes())
	binary.BigEndian.PutUint16(ip[10:], checksum(ip))
	return ip
}

// transportChecksum covers a payload and its pseudo header, of either family (RFC 9293 3.1,
// RFC 8200 8.1). The field for it in the payload is 0.
func transportChecksum(source, target flow.Addr, protocol uint8, payload []byte) uint16 {
	pseudo := append(append([]byte(nil), source.Bytes()...), target.Bytes()...)
	pseudo = binary.BigEndian.AppendUint32(pseudo, uint32(len(payload)))
	pseudo = binary.BigEndian.AppendUint32(pseudo, uint32(protocol))
	return checksum(append(pseudo, payload...))
}

// checksum is the Internet checksum (RFC 1071).
func checksum(b []byte) uint16 {
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
