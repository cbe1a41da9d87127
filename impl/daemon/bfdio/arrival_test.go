package bfdio

import (
	"runtime"
	"testing"
	"time"

	"github.com/containernetworking/plugins/pkg/ns"

	"baton/impl/clock"
	"baton/impl/clock/boottime"
)

// TestAPacketHasTheKernelsReceiveTimestamp: the time at which the packet is read does not count.
func TestAPacketHasTheKernelsReceiveTimestamp(t *testing.T) {
	inNetNS(t, func(other ns.NetNS) {
		one, two := listen(t, nil), sender(t, other)
		sent := func() (before, after clock.Instant) {
			before = boottime.Now()
			send(t, two, []byte("hello"))
			return before, boottime.Now()
		}
		const waits = 20 * time.Millisecond
		// The clocks are read one after the other, and the thread may be descheduled in
		// between.
		const slack = waits / 2
		// The kernel begins to timestamp some time after the request.
		for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
			before, after := sent()
			for boottime.Now().Sub(after) < waits {
				runtime.Gosched()
			}
			p := receive(t, one)
			if p.At.After(after.Add(slack)) {
				continue
			}
			if p.At.Before(before.Add(-slack)) {
				t.Errorf("came %v before it was sent", before.Sub(p.At))
			}
			return
		}
		t.Errorf("packets that waited for %v are stamped when they are read", waits)
	})
}

// TestAnImplausibleReceiveTimestampIsReplaced: a packet that waited while the machine was suspended, or
// from before the clock was set, says nothing about now.
func TestAnImplausibleReceiveTimestampIsReplaced(t *testing.T) {
	const now, realtime = clock.Instant(time.Hour), int64(1_700_000_000e9)
	for _, c := range []struct {
		name  string
		stamp int64
		want  clock.Instant
	}{
		{"waited", realtime - int64(3*time.Millisecond), now.Add(-3 * time.Millisecond)},
		{"none", 0, now},
		{"clock set back", realtime + int64(time.Hour), now},
		{"clock set forward", realtime - int64(time.Hour), now.Add(-oldest)},
		{"waited through a suspend", realtime - int64(20*time.Second), now.Add(-oldest)},
	} {
		if got := arrival(c.stamp, realtime, now); got != c.want {
			t.Errorf("%s: %v before now, want %v", c.name, now.Sub(got), now.Sub(c.want))
		}
	}
}
