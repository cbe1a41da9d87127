package bpf

import (
	"encoding/binary"

	"baton/impl/flow"
)

// completeChecksum completes the TCP or UDP checksum of a packet whose sender left it to
// hardware. Such a checksum is the sum of the pseudo header alone. Any other checksum stays
// unchanged, so that the receiver still detects a corrupt packet.
func completeChecksum(packet []byte) {
	proto, pseudo, l4 := transport(packet)
	var check []byte
	switch {
	case proto == flow.TCP && len(l4) >= 20:
		check = l4[16:18]
	case proto == flow.UDP && len(l4) >= 8:
		check = l4[6:8]
	default:
		return
	}
	if onesSum(pseudo, l4) == 0xffff || onesSum(pseudo, nil) != binary.BigEndian.Uint16(check) {
		return
	}
	clear(check)
	complete := ^onesSum(pseudo, l4)
	if complete == 0 { // in UDP, 0 means no checksum
		complete = 0xffff
	}
	binary.BigEndian.PutUint16(check, complete)
}

// withoutPadding removes the padding of a short frame.
func withoutPadding(packet []byte) []byte {
	switch {
	case len(packet) >= 20 && packet[0]>>4 == 4:
		return packet[:min(len(packet), int(binary.BigEndian.Uint16(packet[2:])))]
	case len(packet) >= 40 && packet[0]>>4 == 6:
		return packet[:min(len(packet), 40+int(binary.BigEndian.Uint16(packet[4:])))]
	}
	return packet
}

// transport returns the protocol of a packet, the sum of its pseudo header, and the bytes after
// the IP header without padding. A fragment has no checksum of its own, so its protocol is 0.
func transport(packet []byte) (proto flow.Proto, pseudo uint32, l4 []byte) {
	var addrs []byte
	switch {
	case len(packet) >= 20 && packet[0]>>4 == 4:
		start, end := int(packet[0]&15)*4, int(binary.BigEndian.Uint16(packet[2:]))
		if binary.BigEndian.Uint16(packet[6:])&0x3fff != 0 || start < 20 || start > end || end > len(packet) {
			return 0, 0, nil
		}
		proto, addrs, l4 = flow.Proto(packet[9]), packet[12:20], packet[start:end]
	case len(packet) >= 40 && packet[0]>>4 == 6:
		end := 40 + int(binary.BigEndian.Uint16(packet[4:]))
		if end > len(packet) {
			return 0, 0, nil
		}
		proto, addrs, l4 = flow.Proto(packet[6]), packet[8:40], packet[40:end]
	default:
		return 0, 0, nil
	}
	return proto, uint32(onesSum(0, addrs)) + uint32(proto) + uint32(len(l4)), l4
}

// onesSum adds the 16-bit words of bytes to a sum, in ones' complement (RFC 1071).
func onesSum(from uint32, bytes []byte) uint16 {
	total := uint64(from)
	for len(bytes) > 1 {
		total += uint64(binary.BigEndian.Uint16(bytes))
		bytes = bytes[2:]
	}
	if len(bytes) == 1 {
		total += uint64(bytes[0]) << 8
	}
	for total > 0xffff {
		total = total>>16 + total&0xffff
	}
	return uint16(total)
}
