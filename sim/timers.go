package sim

import "baton/impl/clock"

// Retransmission timers have their own heap. Nearly all are stopped before they run out;
// nextTimer drops the stopped ones when they reach the top, so it returns the instant of
// the next timer that will really run out. express.go relies on that.

// endpointOf returns the endpoint of a timer event.
func (w *World) endpointOf(e *event) *endpoint {
	if e.who < w.firstBack {
		return &w.conns.at(uint32(e.stamp)).endpoint
	}
	return &w.servers.at(uint32(e.stamp)).endpoint
}

// nextTimer returns the instant when the next retransmission timer runs out, clock.Never if none is running.
func (w *World) nextTimer() clock.Instant {
	for len(w.timers.keys) > 0 {
		first := w.timers.keys[0]
		event := &w.timers.slots[first.slot]
		e := w.endpointOf(event)
		switch {
		case e.timerAt != first.at: // replaced by another event
			w.timers.drop()
		case e.deadline == clock.Never:
			e.timerAt = clock.Never
			w.timers.drop()
		case e.deadline > first.at:
			e.timerAt = e.deadline
			w.timers.postpone(e.deadline)
		default:
			return first.at
		}
	}
	return clock.Never
}

// retransmit handles the first retransmission timer of the heap.
func (w *World) retransmit() {
	w.now = w.timers.pop(&w.event)
	if w.event.who < w.firstBack {
		w.endpointOf(&w.event).timer(w.now, (*clients)(w))
	} else if s := w.servers.at(uint32(w.event.stamp)); !s.halfOpen || !w.expireHalfOpen(s) {
		s.timer(w.now, (*backends)(w))
	}
}
