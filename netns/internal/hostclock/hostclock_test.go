package hostclock

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A timestamp taken between two readings must be converted to an instant between them,
// within the width of the sampling.
func TestTranslatedStampLiesWhereItWasTaken(t *testing.T) {
	const tolerance = 200 * time.Microsecond
	var tr Translator
	for range 1000 {
		before := Now()
		stamp := read(unix.CLOCK_REALTIME)
		after := Now()
		if got := tr.Instant(stamp); got.Before(before.Add(-tolerance)) || got.After(after.Add(tolerance)) {
			t.Fatalf("stamp taken in [%d, %d] translated to %d", before, after, got)
		}
		if back := tr.Realtime(tr.Instant(stamp)); back != stamp {
			t.Fatalf("round trip of %d gave %d", stamp, back)
		}
	}
}
