package traffic

import (
	"math"

	"golang.org/x/sys/unix"
)

// turn assigns source ports in sequence. The kernel would choose from half of its ports; once all of
// those are in TIME_WAIT, it tries each of them for each connection. At a thousand connections a second
// that takes most of a CPU and makes answers look late.
type turn struct{ first, next uint16 }

// turnTries is how many consecutive ports are tried.
const turnTries = 64

// newTurn uses the ports from first on. Each line starts at a different port.
func newTurn(first uint16, line int) turn {
	ports := math.MaxUint16 - int(first) + 1
	return turn{first, first + uint16(line*4999%ports)}
}

// port returns the next port.
func (t *turn) port() uint16 {
	port := t.next
	if t.next++; t.next < t.first { // after 65535
		t.next = t.first
	}
	return port
}

// dial dials from the next free port.
func (t *turn) dial(from func(port uint16) (int, error)) (fd int, err error) {
	for range turnTries {
		if fd, err = from(t.port()); err != unix.EADDRNOTAVAIL && err != unix.EADDRINUSE {
			break
		}
	}
	return fd, err
}
