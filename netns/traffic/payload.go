package traffic

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// A transfer begins with a request block and ends with the backend's report of what it
// sent or received. The bytes in between are computed from the transfer's identity, so
// both ends know every expected byte.
//
//	asked   0 magic | 4 flow | 8 run | 16 seq | 24 size | 32 up | 33 zero | 60 CRC-32C of 0..59
//	report  0 magic | 4 flow | 8 run | 16 seq | 24 bytes | 32 their CRC-32C | 36 backend name | 64 CRC-32C of 0..63
const (
	askMagic    = "BTNB"
	reportMagic = "BTNR"
	reportLen   = 36 + nameLen + crc32.Size
)

// transferID identifies a transfer of a run.
type transferID struct {
	run  uint64
	flow uint32
	seq  uint64
}

// ask is the request of a transfer.
type ask struct {
	transferID
	size uint64
	up   bool // from the client to the backend
}

func (a ask) put(b []byte) {
	be := binary.BigEndian
	clear(b[:requestLen])
	copy(b, askMagic)
	a.transferID.put(b)
	be.PutUint64(b[24:], a.size)
	if a.up {
		b[32] = 1
	}
	be.PutUint32(b[60:], crc32.Checksum(b[:60], castagnoli))
}

func (t transferID) put(b []byte) {
	binary.BigEndian.PutUint32(b[4:], t.flow)
	binary.BigEndian.PutUint64(b[8:], t.run)
	binary.BigEndian.PutUint64(b[16:], t.seq)
}

func parseTransferID(b []byte) transferID {
	be := binary.BigEndian
	return transferID{flow: be.Uint32(b[4:]), run: be.Uint64(b[8:]), seq: be.Uint64(b[16:])}
}

// parseAsk decodes b[:requestLen]; false if it does not request a transfer.
func parseAsk(b []byte) (ask, bool) {
	be := binary.BigEndian
	if string(b[:4]) != askMagic || be.Uint32(b[60:]) != crc32.Checksum(b[:60], castagnoli) {
		return ask{}, false
	}
	return ask{transferID: parseTransferID(b), size: be.Uint64(b[24:]), up: b[32] == 1}, true
}

// payload tracks what one end has sent or received of a transfer.
type payload struct {
	transferID
	count uint64
	sum   uint32
}

// next writes the next bytes of the transfer.
func (p *payload) next(b []byte) {
	p.fill(b)
	p.note(b)
}

// take reports whether the bytes are the next ones of the transfer.
func (p *payload) take(b []byte) bool {
	due := make([]byte, len(b))
	p.fill(due)
	p.note(b)
	return bytes.Equal(b, due)
}

func (p *payload) note(b []byte) {
	p.count += uint64(len(b))
	p.sum = crc32.Update(p.sum, castagnoli, b)
}

// fill writes the bytes from offset count on. Each word of eight bytes is computed from its offset.
func (p *payload) fill(b []byte) {
	var word [8]byte
	for i := 0; i < len(b); {
		at := p.count + uint64(i)
		binary.BigEndian.PutUint64(word[:], scatter(p.run^uint64(p.flow)<<32^p.seq<<16+at/8))
		i += copy(b[i:], word[at%8:])
	}
}

// scatter is the finalizer of splitmix64.
func scatter(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (p *payload) putReport(b []byte, backend string) {
	be := binary.BigEndian
	clear(b[:reportLen])
	copy(b, reportMagic)
	p.transferID.put(b)
	be.PutUint64(b[24:], p.count)
	be.PutUint32(b[32:], p.sum)
	copy(b[36:36+nameLen], backend)
	be.PutUint32(b[reportLen-crc32.Size:], crc32.Checksum(b[:reportLen-crc32.Size], castagnoli))
}

// checkReport compares the backend's report with this end's count and checksum.
func (p *payload) checkReport(b []byte) error {
	be := binary.BigEndian
	switch {
	case be.Uint32(b[reportLen-crc32.Size:]) != crc32.Checksum(b[:reportLen-crc32.Size], castagnoli):
		return fmt.Errorf("checksum of the report is wrong")
	case string(b[:4]) != reportMagic, parseTransferID(b) != p.transferID:
		return fmt.Errorf("report belongs to another transfer")
	case be.Uint64(b[24:]) != p.count:
		return fmt.Errorf("the backend has %d bytes, the client %d", be.Uint64(b[24:]), p.count)
	case be.Uint32(b[32:]) != p.sum:
		return fmt.Errorf("the %d bytes have another checksum at the backend", p.count)
	}
	return nil
}
