package model

import (
	"encoding/binary"

	"baton/impl/dataplane"
	"baton/impl/flow"
	"baton/impl/sctp"
)

// Types of chunks.
const (
	chunkData             = sctp.Data
	chunkInit             = sctp.Init
	chunkInitAck          = sctp.InitAck
	chunkAbort            = sctp.Abort
	chunkShutdown         = sctp.Shutdown
	chunkShutdownAck      = sctp.ShutdownAck
	chunkCookieEcho       = sctp.CookieEcho
	chunkCookieAck        = sctp.CookieAck
	chunkShutdownComplete = sctp.ShutdownComplete
	chunkIData            = sctp.IData
)

const (
	sctpLen     = sctp.HeaderLen
	chunkLen    = sctp.ChunkLen
	initLen     = sctp.InitLen
	sctpCRC     = sctp.ChecksumAt
	initQuoted  = 20             // bytes of an INIT in an ICMP error, up to the initiate tag that identifies it (RFC 9260 10)
	maxChunks   = 4              // chunks of a packet that are looked at
	reflectedAs = sctp.Reflected // the T bit
)

// role returns the flags of the TCP segment that has the role of a chunk. A SYN begins an
// association, a RST ends it.
func role(chunk byte) byte {
	switch chunk {
	case chunkInit:
		return syn
	case chunkInitAck:
		return syn | ack
	case chunkAbort, chunkShutdownComplete:
		return rst
	case chunkShutdown, chunkShutdownAck:
		return fin | ack
	}
	return ack
}

// parseSCTP parses the tags and the chunk that matters.
func (p *packet) parseSCTP(segment []byte) dataplane.Drop {
	if len(segment) < sctpLen+chunkLen || be16(segment[sctpLen+2:]) < chunkLen {
		return dataplane.DropMalformed
	}
	p.seq = binary.BigEndian.Uint32(segment[4:])
	first := segment[sctpLen:]
	p.readChunk(first)
	if p.flags&syn == 0 {
		p.readBundled(first)
		return noReason
	}
	if len(first) < initLen || be16(first[2:]) < initLen || p.chunk == chunkInit && p.seq != 0 {
		return dataplane.DropMalformed
	}
	p.ack = binary.BigEndian.Uint32(first[chunkLen:])
	return noReason
}

func (p *packet) readChunk(chunk []byte) {
	p.chunk, p.flags = chunk[0], role(chunk[0])
	p.reflected = p.flags == rst && chunk[1]&reflectedAs != 0
}

// readBundled looks for the chunk that matters after the first one. INIT and INIT ACK are never
// bundled; control chunks precede data, and COOKIE ECHO and COOKIE ACK come first (RFC 9260 6.10,
// 3.3.11, 3.3.12).
func (p *packet) readBundled(chunks []byte) {
	for range maxChunks - 1 {
		switch {
		case p.flags != ack:
			return
		case p.chunk == chunkData, p.chunk == chunkIData, p.chunk == chunkCookieEcho, p.chunk == chunkCookieAck:
			return
		}
		length := (be16(chunks[2:]) + 3) &^ 3
		if len(chunks) < length+chunkLen {
			return
		}
		chunks = chunks[length:]
		if be16(chunks[2:]) < chunkLen || role(chunks[0])&syn != 0 {
			return
		}
		p.readChunk(chunks)
	}
}

// translateSCTP writes the ports and updates the checksum incrementally, so that the receiver still
// detects a corrupt packet. A checksum of 0 stays: its sender left it to the device, or the two ends
// use none (RFC 9653).
func translateSCTP(segment []byte, to flow.Tuple) {
	check := segment[sctpCRC:sctpLen]
	written := binary.LittleEndian.Uint32(check)
	wrong := written ^ sctp.Checksum(segment)
	binary.BigEndian.PutUint16(segment, to.SrcPort)
	binary.BigEndian.PutUint16(segment[2:], to.DstPort)
	if written != 0 {
		binary.LittleEndian.PutUint32(check, wrong^sctp.Checksum(segment))
	}
}

// mayBeFragmented reports whether the first fragment of a datagram may be translated to a tuple. With
// other ports it may not: the CRC can only be updated once the length of the whole datagram is known.
func (p *packet) mayBeFragmented(to flow.Tuple) bool {
	return p.tuple.Proto != flow.SCTP || to.SrcPort == 0 || p.tuple.SrcPort == to.SrcPort && p.tuple.DstPort == to.DstPort
}

// transport returns the packet after its IP headers, without the padding of a short frame.
func (p *packet) transport() []byte { return p.frame[p.l4 : ethLen+p.ipLen()] }
