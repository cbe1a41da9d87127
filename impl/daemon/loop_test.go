package daemon

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/clock/boottime"
	"baton/impl/daemon/poller"
	"baton/impl/flow"
	"baton/impl/ha"
	"baton/impl/node"
)

func TestEventsComeInBoundedInputsInOrder(t *testing.T) {
	b := newBench(t, every(2*time.Millisecond, 3))
	const n = 2*maxEvents + 10
	for i := range n {
		b.dp.add(flow.Event{Entry: entry(i)})
	}
	b.driver.CarryOut(node.Drain{ID: 7})
	var got []flow.Event
	for i, in := range b.answers() {
		switch in := in.(type) {
		case node.Flows:
			if len(in.Events) > maxEvents {
				t.Errorf("input %d carries %d events, want at most %d", i, len(in.Events), maxEvents)
			}
			got = append(got, in.Events...)
		case node.Done:
			if in.ID != 7 || i != len(b.answers())-1 {
				t.Errorf("Done %d is answer %d of %d, want it after every event", in.ID, i, len(b.answers()))
			}
		}
	}
	if len(got) != n {
		t.Fatalf("%d events, want %d", len(got), n)
	}
	for i, e := range got {
		if e.Entry != entry(i) {
			t.Fatalf("event %d is %v", i, e)
		}
	}
}

// TestTheHeartbeatComesBetweenPollsOfAFlood: while flows open faster than their events are
// stepped, the loop reads one input of them at a time and checks its deadline in between.
// An event takes a millisecond here.
func TestTheHeartbeatComesBetweenPollsOfAFlood(t *testing.T) {
	b := newBench(t, every(2*time.Millisecond, 3))
	const perEvent = time.Millisecond
	now, polling := boottime.Now(), false
	began := now
	b.loop.now = func() clock.Instant { return now }
	b.out.client = func(flow.Addr) {
		if polling {
			now = now.Add(perEvent)
		}
	}
	const n = 20 * maxEvents
	for i := range n {
		b.dp.add(flow.Event{Entry: entry(i)})
	}
	b.inbox.call(func() {}) // after it the loop handles what came due while the events were made
	b.work()
	polls, behind := 0, time.Duration(0)
	for more := true; more; polls++ {
		b.inbox.call(func() {
			var err error
			polling = true
			if more, err = b.pollEvents(); err != nil {
				t.Error(err)
			}
			polling = false
			behind = max(behind, now.Sub(b.node.Deadline()))
		})
		b.work()
		if now >= b.node.Deadline() {
			t.Fatalf("poll %d: the core's deadline came %v ago and was not looked at", polls, now.Sub(b.node.Deadline()))
		}
	}
	if want := time.Duration(maxEvents) * perEvent; behind > want {
		t.Errorf("a poll kept the core's deadline waiting for %v, want at most %v", behind, want)
	}
	if took := now.Sub(began); took != n*perEvent || polls != n/maxEvents || b.path.sent < int(took/time.Second) {
		t.Errorf("%d polls in %v, %d heartbeats sent; want %d in %v, at least one a second", polls, took, b.path.sent, n/maxEvents, n*perEvent)
	}
}

// TestEventsThatClientsWaitForAreReadAtOnce: all of them, with other work in between. Others
// wait for watchEvents.
func TestEventsThatClientsWaitForAreReadAtOnce(t *testing.T) {
	b := newBench(t, every(2*time.Millisecond, 3))
	const n = 2*maxEvents + 10
	left := func() int { return len(b.dp.events) }
	for i := range n {
		b.dp.add(flow.Event{Entry: entry(i)})
	}
	b.poller.Wake()
	if b.mustTurn(t); left() != n {
		t.Fatalf("%d events were read for which nobody waits", n-left())
	}
	b.dp.rung = true
	b.poller.Wake()
	for i, want := range []int{n - 2*maxEvents, 0} { // the first turn reads, then does what is queued
		if b.mustTurn(t); left() != want {
			t.Fatalf("after turn %d %d events are left, want %d", i+1, left(), want)
		}
	}
}

// TestEventsThatCannotBeReadAreNotReadAgainAtOnce: watchEvents does, after a pause.
func TestEventsThatCannotBeReadAreNotReadAgainAtOnce(t *testing.T) {
	b := newBench(t, every(2*time.Millisecond, 3))
	b.dp.add(flow.Event{Entry: entry(1)})
	b.dp.pollFails, b.dp.rung = errors.New("planted"), true
	for range 3 {
		b.poller.Wake()
		b.mustTurn(t)
	}
	if failed := b.failures.snapshot()["poll"]; failed != 1 {
		t.Errorf("the events were read %d times, want once", failed)
	}
}

