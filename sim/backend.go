package sim

import (
	"baton/impl/clock"
	"baton/impl/flow"
	"baton/scenarios/plan"
)

// server is a backend's end of a connection: it echoes whole requests.
type server struct {
	endpoint
	halfOpen bool          // counted in the backlog
	young    bool          // half-open, and its SYN-ACK was sent only once
	partial  int           // bytes received of an incomplete request
	of       uint32        // tag of the flow that the requests belong to
	began    clock.Instant // when the request of a bulk transfer was complete; 0 before
	put      int           // segments of the transfer sent so far
}

// receiveAtBackend hands a packet to the service that listens on its port.
func (w *World) receiveAtBackend(p *packet) {
	h := &w.hosts[p.to]
	if !w.owns(p.to, p.tuple.Dst) || !w.listens(p.tuple) || h.ended && p.tuple.Proto == flow.UDP {
		w.refuse(p)
		return
	}
	if n := &h.arp[w.gateway(p.tuple.Src)]; p.tuple.Proto == flow.TCP && n.lb == p.from {
		n.confirmed = w.now
	}
	if p.tuple.Proto == flow.UDP {
		if !h.frozen {
			w.answerDatagram(p)
		} else if len(h.unread) < maxUnread {
			h.unread = append(h.unread, *p)
		}
		return
	}
	if p.tuple.Proto == flow.SCTP {
		w.receiveChunk(h, p)
		return
	}
	w.receiveSegment(h, p)
}

func (w *World) answerDatagram(p *packet) {
	w.reply(packet{tuple: p.tuple.Reverse(), link: onBackends, from: p.to, origin: p.to, backend: p.to,
		length: answerLen, seq: p.seq, tag: p.tag})
}

func (w *World) listens(t flow.Tuple) bool {
	for i := range w.services {
		if s := &w.services[i]; s.id.Has(t.DstPort) && s.id.Proto == t.Proto && familyOf(s.id.VIP) == familyOf(t.Dst) {
			return true
		}
	}
	return false
}

func (w *World) receiveSegment(h *host, p *packet) {
	id, known := h.sockets[p.tuple]
	fresh := p.flags&(syn|ack|rst) == syn
	if known {
		s := w.servers.at(id)
		if over := s.state == tcpDone || s.state == tcpClosed; !over || !fresh {
			if s.disowns(p) {
				w.settle(s)
				w.refuse(p)
				return
			}
			s.receive(w.now, (*backends)(w), p)
			return
		}
		// A new SYN replaces a connection that has ended; an old duplicate is challenged
		// (RFC 9293 section 3.10.7.4).
		if s.lingers(w.now) && !after(p.seq, s.rcv) && !h.ended {
			s.challenge(w.now, (*backends)(w))
			return
		}
	}
	if h.ended {
		w.refuse(p)
		return
	}
	if !fresh {
		if s := w.acceptCookie(h, p); s != nil {
			s.receive(w.now, (*backends)(w), p)
		} else {
			w.refuse(p)
		}
		return
	}
	b := h.backlogOf(p.tuple.DstPort)
	if b.halfOpen >= maxHalfOpen {
		b.overflow = w.now
		w.sendCookie(h, p)
		return
	}
	s := w.addServer(h, p)
	b.hold(s)
	s.accept(w.now, (*backends)(w), uint32(w.random.Uint64()), p.seq)
}

// addServer creates the server socket for the connection of a segment.
func (w *World) addServer(h *host, p *packet) *server {
	s, id := w.servers.add()
	*s = server{of: p.tag, endpoint: endpoint{id: id, host: h.index, link: onBackends, tag: p.tag, unit: answerLen, tuple: p.tuple.Reverse()}}
	h.sockets[p.tuple] = id
	if c, ok := tcpFlow(p.tag); ok {
		w.conns.at(c).server = id + 1
	}
	return s
}

// backends is the TCP stack of the backends.
type backends World

func (s *backends) output(e *endpoint, p packet) {
	w := (*World)(s)
	p.backend, p.tag = e.host, w.servers.at(e.id).of
	w.reply(p)
}

func (s *backends) wake(e *endpoint, at clock.Instant) {
	event := (*World)(s).timers.push(at, evRTO)
	event.who, event.stamp = e.host, uint64(e.id)
}

// readable counts received bytes and serves complete requests, unless the servers are frozen.
func (s *backends) readable(e *endpoint, bytes int, tag uint32, _ uint8) {
	w := (*World)(s)
	server := w.servers.at(e.id)
	server.of = tag
	server.partial += bytes
	if !w.hosts[e.host].frozen {
		w.serve(server)
	}
}

// serve echoes the complete requests of a connection.
func (w *World) serve(s *server) {
	if l := w.bulkLine(s); l != nil {
		w.serveBulk(s, l)
		return
	}
	whole := s.partial / requestLen
	s.partial -= whole * requestLen
	if whole > 0 {
		s.write(w.now, (*backends)(w), whole)
		if id, ok := tcpFlow(s.of); ok && w.conns.at(id).gen.line.Closer == plan.CloseServer {
			s.close(w.now, (*backends)(w))
		}
	}
}

func (s *backends) connected(e *endpoint) { (*World)(s).settle((*World)(s).servers.at(e.id)) }

// halfClosed closes the backend's direction once the client has closed its own.
func (s *backends) halfClosed(e *endpoint) {
	w := (*World)(s)
	server := w.servers.at(e.id)
	if l := w.bulkLine(server); l != nil && server.busy(l) {
		return // it closes after the last byte
	}
	if !w.hosts[e.host].frozen {
		server.close(w.now, s)
	}
}

func (s *backends) finished(*endpoint)          {}
func (s *backends) reset(e *endpoint, _ string) { s.connected(e) }
