package model

import (
	"encoding/binary"
	"hash/crc32"

	"baton/impl/dataplane"
	"baton/impl/flow"
)

// Types of chunks (RFC 9260 3.2, RFC 8260 2.1).
const (
	chunkData             = 0
	chunkInit             = 1
	chunkInitAck          = 2
	chunkAbort            = 6
	chunkShutdown         = 7
	chunkShutdownAck      = 8
	chunkCookieEcho       = 10
	chunkCookieAck        = 11
	chunkShutdownComplete = 14
	chunkIData            = 64
)

const (
	sctpLen     = 12
	chunkLen    = 4
	initLen     = 20
	sctpCRC     = 8  // offset of the checksum
	initQuoted  = 20 // bytes of an INIT in an error: its receiver knows it by its initiate tag (RFC 9260 10)
	maxChunks   = 4  // chunks of a packet that are looked at
	reflectedAs = 1  // the T bit: the tag is that of the other direction (RFC 9260 8.5.1)
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

// readBundled looks for the chunk that matters behind the first one. INIT and INIT ACK are never
// bundled, control chunks come before data, and COOKIE ECHO and COOKIE ACK first (RFC 9260 6.10,
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

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// crcOf returns the checksum that an SCTP packet should have.
func crcOf(segment []byte) uint32 {
	c := crc32.Update(0, castagnoli, segment[:sctpCRC])
	c = crc32.Update(c, castagnoli, make([]byte, 4))
	return crc32.Update(c, castagnoli, segment[sctpLen:])
}

// translateSCTP writes the ports. A wrong checksum differs from the right one as much as before, so
// that the receiver still detects a corrupt packet. A checksum of 0 stays: its sender left it to the
// device, or the two ends use none (RFC 9653).
func translateSCTP(segment []byte, to flow.Tuple) {
	check := segment[sctpCRC:sctpLen]
	written := binary.LittleEndian.Uint32(check)
	wrong := written ^ crcOf(segment)
	binary.BigEndian.PutUint16(segment, to.SrcPort)
	binary.BigEndian.PutUint16(segment[2:], to.DstPort)
	if written != 0 {
		binary.LittleEndian.PutUint32(check, wrong^crcOf(segment))
	}
}

// mayBeFragmented reports whether a packet that leaves with the tuple to may be the first fragment of
// several. A CRC cannot be changed for other ports before the length of the whole is known.
func (p *packet) mayBeFragmented(to flow.Tuple) bool {
	return p.tuple.Proto != flow.SCTP || to.SrcPort == 0 || p.tuple.SrcPort == to.SrcPort && p.tuple.DstPort == to.DstPort
}

// transport returns the packet behind its IP headers, without the padding of a short frame.
func (p *packet) transport() []byte { return p.frame[p.l4 : ethLen+p.ipLen()] }
