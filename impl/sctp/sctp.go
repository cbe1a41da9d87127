// Package sctp has the formats of SCTP (RFC 9260) that the dataplane's model, the simulator's hosts, the
// generators of traffic, the capture and the health checks share. It has no associations.
package sctp

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// Types of chunks (RFC 9260 3.2, RFC 8260 2.1).
const (
	Data             = 0
	Init             = 1
	InitAck          = 2
	Sack             = 3
	Abort            = 6
	Shutdown         = 7
	ShutdownAck      = 8
	Error            = 9
	CookieEcho       = 10
	CookieAck        = 11
	ShutdownComplete = 14
	IData            = 64
)

var names = map[uint8]string{
	Data: "DATA", Init: "INIT", InitAck: "INIT ACK", Sack: "SACK", Abort: "ABORT", Shutdown: "SHUTDOWN", ShutdownAck: "SHUTDOWN ACK", Error: "ERROR",
	CookieEcho: "COOKIE ECHO", CookieAck: "COOKIE ACK", ShutdownComplete: "SHUTDOWN COMPLETE", IData: "I-DATA",
}

// Name returns the name of a type of chunk.
func Name(chunk uint8) string {
	if name, known := names[chunk]; known {
		return name
	}
	return fmt.Sprintf("chunk %d", chunk)
}

// Lengths and offsets.
const (
	HeaderLen  = 12
	ChunkLen   = 4 // header of a chunk
	InitLen    = 20
	ChecksumAt = 8
)

// Reflected is the T bit of ABORT and SHUTDOWN COMPLETE: the tag is that of the other direction
// (RFC 9260 8.5.1).
const Reflected = 1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Checksum returns the CRC32c that a packet should have. The packet is written little-endian.
func Checksum(packet []byte) uint32 {
	c := crc32.Update(0, castagnoli, packet[:ChecksumAt])
	c = crc32.Update(c, castagnoli, make([]byte, 4))
	return crc32.Update(c, castagnoli, packet[HeaderLen:])
}

// Sound reports whether a packet has a header and the right checksum.
func Sound(packet []byte) bool {
	return len(packet) >= HeaderLen && binary.LittleEndian.Uint32(packet[ChecksumAt:]) == Checksum(packet)
}

// Sum writes the checksum of a packet.
func Sum(packet []byte) { binary.LittleEndian.PutUint32(packet[ChecksumAt:], Checksum(packet)) }

// Packet is a packet with one chunk, or the first chunk of one.
type Packet struct {
	SrcPort, DstPort uint16
	Tag              uint32
	Chunk, Flags     uint8
	Value            []byte // of the chunk
}

// Marshal returns the packet's bytes.
func (p Packet) Marshal() []byte {
	be := binary.BigEndian
	b := make([]byte, 0, HeaderLen+ChunkLen+len(p.Value)+3)
	b = be.AppendUint16(b, p.SrcPort)
	b = be.AppendUint16(b, p.DstPort)
	b = be.AppendUint32(b, p.Tag)
	b = append(b, 0, 0, 0, 0, p.Chunk, p.Flags)
	b = be.AppendUint16(b, uint16(ChunkLen+len(p.Value)))
	b = append(b, p.Value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	Sum(b)
	return b
}

// Parse returns the header and the first chunk of a packet, which may be cut short behind the header of
// the chunk. It does not look at the checksum.
func Parse(packet []byte) (p Packet, ok bool) {
	if len(packet) < HeaderLen+ChunkLen {
		return p, false
	}
	be, chunk := binary.BigEndian, packet[HeaderLen:]
	length := int(be.Uint16(chunk[2:]))
	if length < ChunkLen {
		return p, false
	}
	return Packet{
		SrcPort: be.Uint16(packet), DstPort: be.Uint16(packet[2:]), Tag: be.Uint32(packet[4:]),
		Chunk: chunk[0], Flags: chunk[1], Value: chunk[ChunkLen:min(length, len(chunk))],
	}, true
}

// InitiateTag returns the tag that an INIT or INIT ACK asks for, 0 if it has none.
func (p Packet) InitiateTag() uint32 {
	if p.Chunk != Init && p.Chunk != InitAck || len(p.Value) < InitLen-ChunkLen {
		return 0
	}
	return binary.BigEndian.Uint32(p.Value)
}

// Refuse returns the answer to a packet that belongs to no association, or to an INIT for which nobody
// listens (RFC 9260 8.4, 5.1). Some packets get none.
func Refuse(p Packet) (answer Packet, ok bool) {
	answer = Packet{SrcPort: p.DstPort, DstPort: p.SrcPort, Tag: p.Tag, Chunk: Abort, Flags: Reflected}
	switch p.Chunk {
	case Abort, ShutdownComplete, CookieAck, CookieEcho, Error:
		return answer, false
	case Init:
		answer.Tag, answer.Flags = p.InitiateTag(), 0
		return answer, answer.Tag != 0
	case ShutdownAck:
		answer.Chunk = ShutdownComplete
	}
	return answer, true
}
