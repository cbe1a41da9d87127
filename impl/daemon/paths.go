package daemon

import (
	"log/slog"
	"net/netip"

	"baton/impl/daemon/bfdio"
	"baton/impl/driver"
)

// bfdPath is the receiver and the senders of one path.
type bfdPath struct {
	name string
	peer netip.Addr
	in   bfdReceiver
	out  bfdSender // unicast to the peer's hardware address
	all  bfdSender // broadcast on the link

	close func() // closes all three
	stale bool   // they are closed, because their link was made again

	unexpectedSource uint64 // packets from another source than the peer
	failed           uint64 // packets that could not be sent or received
	failure          string // the last failure that was logged, "" after a success
}

type bfdReceiver interface {
	Receive() ([]bfdio.Datagram, error)
	Drops() (bfdio.Drops, error)
}

type bfdSender interface{ Send(packet []byte) error }

// receive returns the waiting packets, at most one batch. The result is valid until the
// next call.
func (p *bfdPath) receive(log *slog.Logger) []bfdio.Datagram {
	datagrams, err := p.in.Receive()
	if err != nil {
		p.fails(log, err)
	}
	return datagrams
}

// fromPeer reports whether a packet is the peer's, and counts it if not.
func (p *bfdPath) fromPeer(d *bfdio.Datagram) bool {
	if d.From != p.peer {
		p.unexpectedSource++
		return false
	}
	return true
}

// send transmits a packet. On a link that is down every heartbeat fails, so only the first
// failure of a kind is logged.
func (p *bfdPath) send(log *slog.Logger, to driver.Cast, packet []byte) error {
	out := p.out
	if to == driver.Broadcast {
		out = p.all
	}
	err := out.Send(packet)
	if err != nil {
		p.fails(log, err)
		return err
	}
	p.failure = ""
	return nil
}

func (p *bfdPath) fails(log *slog.Logger, err error) {
	p.failed++
	if text := err.Error(); text != p.failure {
		p.failure = text
		log.Warn("bfd packet not sent or received", "path", p.name, "error", err)
	}
}
