package daemon

import (
	"time"

	"baton/impl/clock"
)

// lateAnnouncements is how long after a handover an announcement of the node that gave
// the role away may still lie in a socket.
const lateAnnouncements = time.Second

// noteLead notes whether the node may forward, as of a step.
func (l *loop) noteLead(now clock.Instant) {
	switch leads, since := l.driver.Leased() > now, l.leadsSince.Load(); {
	case !leads:
		l.leadsSince.Store(0)
	case since == 0:
		l.leadsSince.Store(int64(now))
		if l.out.leads != nil {
			l.out.leads()
		}
	}
}

// settledAsMaster reports whether the node has been the one that forwards for long
// enough for nobody else's announcement to be in order. Any goroutine may ask.
func (l *loop) settledAsMaster() bool {
	since := l.leadsSince.Load()
	return since != 0 && l.now().Sub(clock.Instant(since)) >= lateAnnouncements
}
