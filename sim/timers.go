package sim

import "baton/impl/clock"

// Retransmission timers have a heap of their own. Nearly all are stopped before
// they run out, and a heap from which those are dropped as soon as they come to
// the top says when the next one really does; see express.go.

// endpointOf is the endpoint whose timer an event is.
func (w *World) endpointOf(e *event) *endpoint {
	if e.who < w.firstBack {
		return &w.conns.at(uint32(e.stamp)).endpoint
	}
	return &w.servers.at(uint32(e.stamp)).endpoint
}

// nextTimer is when the first retransmission timer runs out, clock.Never if none does.
func (w *World) nextTimer() clock.Instant {
	for len(w.timers.keys) > 0 {
		first := w.timers.keys[0]
		event := &w.timers.slots[first.slot]
		e := w.endpointOf(event)
		switch {
		case e.timerAt != first.at: // another event has taken its place
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

// retransmit takes the first retransmission timer, which has run out.
func (w *World) retransmit() {
	w.now = w.timers.pop(&w.event)
	if w.event.who < w.firstBack {
		w.endpointOf(&w.event).timer(w.now, (*clients)(w))
	} else if s := w.servers.at(uint32(w.event.stamp)); !s.halfOpen || !w.ages(s) {
		s.timer(w.now, (*backends)(w))
	}
}
