package node_test

import (
	"testing"
	"time"

	. "baton/impl/node"
	"baton/impl/trace"
)

// New VIPs start a burst if the node is announcing. Removing VIPs does not, and a BACKUP
// announces nothing.
func TestNewVIPsAreAnnouncedAtOnce(t *testing.T) {
	l := newPair(t)
	l.run(20 * time.Second) // the burst and its repetitions are over
	bursts := func(id string) (n int) {
		for _, e := range l.log {
			if e.Node == id && e.Kind == trace.KindAnnounce && e.Announce.Count == 1 {
				n++
			}
		}
		return n
	}
	l.step(l.nodes["lb1"], VIPs{Count: 3, New: true})
	l.step(l.nodes["lb2"], VIPs{Count: 3, New: true})
	if bursts("lb1") != 2 || bursts("lb2") != 0 {
		t.Errorf("lb1 has begun %d bursts, lb2 %d", bursts("lb1"), bursts("lb2"))
	}
	last := func(vips int) {
		t.Helper()
		if a := l.nodes["lb1"].announced; len(a) == 0 || a[len(a)-1].First != 0 || a[len(a)-1].VIPs != vips {
			t.Errorf("announced %+v, want the first %d VIPs at last", a, vips)
		}
	}
	last(3)
	if len(l.nodes["lb2"].announced) > 0 {
		t.Errorf("the BACKUP announced %+v", l.nodes["lb2"].announced)
	}
	l.step(l.nodes["lb1"], VIPs{Count: 1})
	l.run(time.Minute)
	last(1)
	if bursts("lb1") != 2 {
		t.Errorf("a VIP less began a burst: %d", bursts("lb1"))
	}
}
