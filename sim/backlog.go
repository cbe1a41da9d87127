package sim

import (
	"time"

	"baton/impl/clock"
	"baton/impl/flow"
)

// backlog holds the half-open connections of a listening socket, as Linux does: as many as
// its backlog. While it is full, a SYN is answered by a cookie and nothing is kept
// (RFC 4987 section 3.6).
type backlog struct {
	halfOpen int
	young    int           // of these, those whose SYN-ACK was sent once
	overflow clock.Instant // when it was full last; 0: it never was
}

const (
	maxHalfOpen = 4096            // of listen(2) in package netns/traffic
	cookieLife  = 2 * time.Minute // Linux: TCP_SYNCOOKIE_VALID
	leastTries  = 2
)

// tries is how often a SYN-ACK is repeated: less often while more than half of the backlog
// is in use, so that there is room for the young ones (Linux: reqsk_timer_handler).
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

// backlogOf is that of the socket of a host that listens on a port.
func (h *host) backlogOf(port uint16) *backlog {
	b := h.backlogs[port]
	if b == nil {
		b = &backlog{}
		h.backlogs[port] = b
	}
	return b
}

// cookie is the sequence number by which a host recognizes a connection that it does not keep.
func (w *World) cookie(t flow.Tuple) uint32 {
	return uint32(mix(w.cfg.Seed ^ uint64(t.SrcPort)<<16 ^ uint64(t.DstPort) ^ uint64(t.Src[len(t.Src)-1])<<32 ^ uint64(t.Dst[len(t.Dst)-1])<<40))
}

// sendCookie answers a SYN for which there is no room. What was there before is over.
func (w *World) sendCookie(h *host, p *packet) {
	delete(h.sockets, p.tuple)
	w.reply(packet{tuple: p.tuple.Reverse(), flags: syn | ack, link: p.link, from: h.index, origin: h.index, backend: h.index,
		seq: w.cookie(p.tuple), ack: p.seq + 1, tag: p.tag})
}

// redeem opens the connection of a segment that acknowledges a cookie; nil if it does not.
func (w *World) redeem(h *host, p *packet) *server {
	b := h.backlogOf(p.tuple.DstPort)
	if p.flags&(syn|ack|rst) != ack || p.ack != w.cookie(p.tuple)+1 || b.overflow == 0 || w.now.Sub(b.overflow) > cookieLife {
		return nil
	}
	s := w.addServer(h, p)
	s.state, s.timerAt = tcpEstablished, clock.Never
	s.una, s.nxt, s.end, s.rcv = p.ack, p.ack, p.ack, p.seq
	return s
}

// hold makes a connection one of the half-open ones.
func (b *backlog) hold(s *server) {
	s.halfOpen, s.young = true, true
	b.halfOpen++
	b.young++
}

// matures notes that a connection is not among the young ones any more.
func (b *backlog) matures(s *server) {
	if s.young {
		s.young = false
		b.young--
	}
}

// ages notes that the timer of a half-open connection has run out. It reports whether it is
// given up.
func (w *World) ages(s *server) bool {
	b := w.hosts[s.host].backlogOf(s.tuple.SrcPort)
	if s.backoff >= b.tries() {
		s.forget()
		w.settle(s)
		return true
	}
	b.matures(s)
	return false
}

// settle notes that a connection is half-open no more.
func (w *World) settle(s *server) {
	if s.halfOpen {
		s.halfOpen = false
		b := w.hosts[s.host].backlogOf(s.tuple.SrcPort)
		b.halfOpen--
		b.matures(s)
	}
}
