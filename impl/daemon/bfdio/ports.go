package bfdio

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"golang.org/x/sys/unix"
)

// SourcePorts hands out the source ports of a process's sessions: from the range that
// RFC 5881 section 4 allows, and none to two sessions, though the kernel would let
// sessions on different addresses share one. The zero value is ready.
type SourcePorts struct {
	used map[int]bool
}

// bind ties a socket to a free port, from a random one on. local makes the address to
// bind to.
func (p *SourcePorts) bind(fd int, local func(port int) unix.Sockaddr) (int, error) {
	const ports = lastPort - firstPort + 1
	start := rand.IntN(ports)
	for i := range ports {
		port := firstPort + (start+i)%ports
		if p.used[port] {
			continue
		}
		err := unix.Bind(fd, local(port))
		if err == nil {
			if p.used == nil {
				p.used = map[int]bool{}
			}
			p.used[port] = true
			return port, nil
		}
		if !errors.Is(err, unix.EADDRINUSE) {
			return 0, fmt.Errorf("bind to source port %d: %w", port, err)
		}
	}
	return 0, fmt.Errorf("bind to a source port: none of %d-%d is free", firstPort, lastPort)
}

func (p *SourcePorts) release(port int) { delete(p.used, port) }
