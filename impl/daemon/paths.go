package daemon

import (
	"log/slog"
	"net/netip"

	"baton/impl/daemon/bfdio"
	"baton/impl/driver"
)

// bfdPath is one path's way to the wire and from it, with what was last said about it.
type bfdPath struct {
	name string
	peer netip.Addr
	in   bfdReceiver
	out  bfdSender // to the peer's hardware address
	all  bfdSender // to every host of the link

	strangers uint64 // packets of other senders than the peer that reached the loop
	failed    uint64 // packets that could not be sent or received
	failure   string // the last failure that was logged, "" after a success
}

// bfdReceiver is what the loop needs of a bfdio.Listener.
type bfdReceiver interface {
	Receive() ([]bfdio.Datagram, error)
	Drops() (bfdio.Drops, error)
}

// bfdSender is what the loop needs of a bfdio.Sender.
type bfdSender interface{ Send(packet []byte) error }

// receive returns what waits, a batch at most. It is valid until the next call.
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
		p.strangers++
		return false
	}
	return true
}

// send transmits a packet. A link that is down fails at every heartbeat, so only
// the first failure of a kind is logged.
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
		log.Warn("bfd packet lost here", "path", p.name, "error", err)
	}
}
