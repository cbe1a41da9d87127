package daemon

import (
	"time"

	"baton/impl/clock"
)

// lateAnnouncements is how long after a handover an announcement of the former MASTER may
// still be queued in a socket.
const lateAnnouncements = time.Second

// noteLead notes whether the node may forward after a step.
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

// settledAsMaster reports whether the node has been the forwarder for so long that no other
// node may announce. It is safe for concurrent use.
func (l *loop) settledAsMaster() bool {
	since := l.leadsSince.Load()
	return since != 0 && l.now().Sub(clock.Instant(since)) >= lateAnnouncements
}
