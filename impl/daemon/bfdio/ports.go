package bfdio

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"golang.org/x/sys/unix"
)

// sourcePorts is how many the range of RFC 5881 section 4 has.
const sourcePorts = lastPort - firstPort + 1

// SourcePorts hands out the source ports of a process's sessions: from the range that
// RFC 5881 section 4 allows, and none to two sessions, though the kernel would let
// sessions on different addresses share one. Only once every port is a session's do
// they get a second one, and so on. The zero value is ready.
type SourcePorts struct {
	sessions [sourcePorts]uint16 // of each port
}

// bind ties a socket to a port that as few sessions have as can be, from a random one
// on. local makes the address to bind to.
func (p *SourcePorts) bind(fd int, local func(port int) unix.Sockaddr) (int, error) {
	for shared := range slices.Max(p.sessions[:]) + 1 {
		if shared == 1 {
			// Sockets that agree to it may be bound to one address and port.
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
				return 0, fmt.Errorf("share a source port: set SO_REUSEADDR: %w", err)
			}
		}
		port, err := p.bindShared(fd, shared, local)
		if port == 0 && err == nil {
			continue
		}
		if err == nil {
			// Not before: it would also share with strangers.
			err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
		}
		if err != nil {
			return 0, fmt.Errorf("bind to source port %d: %w", port, err)
		}
		p.sessions[port-firstPort]++
		return port, nil
	}
	return 0, fmt.Errorf("bind to a source port: none of %d-%d is free", firstPort, lastPort)
}

// bindShared ties a socket to a port that so many sessions have already; port is 0
// where all those that have so many are others' in the kernel.
func (p *SourcePorts) bindShared(fd int, sessions uint16, local func(port int) unix.Sockaddr) (port int, err error) {
	start := rand.IntN(sourcePorts)
	for i := range sourcePorts {
		at := (start + i) % sourcePorts
		if p.sessions[at] != sessions {
			continue
		}
		if err := unix.Bind(fd, local(firstPort+at)); !errors.Is(err, unix.EADDRINUSE) {
			return firstPort + at, err
		}
	}
	return 0, nil
}

func (p *SourcePorts) release(port int) { p.sessions[port-firstPort]-- }
