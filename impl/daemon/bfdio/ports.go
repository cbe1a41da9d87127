package bfdio

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"golang.org/x/sys/unix"
)

// sourcePorts is the number of ports in the range of RFC 5881 section 4.
const sourcePorts = lastPort - firstPort + 1

// SourcePorts allocates the source ports of a process's sessions from the range of RFC 5881
// section 4. Every session gets a port of its own, although the kernel would let sessions
// on different addresses share one; only when all ports are in use do sessions share, as
// few as possible. The zero value is ready.
type SourcePorts struct {
	sessions [sourcePorts]uint16 // number of sessions, by port
}

// bind binds a socket to one of the least used ports, starting at a random one. local
// returns the address to bind to.
func (p *SourcePorts) bind(fd int, local func(port int) unix.Sockaddr) (int, error) {
	for shared := range slices.Max(p.sessions[:]) + 1 {
		if shared == 1 {
			// Sockets with SO_REUSEADDR can be bound to the same address and port.
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
				return 0, fmt.Errorf("share a source port: set SO_REUSEADDR: %w", err)
			}
		}
		port, err := p.bindShared(fd, shared, local)
		if port == 0 && err == nil {
			continue
		}
		if err == nil {
			// Only set after the first attempt, so that the port is not shared with another
			// process.
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

// bindShared binds a socket to a port with the given number of sessions; port is 0 if other
// processes use all of those.
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
