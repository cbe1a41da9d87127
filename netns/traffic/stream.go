package traffic

import (
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"baton/impl/clock"
	"baton/netns/internal/sctpstack"
	"baton/scenarios/plan"
)

// stream is the protocol of a connected socket of the loop.
type stream interface {
	// Failure returns and clears the error of a connect.
	Failure() error
	Local() netip.AddrPort
	Read(b []byte) (int, error)
	Write(b []byte) (int, error)
	// Shutdown ends the sending side, or the association, once everything is sent.
	Shutdown()
	// Reset makes Close send a RST or an ABORT.
	Reset()
	closer
}

type closer interface{ Close() }

// kernelStream is a socket of the kernel: its descriptor.
type kernelStream int

func (s kernelStream) Failure() error              { return socketError(int(s)) }
func (s kernelStream) Local() netip.AddrPort       { return localAddr(int(s)) }
func (s kernelStream) Read(b []byte) (int, error)  { return unix.Read(int(s), b) }
func (s kernelStream) Write(b []byte) (int, error) { return unix.Write(int(s), b) }
func (s kernelStream) Shutdown()                   { _ = unix.Shutdown(int(s), unix.SHUT_WR) } // the next read returns its error
func (s kernelStream) Reset()                      { _ = resetOnClose(int(s)) }                // on error it closes with a FIN
func (s kernelStream) Close()                      { _ = unix.Close(int(s)) }

// stream returns the stream of a registered descriptor.
func (l *loop) stream(fd int) stream {
	if s, other := l.sources[fd].socket.(stream); other {
		return s
	}
	return kernelStream(fd)
}

// dialers open a connection from a client's source port (0 for any) and register its descriptor with a
// handler, which is called when the connect has finished. The port may belong to a connection that has
// just ended.
var dialers = map[string]func(l *loop, from *client, port uint16, to netip.AddrPort, h handler) (int, error){
	plan.TCP:  (*loop).dialTCP,
	plan.SCTP: (*loop).dialSCTP,
}

func (l *loop) dialSCTP(from *client, port uint16, to netip.AddrPort, h handler) (int, error) {
	if err := l.enter(from.namespace); err != nil {
		return -1, err
	}
	c, err := from.sctp.Dial(port, to)
	if err != nil {
		return -1, err
	}
	return c.FD(), l.addSCTP(from.name, c, h)
}

// sctpSocket is the socket of an association or a listener.
type sctpSocket interface {
	FD() int
	closer
}

// addSCTP registers an SCTP socket. On error it closes it.
func (l *loop) addSCTP(owner string, s sctpSocket, h handler) error {
	if err := l.add(owner, s.FD(), unix.EPOLLIN, h); err != nil {
		s.Close()
		return err
	}
	l.sources[s.FD()].socket = s
	return nil
}

// sctpServer accepts the associations of one listening socket.
type sctpServer struct {
	*servers
	*sctpstack.Listener
}

func (s *sctpServer) ready(clock.Instant, uint32) {
	for {
		c, err := s.Accept()
		if err != nil {
			return
		}
		_ = s.loop.addSCTP(s.name, c, &echo{servers: s.servers, fd: c.FD()}) // on error it is closed, which the client sees
	}
}

// openStacks opens the SCTP of each host, if a service is SCTP.
func (g *Generator) openStacks() error {
	if !slices.ContainsFunc(g.cfg.Services, func(s plan.Service) bool { return s.Proto == plan.SCTP }) {
		return nil
	}
	hosts := slices.Clone(g.cfg.Clients)
	for _, b := range g.cfg.Backends {
		hosts = append(hosts, b.Host)
	}
	for _, h := range hosts {
		err := h.Do(func() (err error) {
			g.stacks[h.Name()], err = sctpstack.Open()
			return err
		})
		if err != nil {
			delete(g.stacks, h.Name())
			return fmt.Errorf("traffic: %s: %w", h.Name(), err)
		}
	}
	return nil
}

func (g *Generator) closeStacks() {
	for _, s := range g.stacks {
		s.Close()
	}
}

// Forget drops a machine's SCTP associations without sending anything, as a power failure does. It does
// not affect TCP connections, which the kernel holds.
func (g *Generator) Forget(machine string) {
	if s := g.stacks[machine]; s != nil {
		s.Forget()
	}
}