func TestApplyIsAnsweredWithItsFailure(t *testing.T) {
	b := newBench(t, every(2*time.Millisecond, 3))
	b.dp.fail = errors.New("table full")
	b.driver.CarryOut(node.Apply{ID: 3, Entries: []flow.Entry{entry(1)}})
	if done := b.answers()[0].(node.Done); done.ID != 3 || done.Err != "table full" {
		t.Errorf("answered %+v", done)
	}
}

func TestApplyWaitsForAScan(t *testing.T) {
	b := newBench(t, every(2*time.Millisecond, 3))
	b.dp.table[entry(1).Original] = entry(1)
	b.dp.hold = make(chan struct{})
	b.driver.CarryOut(node.Dump{ID: 1})
	b.driver.CarryOut(node.Apply{ID: 2, Entries: []flow.Entry{entry(2)}})
	b.driver.CarryOut(node.Dump{ID: 3})
	if b.dp.applyCalls != 0 || len(b.answers()) != 0 {
		t.Fatalf("%d applied and %d answered while the scan runs", b.dp.applyCalls, len(b.answers()))
	}
	close(b.dp.hold)
	b.settle(t, "all answered", func() bool { return len(b.answers()) == 3 })
	for i, want := range []struct {
		id      uint64
		entries int
	}{{1, 1}, {2, 0}, {3, 2}} {
		if done := b.answers()[i].(node.Done); done.ID != want.id || len(done.Entries) != want.entries {
			t.Errorf("answer %d is %d with %d entries, want %d with %d", i, done.ID, len(done.Entries), want.id, want.entries)
		}
	}
}

// TestALateWriteSparesLiveState: a write requested before a claim and executed after it
// adds missing entries, and overwrites nothing that packets have changed since.
func TestALateWriteSparesLiveState(t *testing.T) {
	b := newBench(t, every(2*time.Millisecond, 3))
	put := func(i int, origin flow.Origin, state flow.State) flow.Entry {
		e := entry(i)
		e.Origin, e.State = origin, state
		b.dp.table[e.Original] = e
		return e
	}
	live := put(1, flow.Opened, flow.FinWait)
	opened := put(3, flow.Opened, flow.SynSent)
	adopted := put(4, flow.Adopted, flow.Established)
	gone := put(5, flow.Synced, flow.Established)
	b.dp.hold = make(chan struct{})
	b.driver.CarryOut(node.Dump{ID: 1})
	b.driver.CarryOut(node.Apply{ID: 2, Entries: []flow.Entry{entry(1), entry(2)}, Deletes: []flow.Tuple{opened.Original, adopted.Original, gone.Original}})
	b.driver.CarryOut(&node.Lease{ID: 3, Until: boottime.Now().Add(time.Hour)})
	close(b.dp.hold)
	b.settle(t, "all answered", func() bool { return len(b.answers()) == 3 })
	for _, want := range []flow.Entry{live, entry(2), opened, adopted} {
		if got := b.dp.table[want.Original]; got != want {
			t.Errorf("the table has %+v, want %+v", got, want)
		}
	}
	if got, found := b.dp.table[gone.Original]; found {
		t.Errorf("a replicated entry was not deleted: %+v", got)
	}
	if done := b.answers()[2].(node.Done); done.ID != 2 || done.Err != "" {
		t.Errorf("answered %+v", done)
	}
	b.driver.CarryOut(&node.Lease{Until: boottime.Now()})
	b.driver.CarryOut(node.Apply{ID: 4, Entries: []flow.Entry{entry(1)}, Deletes: []flow.Tuple{opened.Original}})
	if _, found := b.dp.table[opened.Original]; found || b.dp.table[live.Original] != entry(1) {
		t.Error("a node that no longer forwards spares what it opened")
	}
}

// TestAClaimInterruptsTheScanThatEntriesWaitFor: the claim continues when they are written,
// a dump for the core fails, and a client's listing restarts.
func TestAClaimInterruptsTheScanThatEntriesWaitFor(t *testing.T) {
	for _, waits := range []bool{true, false} {
		b := newBench(t, every(2*time.Millisecond, 3))
		for i := range 3 {
			b.dp.table[entry(i).Original] = entry(i)
		}
		b.dp.hold = make(chan struct{})
		b.driver.CarryOut(node.Dump{ID: 1 << 40}) // no effect of the core's has the number
		total := 0
		b.scans.list(b.loop, 0, func(_ []flow.Entry, all int, err error) {
			if total = all; err != nil {
				t.Error(err)
			}
		})
		if waits {
			b.driver.CarryOut(node.Apply{ID: 1<<40 + 1, Entries: []flow.Entry{entry(3)}})
		}
		b.become(t, ha.Master)
		b.came = nil
		var dump node.Done
		close(b.dp.hold)
		b.settle(t, "read", func() bool {
			for _, in := range b.answers() {
				if done, ok := in.(node.Done); ok && done.ID == 1<<40 {
					dump = done
				}
			}
			return total > 0
		})
		if interrupted := dump.Err != ""; interrupted != waits || (len(dump.Entries) == 3) == waits {
			t.Errorf("entries wait: %v; the dump ended with %d entries and %q", waits, len(dump.Entries), dump.Err)
		}
		if want := map[bool]int{true: 4, false: 3}[waits]; total != want {
			t.Errorf("entries wait: %v; the table was read with %d entries, want %d", waits, total, want)
		}
	}
}

