package sctpstack

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"time"

	"baton/impl/sctp"
)

// pionPort is the port that pion's client uses at both ends. A link uses other ports on the wire.
const pionPort = 5000

// link carries the packets of one association for pion: a net.Conn whose reads and writes are whole packets.
// It checks the verification tags, which pion does not (RFC 9260 8.5).
type link struct {
	stack *Stack
	ends
	in     chan []byte
	closed chan struct{}
	once   sync.Once

	initiate uint32 // the tag of the INIT that it was opened by, 0 at a client

	mu         sync.Mutex
	mine, peer uint32
	aborted    bool // by the peer
}

// proves reports whether a packet has the tag of the association.
func (l *link) proves(p sctp.Packet) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case p.Chunk == sctp.Init:
		return l.initiate != 0 && l.initiate == p.InitiateTag()
	case p.Flags&sctp.Reflected != 0 && (p.Chunk == sctp.Abort || p.Chunk == sctp.ShutdownComplete):
		return l.peer != 0 && p.Tag == l.peer
	}
	return l.mine != 0 && p.Tag == l.mine
}

// deliver queues a packet. A full queue drops it; the peer retransmits.
func (l *link) deliver(p sctp.Packet, b []byte) {
	if p.Chunk == sctp.Abort {
		l.mu.Lock()
		l.aborted = true
		l.mu.Unlock()
	}
	renumber(b, pionPort, pionPort)
	select {
	case l.in <- b:
	default:
	}
}

func renumber(packet []byte, source, target uint16) {
	binary.BigEndian.PutUint16(packet, source)
	binary.BigEndian.PutUint16(packet[2:], target)
	sctp.Sum(packet)
}

// Read implements net.Conn.
func (l *link) Read(b []byte) (int, error) {
	select {
	case p := <-l.in:
		return copy(b, p), nil
	case <-l.closed:
		return 0, io.EOF
	}
}

// Write implements net.Conn.
func (l *link) Write(b []byte) (int, error) {
	select {
	case <-l.closed:
		return 0, io.ErrClosedPipe
	default:
	}
	packet := append([]byte(nil), b...)
	renumber(packet, l.local.Port(), l.remote.Port())
	if p, ok := sctp.Parse(packet); ok {
		l.learn(p)
	}
	l.stack.send(l.ends, packet)
	return len(b), nil
}

// learn stores the tags of a packet sent by this end.
func (l *link) learn(p sctp.Packet) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if tag := p.InitiateTag(); tag != 0 {
		l.mine = tag
	}
	if p.Tag != 0 && p.Flags&sctp.Reflected == 0 {
		l.peer = p.Tag
	}
}

func (l *link) wasAborted() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.aborted
}

// Close implements net.Conn: the association is over.
func (l *link) Close() error {
	l.once.Do(func() {
		l.stack.remove(l)
		close(l.closed)
	})
	return nil
}

// LocalAddr implements net.Conn.
func (l *link) LocalAddr() net.Addr { return net.TCPAddrFromAddrPort(l.local) }

// RemoteAddr implements net.Conn.
func (l *link) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(l.remote) }

// SetDeadline implements net.Conn.
func (l *link) SetDeadline(t time.Time) error { return l.SetReadDeadline(t) }

// SetReadDeadline implements net.Conn. Pion sets one that has passed, to end an association.
func (l *link) SetReadDeadline(t time.Time) error {
	if !t.IsZero() && !t.After(time.Now()) {
		return l.Close()
	}
	return nil
}

// SetWriteDeadline implements net.Conn. No write waits.
func (l *link) SetWriteDeadline(time.Time) error { return nil }
