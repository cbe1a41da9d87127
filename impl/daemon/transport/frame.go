package transport

import (
	"encoding/binary"
	"fmt"
	"io"
)

// headerLen is the length of a frame's header: its payload's length, big-endian.
const headerLen = 4

// appendHeader appends the header of a frame with a payload of n bytes.
func appendHeader(b []byte, n int) []byte { return binary.BigEndian.AppendUint32(b, uint32(n)) }

// readFrame reads one frame; io.EOF says that the stream ended between two. The payload is the caller's to keep; it is empty for
// the frame with which the listening end says that it has accepted the other.
func readFrame(r io.Reader, limit int) ([]byte, error) {
	var header [headerLen]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(header[:])
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
	return payload, nil
}
