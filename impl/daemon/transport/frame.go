package transport

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// headerLen is the length of a frame's header: its payload's length, big-endian.
const headerLen = 4

// farewellBit marks in a header the last frame of a stream, whose payload is the
// reason in UTF-8. An end that does not know it takes the length for too large, and
// closes the stream as it should.
const farewellBit = 1 << 31

// maxFarewell is the longest reason, in bytes.
const maxFarewell = 512

// appendHeader appends the header of a frame with a payload of n bytes.
func appendHeader(b []byte, n int) []byte { return binary.BigEndian.AppendUint32(b, uint32(n)) }

// appendFarewell appends the frame with which a stream ends, for a reason.
func appendFarewell(b []byte, why string) []byte {
	if len(why) > maxFarewell {
		why = why[:maxFarewell]
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(why))|farewellBit)
	return append(b, why...)
}

// farewell is the error of readFrame for a frame that says why the other end closes
// the stream.
type farewell struct{ why string }

func (f *farewell) Error() string { return "the peer ended the stream: " + f.why }

// readFrame reads one frame; io.EOF says that the stream ended between two, and a
// *farewell why. The payload is the caller's to keep; it is empty for
// the frame with which the listening end says that it has accepted the other.
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
