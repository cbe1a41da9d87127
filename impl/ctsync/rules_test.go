package ctsync

import (
	"testing"
	"time"

	"baton/impl/flow"
)

func TestSnapshotThenLive(t *testing.T) {
	p := newPair(t, Config{})
	p.master(p.a, 1)
	p.fill(p.a, 0, 10000)
	p.connect()
	p.run()
	p.synced(p.a)
	p.fill(p.a, 10000, 10100)
	for i := range 100 {
		p.a.change(entryOf(i, flow.FinWait, 11), false)
		p.a.change(entryOf(200+i, flow.Established, 11), true)
	}
	p.run()
	p.synced(p.a)
	if got := p.a.stats.Snapshots; got != 1 {
		t.Errorf("%d snapshots, want 1", got)
	}
	p.sleep(20 * time.Second)
	p.synced(p.a)
}
