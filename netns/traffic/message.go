package traffic

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"baton/impl/clock"
	"baton/impl/trace"
)

// A request is a fixed-length block that the backend does not interpret; an answer is the
// request as received, then the backend's name and a checksum over both. Because of the
// fixed length, bytes that are shifted or belong to another flow still come back, and the
// client detects them.
//
//	request  0 magic | 4 flow | 8 run | 16 seq | 24 intended | 32 filler | 60 CRC-32C of 0..59
//	answer   0 request | 64 backend name, zero padded | 92 CRC-32C of 0..91
const (
	requestLen = 64
	nameLen    = 28
	answerLen  = requestLen + nameLen + crc32.Size

	magic = "BTN1"
	// lastMagic marks a request after whose answer the backend closes.
	lastMagic = "BTNL"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// stamp identifies one message: its run, its flow, its sequence number in the flow, and its
// intended send time.
type stamp struct {
	run      uint64
	flow     uint32
	seq      uint64
	intended clock.Instant
	last     bool // the backend closes after the answer
}

// putRequest encodes s into b[:requestLen].
func putRequest(b []byte, s stamp) {
	be := binary.BigEndian
	copy(b, magic)
	if s.last {
		copy(b, lastMagic)
	}
	be.PutUint32(b[4:], s.flow)
	be.PutUint64(b[8:], s.run)
	be.PutUint64(b[16:], s.seq)
	be.PutUint64(b[24:], uint64(s.intended))
	for i := 32; i < 60; i++ {
		b[i] = byte(s.seq) + byte(i)
	}
	be.PutUint32(b[60:], crc32.Checksum(b[:60], castagnoli))
}

// putAnswer completes b[:answerLen], whose first requestLen bytes are the request as received.
func putAnswer(b []byte, backend string) {
	n := copy(b[requestLen:requestLen+nameLen], backend)
	clear(b[requestLen+n : requestLen+nameLen])
	binary.BigEndian.PutUint32(b[requestLen+nameLen:], crc32.Checksum(b[:requestLen+nameLen], castagnoli))
}

// Errors of an answer.
var (
	errAnswerChecksum  = errors.New("checksum of the answer is wrong")
	errRequestChecksum = errors.New("checksum of the echoed request is wrong")
	errMagic           = errors.New("echo is not a message of this generator")
	errForeign         = errors.New(trace.EchoForeign)
	errMixed           = errors.New(trace.EchoMixed)
)

// parseAnswer decodes b and verifies both checksums. The name aliases b.
func parseAnswer(b []byte) (s stamp, backend []byte, err error) {
	if len(b) != answerLen {
		return s, nil, fmt.Errorf("answer has %d bytes, want %d", len(b), answerLen)
	}
	be := binary.BigEndian
	if be.Uint32(b[requestLen+nameLen:]) != crc32.Checksum(b[:requestLen+nameLen], castagnoli) {
		return s, nil, errAnswerChecksum
	}
	if be.Uint32(b[60:]) != crc32.Checksum(b[:60], castagnoli) {
		return s, nil, errRequestChecksum
	}
	if string(b[:4]) != magic && string(b[:4]) != lastMagic {
		return s, nil, errMagic
	}
	s = stamp{
		last:     string(b[:4]) == lastMagic,
		run:      be.Uint64(b[8:]),
		flow:     be.Uint32(b[4:]),
		seq:      be.Uint64(b[16:]),
		intended: clock.Instant(be.Uint64(b[24:])),
	}
	return s, bytes.TrimRight(b[requestLen:requestLen+nameLen], "\x00"), nil
}

// checkAnswer is parseAnswer plus a check that the request had this run and flow.
func checkAnswer(b []byte, run uint64, flow uint32) (stamp, []byte, error) {
	s, backend, err := parseAnswer(b)
	if err == nil && (s.run != run || s.flow != flow) {
		err = fmt.Errorf("%w: flow %d of run %x", errForeign, s.flow, s.run)
	}
	return s, backend, err
}

// flowIn returns the flow that an encoded request names.
func flowIn(b []byte) uint32 { return binary.BigEndian.Uint32(b[4:]) }

// blame turns the error of a foreign echo into errMixed if the latest message of the flow own
// contained the other flow's number. Then this generator mixed up its flows, not the network.
func blame(err error, got stamp, own, sent uint32) error {
	if errors.Is(err, errForeign) && sent != own && got.flow == sent {
		return fmt.Errorf("%w: flow %d of run %x", errMixed, got.flow, got.run)
	}
	return err
}
