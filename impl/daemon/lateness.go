package daemon

import "time"

// lateBuckets are the upper bounds of lateness that are counted; a last bucket
// takes the rest.
var lateBuckets = [...]time.Duration{
	100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond, time.Millisecond, 2500 * time.Microsecond,
	5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
}

// lateness is how long after the core's deadline the loop came to it.
type lateness struct {
	max    time.Duration
	sum    time.Duration
	counts [len(lateBuckets) + 1]uint64
}

// note counts one step that came that long after the deadline; before it, it counts nothing.
func (l *lateness) note(late time.Duration) {
	if late < 0 {
		return
	}
	l.max = max(l.max, late)
	l.sum += late
	i := 0
	for i < len(lateBuckets) && late > lateBuckets[i] {
		i++
	}
	l.counts[i]++
}
