package arbiter

import (
	"testing"
	"time"

	"baton/impl/clock"
)

// ask returns the next question of the bench's machine i, which reaches nobody.
func (b *bench) ask(i int) Question {
	b.t.Helper()
	m := b.machines[i]
	for range 10 {
		if ready := m.Ready(); len(ready) > 0 {
			return ready[0]
		}
		b.now = max(b.now, m.Deadline())
		m.Advance(b.now)
	}
	b.t.Fatal("the machine asks nothing")
	return Question{}
}

// holding returns a bench on which lb1 holds the right.
func holding(t *testing.T) *bench {
	b := newBench(t, 1)
	b.want(0, true)
	b.run(10 * time.Millisecond)
	if !b.holds(0) {
		t.Fatal("lb1 does not hold the right")
	}
	return b
}

// A node calls Advance with every input, however early.
func TestNothingIsAskedBeforeItIsDue(t *testing.T) {
	b := holding(t)
	m := b.machines[0]
	for due := m.Deadline(); b.now < due; b.now = b.now.Add(time.Millisecond) {
		m.Advance(b.now)
		if ready := m.Ready(); len(ready) > 0 {
			t.Fatalf("asked %+v %v before it was due", ready, due.Sub(b.now))
		}
	}
}

// What the store says of the right is believed at once: its holder does not act on until the
// right that it got earlier ends.
func TestARightEndsWithItsRecord(t *testing.T) {
	for name, record := range map[string]Record{
		"the record is gone":        {},
		"the record names the peer": {Alone: "lb2"},
	} {
		t.Run(name, func(t *testing.T) {
			b := holding(t)
			b.register.Record = record
			b.register.Revision++
			q := b.ask(0)
			if !b.holds(0) {
				t.Fatal("the right ended before the record was read")
			}
			b.machines[0].Answered(b.now, b.register.Do(q))
			if b.holds(0) {
				t.Errorf("lb1 acts alone until %v although %s", time.Duration(b.machines[0].Until()), name)
			}
		})
	}
}

// Nobody needs a right that arrives after its purpose has ended.
func TestARightThatArrivesTooLateIsReturned(t *testing.T) {
	b := newBench(t, 1)
	b.want(0, true)
	m := b.machines[0]
	m.Answered(b.now, b.register.Do(b.ask(0)))
	take := b.ask(0)
	b.want(0, false)
	m.Answered(b.now, b.register.Do(take))
	if b.holds(0) {
		t.Error("lb1 holds a right that it does not want")
	}
	if b.run(10 * time.Millisecond); b.register.Record.Alone != "" {
		t.Errorf("the record is %+v, want no name in it", b.register.Record)
	}
}

// Denied means that the store names the peer, and that this node needs the right.
func TestOnlyThePeersNameDenies(t *testing.T) {
	for _, c := range []struct {
		alone string
		wants bool
		want  bool
	}{
		{"", true, false},
		{"lb1", true, false},
		{"lb2", true, true},
		{"lb2", false, false},
	} {
		b := newBench(t, 1)
		b.register = Register{Record: Record{Alone: c.alone}, Revision: 1}
		b.want(0, c.wants)
		m := b.machines[0]
		m.Answered(b.now, b.register.Do(b.ask(0)))
		if m.Denied() != c.want {
			t.Errorf("record names %q, lb1 wants the right: %v: denied is %v", c.alone, c.wants, m.Denied())
		}
		b.want(0, false)
		if m.Denied() {
			t.Errorf("record names %q: a node is denied what it does not want", c.alone)
		}
	}
}

// The node tells from this whether the store answers: it may have to serve without it.
func TestAMachineKnowsWhetherTheStoreAnswers(t *testing.T) {
	b := holding(t)
	m := b.machines[0]
	knows := func(when string, unanswered bool, back clock.Instant) {
		t.Helper()
		if m.Unanswered() != unanswered || m.Back() != back || (m.Why() != "") != unanswered {
			t.Errorf("%s: unanswered %v because of %q, back at %v; want %v, %v",
				when, m.Unanswered(), m.Why(), time.Duration(m.Back()), unanswered, time.Duration(back))
		}
	}
	answered := func(when string, a Answer, want bool) {
		t.Helper()
		if got := m.Answered(b.now, a); got != want {
			t.Errorf("%s: says that the store has answered: %v", when, got)
		}
	}
	knows("answers so far", false, 0)
	q := b.ask(0)
	answered("a refusal", Answer{ID: q.ID, Err: "refused"}, false)
	knows("after a refusal", true, 0)

	q = b.ask(0)
	b.now = m.Deadline()
	m.Advance(b.now)
	answered("an answer to a question that was given up", b.register.Do(q), false)
	knows("after silence", true, 0)

	answered("an answer in time", b.register.Do(b.ask(0)), true)
	since := b.now
	knows("after an answer", false, since)
	answered("the next answer", b.register.Do(b.ask(0)), true)
	knows("after another answer", false, since)
}

// After a pause of the node, what it knows of the store is old. What it waits for is not
// shortened: the peer may have answered the challenge.
func TestAPauseForgetsOnlyWhetherTheStoreAnswers(t *testing.T) {
	b := holding(t)
	b.ask(0)
	b.now = b.machines[0].Deadline()
	b.machines[0].Advance(b.now)
	if !b.machines[0].Unanswered() {
		t.Fatal("a question without an answer leaves no trace")
	}
	b.machines[0].Forget(b.now)
	if b.machines[0].Unanswered() || b.machines[0].Deadline() > b.now {
		t.Errorf("after a pause: unanswered %v, next question in %v", b.machines[0].Unanswered(), b.machines[0].Deadline().Sub(b.now))
	}

	b = holding(t)
	b.want(1, true)
	b.run(10 * time.Millisecond) // lb2's challenge stands
	m := b.machines[1]
	m.Forget(b.now)
	if q := b.ask(1); q.Swap {
		t.Errorf("takes the right %v after its challenge: %+v", 10*time.Millisecond, q)
	}

	m.Forget(b.now)
	if m.Deadline() > b.now {
		t.Errorf("a question from before the pause delays the next by %v", m.Deadline().Sub(b.now))
	}
}

// The swap may have taken place although its answer was an error, so the record is read before
// the next.
func TestAfterAFailedSwapTheRecordIsRead(t *testing.T) {
	b := holding(t)
	b.want(1, true)
	b.run(10 * time.Millisecond)
	m := b.machines[1]
	q := b.ask(1)
	if !q.Swap {
		t.Fatalf("asked %+v a validity after the challenge, want to take the right", q)
	}
	m.Answered(b.now, Answer{ID: q.ID, Err: "the leader has changed"})
	if q = b.ask(1); q.Swap {
		t.Errorf("asked %+v after a swap that failed, want to read the record", q)
	}
}