// TestAnInterruptedReadingBeginsAnew: a client's listing.
func TestAnInterruptedReadingBeginsAnew(t *testing.T) {
	b := newBench(t, every(2*time.Millisecond, 3))
	b.dp.table[entry(0).Original] = entry(0)
	b.dp.hold = make(chan struct{})
	total := 0
	b.scans.list(b.loop, 0, func(_ []flow.Entry, all int, err error) {
		if total = all; err != nil {
			t.Error(err)
		}
	})
	b.driver.CarryOut(node.Apply{ID: 1 << 40, Entries: []flow.Entry{entry(1)}})
	b.become(t, ha.Master)
	close(b.dp.hold)
	b.settle(t, "read", func() bool { return total > 0 })
	if total != 2 {
		t.Errorf("%d entries were read, want those that were waited for too", total)
	}
}

func TestATableIsReadBetweenScansAndUpToItsLimit(t *testing.T) {
	b := newBench(t, every(2*time.Millisecond, 3))
	for i := range 5 {
		b.dp.table[entry(i).Original] = entry(i)
	}
	b.dp.hold = make(chan struct{})
	b.driver.CarryOut(node.Dump{ID: 1})
	var read, total int
	b.scans.list(b.loop, 3, func(entries []flow.Entry, all int, err error) {
		if err != nil || len(b.answers()) != 1 {
			t.Errorf("read after %d answers: %v", len(b.answers()), err)
		}
		read, total = len(entries), all
	})
	close(b.dp.hold)
	b.settle(t, "read", func() bool { return total > 0 })
	if read != 3 || total != 5 {
		t.Errorf("%d entries of %d, want 3 of 5", read, total)
	}
}

// TestHeartbeatsAreSentBetweenInputs fills the inbox with work that each takes until after
// the core's deadline.
func TestHeartbeatsAreSentBetweenInputs(t *testing.T) {
	b := newBench(t, every(2*time.Millisecond, 3))
	const n = 2
	for range n {
		b.inbox.call(func() {
			for deadline := b.node.Deadline(); boottime.Now() < deadline; {
				runtime.Gosched()
			}
		})
	}
	b.work()
	if b.steps < n {
		t.Errorf("the core had %d timers beside %d inputs, want one after each", b.steps, n)
	}
}

func TestBulkInputsWaitForTheLoop(t *testing.T) {
	b := newInbox(func() {})
	sent := make(chan int, 1000)
	go func() {
		for i := range 2 * maxBulk {
			b.postBulk(node.Message{})
			sent <- i
		}
		close(sent)
	}()
	for range maxBulk {
		<-sent
	}
	select {
	case i := <-sent:
		t.Fatalf("input %d was taken, want it to wait", i)
	default:
	}
	if n := len(b.take(nil)); n != maxBulk {
		t.Fatalf("%d inputs, want %d", n, maxBulk)
	}
	b.release()
	<-sent // the one that was let go
	b.close()
	for range sent { // the others are let go too
	}
	b.post(node.Timer{})
	if n := len(b.take(nil)); n != 1 {
		t.Errorf("%d inputs after the end, want the one from before", n)
	}
}

func TestThePollerWakesForDeadlineAndForWake(t *testing.T) {
	p, err := poller.New()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	deadline := boottime.Now().Add(5 * time.Millisecond)
	if err := p.Wait(deadline); err != nil {
		t.Fatal(err)
	}
	if now := boottime.Now(); now < deadline {
		t.Errorf("woke %v before the deadline", deadline.Sub(now))
	}
	if err := p.Wait(boottime.Now() - 1); err != nil { // in the past: at once
		t.Fatal(err)
	}
	woken := make(chan error, 1)
	go func() { woken <- p.Wait(clock.Never) }()
	p.Wake()
	select {
	case err := <-woken:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(patience):
		t.Fatal("a wait without a deadline was not woken")
	}
}

func TestLatenessCountsByBucket(t *testing.T) {
	var l lateness
	for _, d := range []time.Duration{-time.Second, 0, 100 * time.Microsecond, time.Second, 101 * time.Microsecond} {
		l.note(d)
	}
	if l.counts[0] != 2 || l.counts[1] != 1 || l.counts[len(l.counts)-1] != 1 || l.max != time.Second {
		t.Errorf("counted %+v", l)
	}
}
