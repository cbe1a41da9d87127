package transport

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// headerLen is the length of a frame's header: the payload's length, big-endian.
const headerLen = 4

// farewellBit in a header marks the last frame of a stream, whose payload is the reason in
// UTF-8. A version that does not know it sees an excessive length and closes the stream,
// which is correct.
const farewellBit = 1 << 31

// maxFarewell is the maximum length of a reason in bytes.
const maxFarewell = 512

// appendHeader appends the header of a frame with a payload of n bytes.
func appendHeader(b []byte, n int) []byte { return binary.BigEndian.AppendUint32(b, uint32(n)) }

// appendFarewell appends the last frame of a stream, with its reason.
func appendFarewell(b []byte, why string) []byte {
	if len(why) > maxFarewell {
		why = why[:maxFarewell]
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(why))|farewellBit)
	return append(b, why...)
}

// farewell is readFrame's error for the other end's last frame.
type farewell struct{ why string }

func (f *farewell) Error() string { return "the peer ended the stream: " + f.why }

// readFrame reads one frame. io.EOF means that the stream ended between frames, *farewell
// that the other end ended it with a reason. The caller owns the payload; it is empty for
// the frame by which the listening end accepts.
func readFrame(r io.Reader, limit int) ([]byte, error) {
	var header [headerLen]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(header[:])
	last := n&farewellBit != 0 && n&^farewellBit <= maxFarewell
	if last {
		n, limit = n&^farewellBit, maxFarewell
	}
	if uint64(n) > uint64(limit) {
		return nil, fmt.Errorf("transport: frame of %d bytes is longer than %d", n, limit)
	}
	payload := make([]byte, n)
	if _, err := io.ReadFull(r, payload); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("transport: frame of %d bytes is cut short: %w", n, err)
	}
	if last {
		return nil, &farewell{strings.ToValidUTF8(string(payload), "?")}
	}
	return payload, nil
}
