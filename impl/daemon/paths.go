package daemon

import (
	"log/slog"

	"baton/impl/bfd"
	"baton/impl/daemon/bfdio"
)

// bfdSocket is what the loop needs of a bfdio.Socket.
type bfdSocket interface {
	Send(packet []byte) error
	Receive() (p bfdio.Packet, ok bool, err error)
	Drops() (drops [bfd.DropKinds]uint64, strangers uint64, err error)
}

// bfdPath is one path's socket, with what was last said about it.
type bfdPath struct {
	name    string
	socket  bfdSocket
	failed  uint64 // packets that could not be sent or received
	failure string // the last failure that was logged, "" after a success
}

// send transmits a packet. A link that is down fails at every heartbeat, so only
// the first failure of a kind is logged.
func (p *bfdPath) send(log *slog.Logger, packet []byte) {
	if err := p.socket.Send(packet); err != nil {
		p.fails(log, err)
		return
	}
	p.failure = ""
}

func (p *bfdPath) fails(log *slog.Logger, err error) {
	p.failed++
	if text := err.Error(); text != p.failure {
		p.failure = text
		log.Warn("bfd packet lost here", "path", p.name, "error", err)
	}
}
