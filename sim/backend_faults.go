package sim

import (
	"fmt"
	"maps"
	"slices"

	"baton/impl/clock"
)

// condition is the state of a client or a backend under faults.
type condition struct {
	dark    bool          // powered off
	deaf    bool          // ignores gratuitous ARP
	ended   bool          // no program listens or sends
	frozen  bool          // programs are stopped, the kernel runs
	since   clock.Instant // start of the freeze
	leaving bool          // its traffic is closing gracefully
	unread  []packet      // datagrams queued for frozen servers
	later   []func()      // events that a frozen client's programs see after the thaw
}

// maxUnread is how many datagrams a socket buffers while its server does not read.
const maxUnread = 256

// well reports whether the host is powered and its programs run.
func (c *condition) well() bool { return !c.dark && !c.ended && !c.frozen }

// connections returns a backend's servers in the order in which they were accepted.
func (w *World) connections(h *host) []*server {
	var found []*server
	for _, id := range slices.Sorted(maps.Values(h.sockets)) {
		found = append(found, w.servers.at(id))
	}
	return found
}

// crashBackend powers a backend off: it sends no FIN and no RST.
func (w *World) crashBackend(h *host) (string, bool) {
	for _, s := range w.connections(h) {
		s.forget()
	}
	gone := len(h.sockets)
	clear(h.sockets)
	clear(h.backlogs)
	h.darken()
	return fmt.Sprintf("carrier down; %d connections gone", gone), true
}

// darken powers a host off.
func (h *host) darken() {
	h.forgetNeighbours()
	h.condition = condition{dark: true, ended: true, deaf: h.deaf}
}

// forgetNeighbours empties the host's neighbour table, as Linux does when the carrier is lost.
func (h *host) forgetNeighbours() {
	for i := range h.arp {
		h.arp[i] = neighbour{lb: nobody}
	}
}

// wake powers a host on, if it was off, and starts its programs.
func (w *World) wake(h *host) {
	if h.dark {
		w.powerPort(h.link(), h.index)
	}
	h.condition = condition{deaf: h.deaf}
}

// haltBackend ends the servers. The kernel closes their connections and answers further data
// with a RST.
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
	h.condition = condition{ended: true, deaf: h.deaf}
	return fmt.Sprintf("servers gone; %d connections closed", closed), true
}

func (w *World) restoreBackend(h *host) (string, bool) {
	if !h.ended {
		return "no receipt: its servers run", false
	}
	w.wake(h)
	return "links up; servers started", true
}

func (w *World) freezeBackend(h *host) (string, bool) {
	if !h.well() {
		return "no receipt: no server runs", false
	}
	h.frozen = true
	return "servers stopped", true
}

// thawBackend serves the requests that arrived during the freeze.
func (w *World) thawBackend(h *host) (string, bool) {
	if !h.frozen {
		return "no receipt: no server is frozen", false
	}
	h.frozen = false
	for _, s := range w.connections(h) {
		if s.state == tcpEstablished && !s.orphan {
			w.serve(s)
			if l := w.bulkLine(s); s.finReceived && !s.closing && (l == nil || !s.busy(l)) {
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
