package daemon

import "time"

// lateBuckets are the upper bounds of the lateness histogram; a last bucket counts the
// rest.
var lateBuckets = [...]time.Duration{
	100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond, time.Millisecond, 2500 * time.Microsecond,
	5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
}

// lateness counts how long after the core's deadlines the loop stepped it.
type lateness struct {
	max    time.Duration
	sum    time.Duration
	counts [len(lateBuckets) + 1]uint64
}

// note counts one step by its lateness; an early step counts nothing.
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
