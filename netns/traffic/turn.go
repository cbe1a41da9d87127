package traffic

import (
	"math"

	"golang.org/x/sys/unix"
)

// turn gives out source ports one after the other. The kernel would choose from half of its ports, and
// once all of these are in TIME_WAIT it looks at each of them for each connection: with a thousand
// connections a second that takes most of a processor, and the answers seem late.
type turn struct{ first, next uint16 }

// turnTries is how many ports in a row may be in use.
const turnTries = 64

// newTurn begins with a part of the ports from first on that other lines do not begin with.
func newTurn(first uint16, line int) turn {
	ports := math.MaxUint16 - int(first) + 1
	return turn{first, first + uint16(line*4999%ports)}
}

// port returns the next port.
func (t *turn) port() uint16 {
	port := t.next
	if t.next++; t.next < t.first { // behind the last one
		t.next = t.first
	}
	return port
}

// dial dials from the next port that is free.
func (t *turn) dial(from func(port uint16) (int, error)) (fd int, err error) {
	for range turnTries {
		if fd, err = from(t.port()); err != unix.EADDRNOTAVAIL && err != unix.EADDRINUSE {
			break
		}
	}
	return fd, err
}
