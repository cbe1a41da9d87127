package daemon

import (
	"fmt"
	"time"

	"baton/impl/daemon/control"
	"baton/impl/daemon/transport"
)

// describe adds to a status what is known outside of the loop.
func (d *daemon) describe(s *control.Status) {
	now := time.Now()
	s.Stream = streamStatus(d.transport.Status(), now)
	s.Alarms = append(s.Alarms, streamAlarms(s.Stream)...)
	d.conflicts.describe(s, now)
}

func streamStatus(t transport.Status, now time.Time) control.Stream {
	s := control.Stream{Up: t.Up, Cause: string(t.Last.Cause), Why: t.Last.Why, Failures: t.Failures, Ends: map[string]uint64{}}
	for _, cause := range transport.Causes {
		s.Ends[string(cause)] = t.Ends[cause]
	}
	if !t.Retry.IsZero() {
		s.Retry = max(t.Retry.Sub(now), 0)
	}
	return s
}

// refusedAfter is how many streams in a row have to end early for the peer to refuse them.
const refusedAfter = 3

// streamAlarms tells of streams that end as soon as they are up, or never come up.
func streamAlarms(s control.Stream) []string {
	if s.Up || s.Failures < refusedAfter {
		return nil
	}
	return []string{fmt.Sprintf("no sync stream after %d attempts: %s: %s", s.Failures, s.Cause, s.Why)}
}
