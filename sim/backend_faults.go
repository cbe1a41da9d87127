package sim

import (
	"fmt"
	"maps"
	"slices"

	"baton/impl/clock"
)

// condition is what befell a client or a backend.
type condition struct {
	dark   bool     // it has no power
	deaf   bool     // it ignores gratuitous ARP
	ended  bool     // nobody listens
	frozen bool     // its servers stand still, its kernel goes on
	unread []packet // datagrams that wait for frozen servers
}

// maxUnread is how many datagrams a socket holds for a server that does not read.
const maxUnread = 256

// well reports whether a backend answers at once.
func (c *condition) well() bool { return !c.dark && !c.ended && !c.frozen }

// connections are a backend's servers, in the order in which they were accepted.
func (w *World) connections(h *host) []*server {
	var found []*server
	for _, id := range slices.Sorted(maps.Values(h.sockets)) {
		found = append(found, w.servers.at(id))
	}
	return found
}

// crashBackend takes a backend's power: nothing of it says good-bye.
func (w *World) crashBackend(h *host) (string, bool) {
	for _, s := range w.connections(h) {
		s.state, s.deadline = tcpClosed, clock.Never
	}
	gone := len(h.sockets)
	clear(h.sockets)
	for i := range h.arp {
		h.arp[i] = neighbour{lb: nobody}
	}
	h.condition = condition{dark: true, ended: true, deaf: h.deaf}
	return fmt.Sprintf("carrier down; %d connections gone", gone), true
}

// haltBackend ends the servers: the kernel closes their connections, and resets those on
// which more comes.
func (w *World) haltBackend(h *host) (string, bool) {
	if h.ended {
		return "no receipt: no server runs", false
	}
	closed := 0
	for _, s := range w.connections(h) {
		if s.state == tcpEstablished || s.state == tcpSynReceived {
			closed++
			s.orphan = true
			s.close(w.now, (*backends)(w))
		}
	}
	h.condition = condition{ended: true}
	return fmt.Sprintf("servers gone; %d connections closed", closed), true
}

func (w *World) restoreBackend(h *host) (string, bool) {
	if !h.ended {
		return "no receipt: its servers run", false
	}
	if h.dark {
		w.carrier(onBackends, h.index, true)
	}
	h.condition = condition{}
	return "links up; servers started", true
}

func (w *World) freezeBackend(h *host) (string, bool) {
	if !h.well() {
		return "no receipt: no server runs", false
	}
	h.frozen = true
	return "servers stopped", true
}

// thawBackend serves what has come meanwhile.
func (w *World) thawBackend(h *host) (string, bool) {
	if !h.frozen {
		return "no receipt: no server is frozen", false
	}
	h.frozen = false
	for _, s := range w.connections(h) {
		if s.state == tcpEstablished && !s.orphan {
			w.serve(s)
			if s.finReceived && !s.closing {
				s.close(w.now, (*backends)(w))
			}
		}
	}
	unread := h.unread
	h.unread = nil
	for i := range unread {
		w.answerDatagram(&unread[i])
	}
	return "servers run", true
}
