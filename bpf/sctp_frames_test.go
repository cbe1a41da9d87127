package bpf

import (
	"encoding/binary"
	"hash/crc32"
	"net"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"pgregory.net/rapid"

	"baton/impl/flow"
)

// Types of chunks (RFC 9260 3.2).
const (
	chunkData             = 0
	chunkInit             = 1
	chunkInitAck          = 2
	chunkSack             = 3
	chunkHeartbeat        = 4
	chunkAbort            = 6
	chunkShutdown         = 7
	chunkShutdownAck      = 8
	chunkError            = 9
	chunkCookieEcho       = 10
	chunkCookieAck        = 11
	chunkShutdownComplete = 14
	chunkIData            = 64
)

// reflected is the T bit of a chunk.
const reflected = 1

// The verification tags in the packets of each side, and those of a restarted association on the same
// tuple.
const (
	clientTag, backendTag   = 0xc11e0001, 0xbac00001
	clientTag2, backendTag2 = 0xc11e0002, 0xbac00002
)

// chunk builds a chunk with its padding.
func chunk(kind, flags byte, body string) string {
	c := []byte{kind, flags, 0, 0}
	binary.BigEndian.PutUint16(c[2:], uint16(4+len(body)))
	return string(c) + body + "\x00\x00\x00"[:-len(body)&3]
}

// initChunk builds an INIT or INIT ACK with an initiate tag.
func initChunk(kind byte, tag uint32) string {
	body := binary.BigEndian.AppendUint32(nil, tag)
	return chunk(kind, 0, string(append(body, 0, 1, 0, 0, 0, 10, 0, 10, 0, 0, 0, 1)))
}

// sctpFrame builds an SCTP packet of some chunks.
func sctpFrame(mac net.HardwareAddr, t flow.Tuple, tag uint32, chunks ...string) []byte {
	eth, ip := headers(mac, t.Src, t.Dst, layers.IPProtocolSCTP)
	segment := binary.BigEndian.AppendUint16(nil, t.SrcPort)
	segment = binary.BigEndian.AppendUint16(segment, t.DstPort)
	segment = binary.BigEndian.AppendUint32(segment, tag)
	segment = append(segment, 0, 0, 0, 0)
	for _, c := range chunks {
		segment = append(segment, c...)
	}
	binary.LittleEndian.PutUint32(segment[8:], crc32c(segment))
	return serialize(eth, ip, gopacket.Payload(segment))
}

// crc32c computes the checksum of an SCTP packet (RFC 9260 appendix A).
func crc32c(segment []byte) uint32 {
	whole := append([]byte(nil), segment...)
	copy(whole[8:12], make([]byte, 4))
	return crc32.Checksum(whole, crc32.MakeTable(crc32.Castagnoli))
}

// tagOf returns the tag in the packets of a tuple.
func tagOf(t flow.Tuple) uint32 {
	if t.Dst == address(vipAddr) || t.Dst == address(unknownVIP) {
		return backendTag
	}
	return clientTag
}

// withRole builds an SCTP packet with the role of a TCP segment, and the tag that its sender would use.
func withRole(mac net.HardwareAddr, t flow.Tuple, flags int, data string) []byte {
	tag := tagOf(t)
	switch {
	case flags&rst != 0:
		return sctpFrame(mac, t, tag, chunk(chunkAbort, 0, ""), data)
	case flags&(syn|ack) == syn:
		return sctpFrame(mac, t, 0, initChunk(chunkInit, clientTag), data)
	case flags&syn != 0:
		return sctpFrame(mac, t, tag, initChunk(chunkInitAck, backendTag), data)
	case flags&fin != 0:
		return sctpFrame(mac, t, tag, chunk(chunkShutdown, 0, "\x00\x00\x00\x01"), data)
	}
	return sctpFrame(mac, t, tag, chunk(chunkData, 3, data))
}

