package daemon

import (
	"errors"
	"testing"
	"time"

	"baton/impl/dataplane"
	"baton/impl/flow"
	"baton/impl/node"
)

func TestASweepReportsWhatIsGone(t *testing.T) {
	b := newBench(t, every(2*time.Millisecond, 3))
	b.dp.toBeSwept = []flow.Entry{entry(1), entry(2)}
	b.dp.table[entry(2).Original] = entry(2) // opened anew since
	b.driver.CarryOut(node.Expire{On: true})
	b.tick()
	b.settle(t, "reported", func() bool { return len(b.answers()) == 1 })
	events := b.answers()[0].(node.Flows).Events
	if len(events) != 1 || !events[0].Deleted || events[0].Entry != entry(1) {
		t.Errorf("reported %v, want the first flow deleted", events)
	}
}

// TestEventsFromBeforeASweepAreToldBeforeIt: the flow was opened, and expired, while the loop
// stood still.
func TestEventsFromBeforeASweepAreToldBeforeIt(t *testing.T) {
	b := newBench(t, every(2*time.Millisecond, 3))
	b.dp.toBeSwept = []flow.Entry{entry(1)}
	b.dp.events = []flow.Event{{Entry: entry(1)}}
	b.driver.CarryOut(node.Expire{On: true})
	b.tick()
	b.settle(t, "reported", func() bool { return len(b.answers()) == 2 })
	for i, deleted := range []bool{false, true} {
		if got := b.answers()[i].(node.Flows).Events; len(got) != 1 || got[0].Deleted != deleted {
			t.Errorf("told %v as number %d; want the opening, then the deletion", got, i+1)
		}
	}
}

func TestASweepIsVoidOnceAgeingIsOff(t *testing.T) {
	b := newBench(t, every(2*time.Millisecond, 3))
	b.dp.toBeSwept = []flow.Entry{entry(1)}
	b.dp.hold = make(chan struct{})
	b.driver.CarryOut(node.Expire{On: true})
	b.tick()
	b.driver.CarryOut(node.Expire{On: false})
	close(b.dp.hold)
	b.settle(t, "ended", func() bool { return !b.scans.running })
	if len(b.answers()) != 0 {
		t.Errorf("a follower was told that flows expired: %v", b.answers())
	}
	b.toldLost(t) // so that the dataplane is read, which lacks the flow
	b.tick()
	if b.scans.running {
		t.Error("a sweep runs although ageing is off")
	}
}

// toldLost handles the inbox until it contains a loss of events.
func (b *bench) toldLost(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(benchPatience); ; time.Sleep(benchPause) {
		if time.Now().After(deadline) {
			t.Fatalf("no loss was told within %v", benchPatience)
		}
		for _, i := range b.inbox.take(nil) {
			if _, lost := i.input.(node.Lost); lost {
				return
			}
			b.handle(i)
		}
	}
}

// A batch that fails midway may have removed entries without reporting them.
func TestAfterASweepThatFailedTheTableIsReadAnew(t *testing.T) {
	b := newBench(t, every(2*time.Millisecond, 3))
	b.dp.toBeSwept, b.dp.sweepFails = []flow.Entry{entry(1)}, errors.New("planted")
	b.driver.CarryOut(node.Expire{On: true})
	b.tick()
	b.toldLost(t)
	if len(b.answers()) != 1 {
		t.Errorf("%v: what was removed for certain is not told", b.answers())
	}
}

// An event that cannot be read is lost, both when the loop reads it and when the core
// drains.
func TestAfterEventsThatCannotBeReadTheTableIsReadAnew(t *testing.T) {
	for name, read := range map[string]func(*bench){
		"poll":  func(b *bench) { _, _ = b.pollEvents() }, // the loss is what is tested
		"drain": func(b *bench) { b.driver.CarryOut(node.Drain{ID: 1}) },
	} {
		b := newBench(t, every(2*time.Millisecond, 3))
		b.dp.pollFails = errors.New("planted")
		read(b)
		t.Run(name, b.toldLost)
	}
}

func TestLostEventsAreToldOnce(t *testing.T) {
	b := newBench(t, every(2*time.Millisecond, 3))
	for i, lost := range []uint64{0, 3, 3, 5} {
		b.dp.counters = dataplane.Counters{EventsLost: lost}
		before := b.steps
		b.tick()
		if told, want := b.steps-before, uint64([]int{0, 1, 0, 1}[i]); told != want {
			t.Errorf("%d lost: told %d times, want %d", lost, told, want)
		}
	}
	b.dp.counters = dataplane.Counters{EventsLost: 6}
	b.driver.CarryOut(node.Drain{ID: 1})
	if in, _ := b.driver.Next(); in != (node.Lost{}) {
		t.Errorf("a drain whose events were lost is answered by %+v first", in)
	}
	before := b.steps
	if b.tick(); b.steps != before {
		t.Error("a loss that the drain has told is told again")
	}
}
