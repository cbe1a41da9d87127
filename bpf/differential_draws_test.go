package bpf

import (
	"encoding/binary"
	"net"
	"slices"

	"pgregory.net/rapid"

	"baton/impl/flow"
)

// originals draws an original tuple from a small set.
var originals = rapid.Custom(func(t *rapid.T) flow.Tuple {
	dst := rapid.SampledFrom([]string{vipAddr, vipAddr, vipAddr, vipAddr, unknownVIP, snatAddr, "198.18.0.1"}).Draw(t, "dst")
	return tuple(
		rapid.SampledFrom([]flow.Proto{flow.TCP, flow.TCP, flow.TCP, flow.TCP, flow.UDP, flow.UDP, flow.SCTP}).Draw(t, "proto"), // see associate
		rapid.SampledFrom([]string{clientAddr, otherClient}).Draw(t, "client"),
		rapid.SampledFrom([]uint16{40000, 40001, 40002, 40000, 40001, 40002, 0}).Draw(t, "sport"), dst,
		rapid.SampledFrom([]uint16{fullnatPort, dnatPort, maglevPort, affinePort, leastPort, poolPort, limitPort, limitPort, challengePort, challengePort, directPort, directPort, directMaglev, tunnelPort, tunnelPort, tunnelMaglev, resumedPort, emptyPort, unknownPort}).Draw(t, "dport"))
})

// replyTuples draws a packet of a backend, whether or not a flow expects it.
var replyTuples = rapid.Custom(func(t *rapid.T) flow.Tuple {
	r := tuple(
		rapid.SampledFrom([]flow.Proto{flow.TCP, flow.TCP, flow.UDP, flow.UDP, flow.SCTP}).Draw(t, "proto"),
		rapid.SampledFrom([]string{backendAddr, secondBackend}).Draw(t, "backend"),
		rapid.Uint16Range(8079, 8085).Draw(t, "sport"),
		rapid.SampledFrom([]string{snatAddr, poolAddr, clientAddr, otherClient, vipAddr, "198.18.1.1"}).Draw(t, "dst"),
		rapid.Uint16Range(40000, 40002).Draw(t, "dport"))
	if r.Dst == address(snatAddr) || r.Dst == address(poolAddr) {
		r.DstPort = rapid.Uint16Range(19999, 20008).Draw(t, "snat port")
	}
	if r.Dst == address(vipAddr) && rapid.Bool().Draw(t, "as client") {
		r.SrcPort = rapid.Uint16Range(40000, 40002).Draw(t, "sport")
		r.DstPort = rapid.SampledFrom([]uint16{fullnatPort, fullnatPort, poolPort, limitPort, challengePort, resumedPort, emptyPort, dnatPort, tunnelPort}).Draw(t, "dport")
	}
	return r
})

var tcpFlags = rapid.SampledFrom([]int{syn, syn, syn | ack, ack, ack | psh, fin | ack, fin | ack, rst, rst | ack, syn | fin, syn | rst, 0})

// numbered gives a segment the sequence numbers that its sender would use, or others.
func (p *pair) numbered(t *rapid.T, link string, frame []byte) []byte {
	at := partsOf(frame)
	if at.proto != byte(flow.TCP) {
		return frame
	}
	switch rapid.IntRange(0, 15).Draw(t, "numbers") {
	case 0:
		return withNumbers(frame, rapid.Uint32().Draw(t, "seq"), rapid.Uint32().Draw(t, "ack"))
	case 1:
		frame = p.talk.number(t, p.model, link, frame)
		seq, acked := binary.BigEndian.Uint32(frame[at.l4+4:]), binary.BigEndian.Uint32(frame[at.l4+8:])
		near := rapid.Uint32Range(0, 64)
		return withNumbers(frame, seq-32+near.Draw(t, "seq"), acked-32+near.Draw(t, "ack"))
	}
	return p.talk.number(t, p.model, link, frame)
}

// damage occasionally changes a byte, the IP header, or the length of a frame.
func damage(t *rapid.T, frame []byte) []byte {
	switch rapid.IntRange(0, 9).Draw(t, "damage") {
	case 0:
		at := rapid.IntRange(14, len(frame)-1).Draw(t, "at")
		to := rapid.Byte().Draw(t, "to")
		return edited(frame, func(f []byte) []byte { f[at] = to; return f })
	case 1:
		// Shorter frames than an IP header are refused by BPF_PROG_RUN itself.
		return slices.Clone(frame[:rapid.IntRange(min(partsOf(frame).l4, 54), len(frame)).Draw(t, "length")])
	case 2:
		at := rapid.IntRange(0, 11).Draw(t, "at")
		return withIP(frame, at, rapid.Byte().Draw(t, "to"))
	case 3:
		at := rapid.IntRange(0, 5).Draw(t, "at")
		return edited(frame, func(f []byte) []byte { f[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit"); return f })
	}
	return frame
}

// summed gives a frame another payload and so another checksum. A datagram occasionally
// has none (RFC 768), which must stay so.
func summed(t *rapid.T, to net.HardwareAddr, o flow.Tuple, flags int) []byte {
	frame := marked(t, frameTo(to, o, flags, payload+string(rapid.SliceOfN(rapid.Byte(), 0, 3).Draw(t, "more"))))
	if rapid.IntRange(0, 9).Draw(t, "partial") == 0 {
		return partial(frame)
	}
	if o.Proto == flow.UDP && rapid.IntRange(0, 3).Draw(t, "checksum") == 0 {
		l4 := partsOf(frame).l4
		frame[l4+6], frame[l4+7] = 0, 0
	}
	return frame
}

// partial gives a segment the checksum that its kernel leaves to the device: the sum of the
// pseudo-header, or 0 in SCTP.
func partial(frame []byte) []byte {
	at := partsOf(frame)
	if at.proto == byte(flow.SCTP) {
		clear(frame[at.l4+8 : at.l4+12])
		return frame
	}
	field := at.l4 + 16
	if at.proto == byte(flow.UDP) {
		field = at.l4 + 6
	}
	binary.BigEndian.PutUint16(frame[field:], sum(pseudoOf(frame, at.proto, len(frame)-at.l4)))
	return frame
}
