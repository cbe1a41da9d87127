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
			w.timers.pop()
		case e.deadline == clock.Never:
			e.timerAt = clock.Never
			w.timers.pop()
		case e.deadline > first.at:
			_, old := w.timers.pop()
			e.timerAt = e.deadline
			moved := w.timers.push(e.deadline, evRTO)
			moved.who, moved.stamp = old.who, old.stamp
		default:
			return first.at
		}
	}
	return clock.Never
}

// retransmit takes the first retransmission timer, which has run out.
func (w *World) retransmit() {
	at, event := w.timers.pop()
	w.now = at
	if e := w.endpointOf(&event); event.who < w.firstBack {
		e.timer(w.now, (*clients)(w))
	} else {
		e.timer(w.now, (*backends)(w))
	}
}