// associate sends packets of an association: its handshake (also one-sided or in the wrong order), a restart
// on the same tuple, and its end.
func (p *pair) associate(t *rapid.T) {
	o := originals.Draw(t, "original")
	o.Proto = flow.SCTP
	if e, ok := p.entry(t); ok && e.Original.Proto == flow.SCTP && rapid.Bool().Draw(t, "of a flow") {
		o = e.Original
	}
	if rapid.IntRange(0, 2).Draw(t, "direct") == 0 {
		o.Dst, o.DstPort = address(vipAddr), rapid.SampledFrom([]uint16{directPort, directPort, tunnelMaglev}).Draw(t, "direct port")
	}
	client, backend := uint32(clientTag), uint32(backendTag)
	if rapid.IntRange(0, 3).Draw(t, "anew") == 0 {
		client, backend = clientTag2, backendTag2
	}
	handshake := []func(){
		func() { p.send("client0", sctpFrame(clientMAC, o, 0, initChunk(chunkInit, client))) },
		func() { p.answer(o, client, initChunk(chunkInitAck, backend)) },
		func() { p.send("client0", sctpFrame(clientMAC, o, backend, chunk(chunkCookieEcho, 0, "cookie"))) },
		func() { p.answer(o, client, chunk(chunkCookieAck, 0, "")) },
	}
	for _, step := range handshake {
		if rapid.IntRange(0, 7).Draw(t, "lost") > 0 {
			step()
		}
	}
	for range rapid.IntRange(0, 4).Draw(t, "more") {
		p.chunks(t, o)
	}
	switch rapid.IntRange(0, 3).Draw(t, "end") {
	case 0:
		p.send("client0", sctpFrame(clientMAC, o, backend, chunk(chunkAbort, 0, "")))
	case 1:
		p.answer(o, client, chunk(chunkAbort, 0, ""))
	}
}

// answer sends a packet of the backend, if there is an entry.
func (p *pair) answer(o flow.Tuple, tag uint32, chunks ...string) {
	if e, ok, _ := p.model.Lookup(o); ok {
		p.send("backend0", sctpFrame(backendMAC, e.Reply, tag, chunks...))
	}
}

// chunks sends a packet of any chunks with any tag, from either side.
func (p *pair) chunks(t *rapid.T, o flow.Tuple) {
	kinds := rapid.SampledFrom([]byte{chunkData, chunkInit, chunkInitAck, chunkSack, chunkSack, chunkHeartbeat, chunkAbort, chunkAbort, chunkShutdown, chunkShutdown,
		chunkShutdownAck, chunkShutdownAck, chunkError, chunkCookieEcho, chunkCookieAck, chunkShutdownComplete, chunkIData, 192})
	var chunks []string
	for range rapid.IntRange(1, 6).Draw(t, "chunks") {
		kind, flags := kinds.Draw(t, "kind"), rapid.SampledFrom([]byte{0, 0, reflected, 0xff}).Draw(t, "chunk flags")
		c := chunk(kind, flags, string(rapid.SliceOfN(rapid.Byte(), 0, 6).Draw(t, "body")))
		if kind == chunkInit || kind == chunkInitAck {
			c = initChunk(kind, rapid.SampledFrom([]uint32{clientTag, backendTag, backendTag2, 0}).Draw(t, "initiate tag"))
		}
		if rapid.IntRange(0, 15).Draw(t, "other length") == 0 {
			b := []byte(c)
			binary.BigEndian.PutUint16(b[2:], rapid.Uint16Range(0, 40).Draw(t, "length"))
			c = string(b)
		}
		chunks = append(chunks, c)
	}
	tag := rapid.SampledFrom([]uint32{clientTag, backendTag, clientTag, backendTag, clientTag2, backendTag2, 0, 0xbad}).Draw(t, "tag")
	if rapid.Bool().Draw(t, "of the backend") {
		p.answer(o, tag, chunks...)
		return
	}
	p.send("client0", damage(t, sctpFrame(clientMAC, o, tag, chunks...)))
}
