package ctsync

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/flow"
)

// full makes the dataplane of a node full: it refuses entries of new flows, and accepts
// everything else.
func (n *node) full(now clock.Instant, capacity int) {
	for len(n.batch) > 0 {
		b := n.batch[0]
		n.batch = n.batch[1:]
		refused := &flow.RefusedError{Why: fmt.Sprintf("table full (%d flows)", capacity)}
		for _, t := range b.Deletes {
			delete(n.flows, t)
		}
		for _, entry := range b.Entries {
			if _, held := n.flows[entry.Original]; !held && len(n.flows) >= capacity {
				refused.Entries++
				continue
			}
			n.flows[entry.Original] = entry
		}
		if refused.Entries > 0 {
			// As the daemon's port does it.
			n.Applied(now, b.ID, errors.Join(nil, refused))
		} else {
			n.Applied(now, b.ID, nil)
		}
	}
}

// A sink whose table is smaller than the source's is not in sync and says why, with the
// number of refused entries. Neither node loops, and once there is room the sink catches up.
func TestSinkThatIsFull(t *testing.T) {
	cfg := Config{BatchEntries: 8, Window: 4, Buckets: 64, DigestEvery: time.Second}
	p := newPair(t, cfg)
	p.a.cfg.Capacity, p.b.cfg.Capacity = 1000, 20
	p.master(p.a, 1)
	p.fill(p.a, 0, 10)
	p.connect()
	p.run()
	p.synced(p.a)
	p.fill(p.a, 10, 100)
	applies, wakes, end := 0, 0, p.now.Add(20*time.Second)
	for p.now < end {
		for range 1000 {
			p.collect()
			applies += len(p.b.batch)
			p.b.full(p.now, 20)
			p.a.poll(p.now)
			if moved := p.deliver(p.a); !p.deliver(p.b) && !moved {
				break
			}
		}
		wakes++
		p.now = min(p.a.Deadline(), p.b.Deadline(), end)
		p.a.Advance(p.now)
		p.b.Advance(p.now)
	}
	expect(t, p.b.Engine, false, "apply failed: table full (20 flows): 30 entries refused")
	if got := p.b.Progress().Refused; len(got) != 1 || got[0] != (Refusal{"table full (20 flows)", 30}) {
		t.Errorf("refused %+v", got)
	}
	if p.a.PeerInSync() {
		t.Error("the source takes a full sink for one in sync")
	}
	if applies > 60 || wakes > 60 {
		t.Errorf("%d batches and %d wakes in 20 s", applies, wakes)
	}
	for i := range 90 {
		p.a.change(entryOf(i, 0, 0), true)
	}
	p.sleep(5 * time.Second)
	p.synced(p.a)
	if got := p.b.Progress().Refused; got != nil {
		t.Errorf("refused %+v after all has taken hold", got)
	}
}

// The delay before a retry doubles up to its limit, and starts again after a success.
func TestBackoff(t *testing.T) {
	p := inSyncPair(t, Config{Retry: 50 * time.Millisecond, RetryMax: 300 * time.Millisecond}, 10)
	for _, flows := range []int{0, 1} {
		p.b.fail = 5
		p.a.change(entryOf(flows, flow.FinWait, 11), false)
		p.run()
		for _, want := range []time.Duration{50, 100, 200, 300, 300} {
			if got := p.b.Deadline().Sub(p.now); got != want*time.Millisecond {
				t.Fatalf("retried after %v, want %d ms", got, want)
			}
			p.now = p.b.Deadline()
			p.b.Advance(p.now)
			p.run()
		}
		p.synced(p.a)
	}
}

// Failures are counted by reason, most first.
func TestRefusalsAreCountedByReason(t *testing.T) {
	p := inSyncPair(t, Config{BatchEntries: 2}, 10)
	for i := range 6 {
		p.a.change(entryOf(i, flow.FinWait, 11), false)
	}
	p.a.poll(p.now)
	p.collect()
	for p.deliver(p.b) {
	}
	p.collect()
	for i, err := range []error{errors.New("no memory"), &flow.RefusedError{Why: "full", Entries: 2}, &flow.RefusedError{Why: "full", Entries: 1}} {
		p.b.Applied(p.now, p.b.batch[i].ID, err)
	}
	want := []Refusal{{"full", 3}, {"no memory", 2}}
	if got := p.b.Progress().Refused; len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%+v, want %+v", got, want)
	}
	expect(t, p.b.Engine, false, "apply failed: full: 3 entries refused")
}
