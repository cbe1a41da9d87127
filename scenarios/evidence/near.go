package evidence

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/gopacket/gopacket/pcapgo"

	"baton/impl/clock"
	"baton/scenarios/stored"
)

// Frame is one frame of a capture, described in a line.
type Frame struct {
	At   clock.Instant // on the trace's time axis
	Port string        // clients/lb1: the port by which it left the switch
	Text string        // tcp 198.18.0.100:80>198.18.0.11:46794 RST seq 17 len 0
}

// readAhead is how much of a capture is read at a time, in bytes.
const readAhead = 256 << 10

// Near returns the frames of a run's capture next to any of the instants: up to n before each, and up
// to n from it on. It decodes only these, and stops reading after the last of them, since a capture
// has tens of thousands. The file must be sorted by time, as runs write it. If it is damaged, Near
// returns the frames that it could read, with the error.
func Near(dir string, f File, instants []clock.Instant, n int) ([]Frame, error) {
	file, err := stored.Open(filepath.Join(dir, filepath.Base(f.File)))
	if err != nil {
		return nil, fmt.Errorf("evidence: %w", err)
	}
	defer file.Close()
	ng, err := pcapgo.NewNgReader(bufio.NewReaderSize(file, readAhead), pcapgo.DefaultNgReaderOptions)
	if err != nil {
		return nil, fmt.Errorf("evidence: read %s: %w", f.File, err)
	}
	s := newSieve(instants, n)
	for count := 0; !s.done(); count++ {
		data, info, err := ng.ZeroCopyReadPacketData()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return s.frames(ng), fmt.Errorf("evidence: read %s after %d frames: %w", f.File, count, err)
		}
		s.take(clock.Instant(info.Timestamp.UnixNano()-f.Offset), info.InterfaceIndex, data)
	}
	return s.frames(ng), nil
}
