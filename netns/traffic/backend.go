package traffic

import (
	"errors"
	"fmt"
)

// A backend's servers run in this process, and share threads with all others: what
// befalls them is carried out on those threads, in each loop that has sockets of them.

// place is the protocol of a backend whose sockets one loop serves.
type place struct{ backend, proto string }

var protocols = []string{"tcp", "udp"}

// each calls f on the loop of each of a backend's servers, and returns how many sockets
// those had before.
func (g *Generator) each(backend string, f func(*servers) error) (sockets int, err error) {
	for _, proto := range protocols {
		s, ok := g.backends[place{backend, proto}]
		if !ok {
			return 0, fmt.Errorf("traffic: no backend %q is served", backend)
		}
		s.loop.call(func() {
			sockets += len(s.sockets)
			err = errors.Join(err, f(s))
		})
	}
	return sockets, err
}

// Halt ends a backend's servers: the kernel closes their sockets. It returns how many.
func (g *Generator) Halt(backend string) (sockets int, err error) {
	return g.each(backend, func(s *servers) error { s.halt(); return nil })
}

// Freeze stops a backend's servers: the kernel goes on to accept and acknowledge, nobody
// reads. It returns how many sockets stand still.
func (g *Generator) Freeze(backend string) (sockets int, err error) {
	return g.each(backend, (*servers).freeze)
}

// Thaw lets a frozen backend's servers go on.
func (g *Generator) Thaw(backend string) (sockets int, err error) {
	return g.each(backend, (*servers).thaw)
}

// Serve starts a backend's servers anew. It returns how many sockets listen.
func (g *Generator) Serve(backend string) (listening int, err error) {
	for _, b := range g.cfg.Backends {
		if b.Host.Name() != backend {
			continue
		}
		opened, err := b.listen(g.cfg.Services)
		for _, l := range opened {
			s := g.backends[place{backend, l.proto}]
			s.loop.call(func() { err = errors.Join(err, s.serve(l)) })
		}
		return len(opened), err
	}
	return 0, fmt.Errorf("traffic: no backend %q", backend)
}
