package arbiter

import (
	"testing"
	"time"
)

// The peer of a node that acts alone finds no record: somebody has deleted it. The right that the
// deleted record gave still holds.
func TestADeletedRecordFreesNobodysRight(t *testing.T) {
	for at := time.Duration(0); at < validity; at += 10 * time.Millisecond {
		for _, wanted := range []bool{true, false} {
			b := holding(t)
			b.run(at)
			b.register.Delete()
			b.want(1, wanted)
			for range 40 {
				b.run(validity / 10) // fails if both hold the right
				if !b.holds(0) {
					t.Fatalf("deleted %v after the right was given, wanted by lb2: %v; lb1 has lost it at %v", at, wanted, time.Duration(b.now))
				}
			}
		}
	}
}

// A node whose peer held the right and died gets it one validity after it found the record deleted.
func TestADeletedRecordOfADeadNodeIsReplaced(t *testing.T) {
	b := holding(t)
	b.register.Delete()
	b.machines[0].Want(b.now, false)
	b.machines[0].Ready()
	gone := New("lb1", validity)
	b.machines[0] = &gone
	b.machines[0].next = b.now.Add(time.Hour)
	b.want(1, true)
	if b.run(validity - 10*time.Millisecond); b.holds(1) {
		t.Error("lb2 holds the right before lb1's can have run out")
	}
	if b.run(30 * time.Millisecond); !b.holds(1) {
		t.Errorf("lb2 does not hold the right %v after it found the record deleted", validity)
	}
}

// A new pair, and one whose record was deleted while nobody needed it, has a record a validity
// later. So the first to need the right gets it at once, also if the node that wrote the record has
// restarted.
func TestAMissingRecordIsWrittenBeforeItIsNeeded(t *testing.T) {
	for _, restarted := range []bool{false, true} {
		b := newBench(t, 1)
		b.register = Register{}
		b.run(validity / 2)
		if restarted {
			for i, m := range b.machines {
				again := New(m.self, validity)
				b.machines[i] = &again
			}
		}
		b.run(2*validity + 100*time.Millisecond)
		if b.register.Record != (Record{}) || b.register.Revision == 0 {
			t.Errorf("restarted %v: the record is %+v at revision %d, want an empty one", restarted, b.register.Record, b.register.Revision)
		}
		b.want(1, true)
		if b.run(10 * time.Millisecond); !b.holds(1) {
			t.Errorf("restarted %v: lb2 does not get a right that nobody has", restarted)
		}
	}
}

// A node that needs the right while its challenge of a missing record stands gets it when the
// challenge has stood for a validity, or at once if the peer wrote the challenge.
func TestTheRightDuringAChallengeOfAMissingRecord(t *testing.T) {
	for i, wait := range []time.Duration{validity, 0} {
		b := newBench(t, 1)
		b.register = Register{}
		b.run(5 * time.Millisecond)
		if want := (Record{Challenger: "lb1"}); b.register.Record != want {
			t.Fatalf("the record is %+v, want %+v", b.register.Record, want)
		}
		b.run(validity / 4)
		b.want(i, true)
		if b.run(wait*3/4 - 10*time.Millisecond); wait > 0 && b.holds(i) {
			t.Error("lb1 holds a right that another may have")
		}
		if b.run(30 * time.Millisecond); !b.holds(i) {
			t.Errorf("%s does not hold the right %v after the challenge", b.machines[i].self, wait)
		}
	}
}

// A node whose right has run out finds the record of its successor deleted: it does not act on the right
// that it had before.
func TestADeletedRecordRestoresNoRightOfBefore(t *testing.T) {
	b := holding(t)
	b.want(1, true)
	before := b.machines[0]
	before.next = b.now.Add(10 * validity) // it does not get to ask
	if b.run(2 * validity); b.holds(0) || !b.holds(1) {
		t.Fatalf("lb1 holds the right: %v, lb2: %v, want only lb2", b.holds(0), b.holds(1))
	}
	b.register.Delete()
	before.next = b.now
	for range 40 {
		b.run(validity / 10) // fails if both hold the right
		if !b.holds(1) {
			t.Fatalf("lb2 has lost the right at %v", time.Duration(b.now))
		}
	}
}

// A node that waits for the end of its challenge does not ask the store meanwhile.
func TestAChallengeOfAMissingRecordIsAwaited(t *testing.T) {
	b := newBench(t, 1)
	b.register = Register{}
	b.run(validity / 4)
	b.want(0, true)
	was := b.asked
	if b.run(validity / 2); b.asked-was > 2 {
		t.Errorf("%d questions in half a validity, want one of lb1, which needs the right now, and at most one of lb2", b.asked-was)
	}
	if b.run(validity); !b.holds(0) {
		t.Error("lb1 does not get the right after its challenge")
	}
}
