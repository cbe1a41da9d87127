package sctp

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"
)

func initiate(chunk uint8, tag uint32) Packet {
	return Packet{SrcPort: 40000, DstPort: 5000, Chunk: chunk, Value: append(binary.BigEndian.AppendUint32(nil, tag), make([]byte, 12)...)}
}

// The checksum is CRC32c over the packet with its own field 0 (RFC 9260 6.8).
func TestAPacketIsReadAsItWasWritten(t *testing.T) {
	for _, want := range []Packet{
		{SrcPort: 1, DstPort: 65535, Tag: 0xdeadbeef, Chunk: Abort, Flags: Reflected},
		{SrcPort: 5000, DstPort: 40000, Tag: 7, Chunk: Data, Flags: 3, Value: []byte("seventeen bytes !")},
		initiate(Init, 99),
	} {
		b := want.Marshal()
		got, ok := Parse(b)
		if !ok || got.SrcPort != want.SrcPort || got.DstPort != want.DstPort || got.Tag != want.Tag || got.Chunk != want.Chunk || got.Flags != want.Flags ||
			!bytes.Equal(got.Value, want.Value) {
			t.Errorf("%+v reads as %+v, %v", want, got, ok)
		}
		zeroed := bytes.Clone(b)
		copy(zeroed[8:12], make([]byte, 4))
		if sum := crc32.Checksum(zeroed, crc32.MakeTable(crc32.Castagnoli)); len(b)%4 != 0 || !Sound(b) || binary.LittleEndian.Uint32(b[8:]) != sum {
			t.Errorf("%x: checksum %#x", b, sum)
		}
		b[len(b)-1] ^= 1
		if Sound(b) {
			t.Errorf("a corrupt packet is sound: %x", b)
		}
	}
	for _, short := range [][]byte{nil, make([]byte, 15), make([]byte, 16)} {
		if p, ok := Parse(short); ok {
			t.Errorf("%x reads as %+v", short, p)
		}
	}
}

func TestRefusal(t *testing.T) {
	for _, c := range []struct {
		name string
		of   Packet
		want Packet
		none bool
	}{
		{"INIT", initiate(Init, 99), Packet{Tag: 99, Chunk: Abort}, false},
		{"INIT without a tag", initiate(Init, 0), Packet{}, true},
		{"DATA", Packet{Tag: 5, Chunk: Data}, Packet{Tag: 5, Chunk: Abort, Flags: Reflected}, false},
		{"INIT ACK", initiate(InitAck, 3), Packet{Chunk: Abort, Flags: Reflected}, false},
		{"SHUTDOWN", Packet{Tag: 5, Chunk: Shutdown}, Packet{Tag: 5, Chunk: Abort, Flags: Reflected}, false},
		{"SHUTDOWN ACK", Packet{Tag: 5, Chunk: ShutdownAck}, Packet{Tag: 5, Chunk: ShutdownComplete, Flags: Reflected}, false},
		{"ABORT", Packet{Tag: 5, Chunk: Abort}, Packet{}, true},
		{"SHUTDOWN COMPLETE", Packet{Tag: 5, Chunk: ShutdownComplete}, Packet{}, true},
		{"COOKIE ACK", Packet{Tag: 5, Chunk: CookieAck}, Packet{}, true},
		{"COOKIE ECHO of another host", Packet{Tag: 5, Chunk: CookieEcho}, Packet{}, true},
	} {
		c.of.SrcPort, c.of.DstPort = 40000, 5000
		got, ok := Refuse(c.of)
		if c.none {
			if ok {
				t.Errorf("%s is answered by %+v", c.name, got)
			}
			continue
		}
		if !ok || got.SrcPort != 5000 || got.DstPort != 40000 || got.Tag != c.want.Tag || got.Chunk != c.want.Chunk || got.Flags != c.want.Flags {
			t.Errorf("%s is answered by %+v, %v; want %+v", c.name, got, ok, c.want)
		}
	}
}
