package explore

import (
	"time"

	"baton/impl/clock"
	"baton/impl/driver"
	"baton/impl/node"
)

// flush delivers the heartbeats of this instant, the undelayed arbiter messages, and the oldest
// frames of a stream with more than Options.Messages in flight.
func (w *world) flush() {
	for range bursts {
		switch {
		case w.found != nil:
			return
		case len(w.wire) > 0:
			p := w.wire[0]
			w.wire = w.wire[1:]
			w.heard[1-p.to] = w.heard[1-p.to] || w.sides[p.to].reads()
			w.input(&w.sides[p.to], node.Packet{Path: p.path, Data: p.data, TTL: 255, At: w.now})
		case w.storePending(0) && !w.store.delayed[0]:
			w.stepStore(0)
		case w.storePending(1) && !w.store.delayed[1]:
			w.stepStore(1)
		case len(w.sent[0]) > w.opts.Messages && w.canArrive(0):
			w.arrive(0)
		case len(w.sent[1]) > w.opts.Messages && w.canArrive(1):
			w.arrive(1)
		default:
			w.checkForwarders()
			return
		}
	}
	w.report(CheckRest, "the pair does not come to rest: %d packets and frames at one instant", bursts)
}

// pass advances time by d, or until changed reports true.
func (w *world) pass(d time.Duration, changed func() bool) {
	end := w.now.Add(d)
	for range bursts {
		next, who := clock.Never, -1
		for i := range w.sides {
			if s := &w.sides[i]; s.reads() && s.core.Deadline() < next {
				next, who = s.core.Deadline(), i
			}
		}
		if next > end || w.found != nil {
			w.now = end
			return
		}
		w.now = max(w.now, next)
		w.input(&w.sides[who], node.Timer{})
		w.flush()
		if changed != nil && changed() {
			return
		}
	}
	w.report(CheckRest, "a node wants more than %d timers within %v", bursts, d)
}

// outline is the part of the state whose change ends a wait.
type outline struct {
	shown   [2]shown
	leased  [2]bool
	waiting [2]int
	busy    [2]bool
}

func (w *world) outline() outline {
	var o outline
	for i := range w.sides {
		s := &w.sides[i]
		o.shown[i], o.leased[i], o.waiting[i], o.busy[i] = s.shown, s.lease > w.now, len(w.sent[i]), s.busy()
	}
	return o
}

// settle completes everything in flight at this instant.
func (w *world) settle() {
	for range bursts {
		w.flush()
		if w.found != nil || !w.advance() {
			return
		}
	}
	w.report(CheckRest, "the pair does not settle: %d frames and writes at one instant", bursts)
}

// advance completes one thing in flight, and reports whether there was one.
func (w *world) advance() bool {
	for i := range w.sides {
		switch s := &w.sides[i]; {
		case s.core != nil && !s.frozen && s.busy():
			w.complete(s, driver.Succeeds)
			return true
		case w.canArrive(i):
			w.arrive(i)
			return true
		case w.storePending(i):
			w.stepStore(i)
			return true
		}
	}
	if w.canConnect() {
		w.connect()
		return true
	}
	return false
}

// idle reports whether nothing in flight can complete.
func (w *world) idle() bool {
	for i := range w.sides {
		if s := &w.sides[i]; s.core != nil && !s.frozen && s.busy() || w.canArrive(i) || w.storePending(i) {
			return false
		}
	}
	return !w.canConnect()
}
