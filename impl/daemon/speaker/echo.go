package speaker

import (
	"context"
	"net"
	"slices"
	"sync"

	"baton/impl/bfd"
	"baton/impl/daemon/bfdio"
	"baton/impl/daemon/neigh"
)

// echoes is shared by the sessions that send to the echo port: a packet socket for each
// interface and IP version, and a follower of the peers' link-layer addresses, which echo
// packets need because no route leads there.
type echoes struct {
	links      []*bfdio.EchoLink
	neighbours []neigh.Neighbour
	follower   *neigh.Follower
}

// openEcho opens what a session's echo packets need, and checks that the system can do what
// the session announces.
func (s *Speaker) openEcho(x *session) error {
	v6 := x.cfg.Local.Is6()
	if x.cfg.Echo.RX != 0 {
		if err := bfdio.CheckReturns(x.cfg.Interface, v6); err != nil {
			return err
		}
	}
	if !x.cfg.Sends() {
		return nil
	}
	if err := bfdio.CheckEchoSource(x.cfg.Interface, x.cfg.Echo.Source.Addr); err != nil {
		return err
	}
	link, err := s.echoLink(x.cfg.Interface, v6)
	if err != nil {
		return err
	}
	x.echo = link.Sender(x.cfg.Echo.Source.Addr, x.cfg.Local.Addr)
	x.neighbour = neigh.Neighbour{Link: link.Index(), Addr: x.cfg.Peer.Addr}
	s.echoes.neighbours = append(s.echoes.neighbours, x.neighbour)
	return link.Allow(x.discr, x.cfg.Local.Addr)
}

// echoLink returns the socket of an interface and IP version, opened if necessary.
func (s *Speaker) echoLink(name string, v6 bool) (*bfdio.EchoLink, error) {
	e := &s.echoes
	if i := slices.IndexFunc(e.links, func(l *bfdio.EchoLink) bool { return l.Serves(name, v6) }); i >= 0 {
		return e.links[i], nil
	}
	l, err := bfdio.OpenEchoLink(name, v6)
	if err != nil {
		return nil, err
	}
	e.links = append(e.links, l)
	return l, s.poller.Add(l.FD())
}

// openFollower prepares to follow the link-layer addresses of all peers.
func (s *Speaker) openFollower() (err error) {
	if len(s.echoes.neighbours) > 0 {
		s.echoes.follower, err = neigh.NewFollower(s.echoes.neighbours, s.log, func() {})
	}
	return err
}

// follow reports the peers' link-layer addresses to the loop until stop is called.
func (s *Speaker) follow() (stop func()) {
	if s.echoes.follower == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var following sync.WaitGroup
	following.Go(func() {
		s.echoes.follower.Run(ctx, func(n neigh.Neighbour, mac net.HardwareAddr) {
			s.Call(func() { s.neighbourIs(n, mac) })
		})
	})
	return func() { cancel(); following.Wait() }
}

func (s *Speaker) neighbourIs(n neigh.Neighbour, mac net.HardwareAddr) {
	for _, x := range s.sessions {
		if x.echo != nil && x.neighbour == n {
			x.echo.SetNeighbour(mac)
		}
	}
}

func (e *echoes) close() {
	for _, l := range e.links {
		l.Close()
	}
	if e.follower != nil {
		e.follower.Close()
	}
}

// damaged returns the number of damaged packets.
func (e *echoes) damaged() (n uint64) {
	for _, l := range e.links {
		n += l.Damaged()
	}
	return n
}

// receiveEchoes passes returned packets to their sessions.
func (s *Speaker) receiveEchoes() {
	for _, l := range s.echoes.links {
		for range maxBatches {
			datagrams, more, err := l.Receive()
			if err != nil {
				s.log.Warn("bfd echo packets not read", "error", err)
			}
			for i := range datagrams {
				s.deliverEcho(&datagrams[i])
			}
			if !more {
				break
			}
		}
	}
}

// deliverEcho finds the session of a packet to the echo port. The packet must have come
// back on that session's link and to its address.
func (s *Speaker) deliverEcho(d *bfdio.Datagram) {
	discr, unaffiliated := bfd.UnaffiliatedDiscr(d.Data)
	if !unaffiliated {
		discr, _ = bfd.EchoDiscr(d.Data)
	}
	x := s.byDiscr[discr]
	if x == nil || x.echo == nil || (x.loop != nil) != unaffiliated || x.neighbour.Link != d.Link || x.cfg.Local.Addr != d.To {
		s.strays++
		return
	}
	x.receiveEcho(d)
	s.settle(x)
}
