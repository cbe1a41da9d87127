package sim

import (
	"time"

	"baton/impl/clock"
	"baton/impl/flow"
)

// backlog counts the half-open connections of a listening socket. While it is full, the socket
// answers a SYN with a SYN cookie and keeps no state (RFC 4987 section 3.6), as Linux does.
type backlog struct {
	halfOpen int
	young    int           // half-open connections whose SYN-ACK was sent only once
	overflow clock.Instant // when it was last full; 0 if it never was
}

const (
	maxHalfOpen = 4096            // the listen(2) backlog in package netns/traffic
	cookieLife  = 2 * time.Minute // Linux: TCP_SYNCOOKIE_VALID
	leastTries  = 2
)

// tries returns how often a SYN-ACK is retransmitted. While more than half of the backlog is in
// use the number is lower, to make room for young connections (Linux: reqsk_timer_handler).
func (b *backlog) tries() uint8 {
	tries := retries[tcpSynReceived]
	if 2*b.halfOpen <= maxHalfOpen {
		return tries
	}
	for young := 2 * b.young; tries > leastTries && b.halfOpen >= young; young *= 2 {
		tries--
	}
	return tries
}

// backlogOf returns the backlog of the socket that listens on a port.
func (h *host) backlogOf(port uint16) *backlog {
	b := h.backlogs[port]
	if b == nil {
		b = &backlog{}
		h.backlogs[port] = b
	}
	return b
}

// cookie is the initial sequence number of a SYN-ACK by which a host later recognises a
// connection for which it kept no state.
func (w *World) cookie(t flow.Tuple) uint32 {
	return uint32(mix(w.cfg.Seed ^ uint64(t.SrcPort)<<16 ^ uint64(t.DstPort) ^ uint64(t.Src[len(t.Src)-1])<<32 ^ uint64(t.Dst[len(t.Dst)-1])<<40))
}

// sendCookie answers a SYN while the backlog is full, and removes an ended socket of the same tuple.
func (w *World) sendCookie(h *host, p *packet) {
	delete(h.sockets, p.tuple)
	w.reply(packet{tuple: p.tuple.Reverse(), flags: syn | ack, link: p.link, from: h.index, origin: h.index, backend: h.index,
		seq: w.cookie(p.tuple), ack: p.seq + 1, tag: p.tag})
}

// acceptCookie opens the connection of a segment that acknowledges a valid SYN cookie. It
// returns nil for any other segment.
func (w *World) acceptCookie(h *host, p *packet) *server {
	b := h.backlogOf(p.tuple.DstPort)
	if p.flags&(syn|ack|rst) != ack || p.ack != w.cookie(p.tuple)+1 || b.overflow == 0 || w.now.Sub(b.overflow) > cookieLife {
		return nil
	}
	s := w.addServer(h, p)
	s.state, s.timerAt = tcpEstablished, clock.Never
	s.una, s.nxt, s.end, s.rcv = p.ack, p.ack, p.ack, p.seq
	return s
}

// hold counts a new half-open connection.
func (b *backlog) hold(s *server) {
	s.halfOpen, s.young = true, true
	b.halfOpen++
	b.young++
}

// notYoung removes a connection from the young ones.
func (b *backlog) notYoung(s *server) {
	if s.young {
		s.young = false
		b.young--
	}
}

// expireHalfOpen handles the timer of a half-open connection. It reports whether the connection
// was given up; otherwise the SYN-ACK is to be retransmitted.
func (w *World) expireHalfOpen(s *server) bool {
	b := w.hosts[s.host].backlogOf(s.tuple.SrcPort)
	if s.backoff >= b.tries() {
		s.forget()
		w.settle(s)
		return true
	}
	b.notYoung(s)
	return false
}

// settle removes a connection from the backlog: it was established, reset or given up.
func (w *World) settle(s *server) {
	if s.halfOpen {
		s.halfOpen = false
		b := w.hosts[s.host].backlogOf(s.tuple.SrcPort)
		b.halfOpen--
		b.notYoung(s)
	}
}
