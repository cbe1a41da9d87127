package arbiter

import (
	"math/rand/v2"
	"testing"
	"time"

	"baton/impl/clock"
)

const validity = time.Second

// bench runs machines against one register in virtual time. Questions and answers are
// delayed or lost, and nobody resends them.
type bench struct {
	t        *testing.T
	now      clock.Instant
	register Register
	machines []*Machine
	travels  []travel
	random   *rand.Rand
	lossy    bool
	refuses  bool // the store answers each question with an error
	asked    int  // questions of all machines
}

type travel struct {
	at      clock.Instant
	machine int
	asks    *Question
	answers *Answer
}

func newBench(t *testing.T, seed uint64) *bench {
	b := &bench{t: t, now: 1, random: rand.New(rand.NewPCG(seed, 1)), register: Register{Revision: 1}}
	for _, id := range []string{"lb1", "lb2"} {
		m := New(id, validity)
		b.machines = append(b.machines, &m)
	}
	return b
}

// slow is the longest delay of a message.
const slow = 300 * time.Millisecond

func (b *bench) delay() time.Duration {
	if b.lossy {
		return time.Duration(b.random.Int64N(int64(slow)))
	}
	return time.Millisecond
}

// run lets time pass in steps of a millisecond.
func (b *bench) run(d time.Duration) {
	for end := b.now.Add(d); b.now < end; b.now = b.now.Add(time.Millisecond) {
		for i, m := range b.machines {
			if b.now >= m.Deadline() {
				m.Advance(b.now)
			}
			b.collect(i)
		}
		b.deliver()
		if a, c := b.machines[0].Until(), b.machines[1].Until(); a > b.now && c > b.now {
			b.t.Fatalf("at %v both may act alone, until %v and %v; the record is %+v", time.Duration(b.now), time.Duration(a), time.Duration(c), b.register)
		}
	}
}

func (b *bench) collect(i int) {
	for _, q := range b.machines[i].Ready() {
		b.asked++
		if b.lossy && b.random.IntN(5) == 0 {
			continue
		}
		b.travels = append(b.travels, travel{at: b.now.Add(b.delay()), machine: i, asks: &q})
	}
}

func (b *bench) deliver() {
	waiting := b.travels
	b.travels = nil
	for _, t := range waiting {
		switch {
		case t.at > b.now:
			b.travels = append(b.travels, t)
		case t.asks != nil && b.refuses:
			b.travels = append(b.travels, travel{at: b.now.Add(b.delay()), machine: t.machine, answers: &Answer{ID: t.asks.ID, Err: "refused"}})
		case t.asks != nil:
			if a := b.register.Do(*t.asks); !b.lossy || b.random.IntN(5) > 0 {
				b.travels = append(b.travels, travel{at: b.now.Add(b.delay()), machine: t.machine, answers: &a})
			}
		default:
			b.machines[t.machine].Answered(b.now, *t.answers)
			b.collect(t.machine)
		}
	}
}

func (b *bench) want(i int, wants bool) { b.machines[i].Want(b.now, wants) }
func (b *bench) holds(i int) bool       { return b.machines[i].Until() > b.now }

func TestOnlyTheFirstNodeGetsTheRight(t *testing.T) {
	b := newBench(t, 1)
	b.want(0, true)
	b.run(10 * time.Millisecond)
	b.want(1, true)
	for range 100 {
		b.run(100 * time.Millisecond)
		if !b.holds(0) || b.holds(1) {
			t.Fatalf("at %v lb1 holds the right: %v, lb2: %v", time.Duration(b.now), b.holds(0), b.holds(1))
		}
	}
	if !b.machines[1].Denied() {
		t.Error("lb2 does not know that it is denied the right")
	}
}

func TestARightThatIsGivenBackIsFree(t *testing.T) {
	b := newBench(t, 1)
	b.want(0, true)
	b.run(10 * time.Millisecond)
	b.want(0, false)
	if b.holds(0) {
		t.Error("lb1 keeps a right that it does not want")
	}
	b.run(10 * time.Millisecond)
	b.want(1, true)
	b.run(10 * time.Millisecond)
	if !b.holds(1) {
		t.Error("lb2 does not get the right that lb1 returned")
	}
}

// A node that restarts while it holds the right, and does not need it any more, returns it once the
// right of its earlier process has ended. So a crash of that node later costs its peer no validity.
func TestARightOfAnEarlierProcessIsReturned(t *testing.T) {
	b := holding(t)
	again := New("lb1", validity)
	b.machines[0] = &again
	if b.run(validity - 10*time.Millisecond); b.register.Record.Alone != "lb1" {
		t.Errorf("the record is %+v before the earlier process's right can have ended", b.register.Record)
	}
	if b.run(2 * validity); b.register.Record != (Record{}) {
		t.Errorf("the record is %+v, want an empty one", b.register.Record)
	}
	b.want(1, true)
	if b.run(10 * time.Millisecond); !b.holds(1) {
		t.Error("lb2 does not get a right that nobody has")
	}
}

// A live node answers a challenge. A dead one is replaced after the validity, and not much
// later.
func TestADeadHolderIsReplacedAfterTheValidity(t *testing.T) {
	b := newBench(t, 1)
	b.want(0, true)
	b.run(10 * time.Millisecond)
	dead := b.machines[0]
	gone := New("lb1", validity)
	b.machines[0] = &gone
	b.want(1, true)
	b.run(validity - 10*time.Millisecond)
	if b.holds(1) {
		t.Error("lb2 holds the right before lb1's can have run out")
	}
	b.run(30 * time.Millisecond)
	if !b.holds(1) {
		t.Errorf("lb2 does not hold the right %v after lb1 has died", validity)
	}
	if b.machines[1].Denied() {
		t.Error("lb2 holds the right and counts as denied")
	}
	if dead.Until() > b.now {
		t.Error("the dead node's right goes on")
	}
}

// A node that does not reach the store loses the right after its validity.
func TestARightEndsWithoutAnswers(t *testing.T) {
	b := newBench(t, 1)
	b.want(0, true)
	b.run(10 * time.Millisecond)
	for end := b.now.Add(validity); b.now < end; b.now = b.now.Add(time.Millisecond) {
		b.machines[0].Advance(b.now)
		b.machines[0].Ready()
	}
	if b.holds(0) {
		t.Error("a right goes on although nobody answers")
	}
	if b.machines[0].Why() == "" {
		t.Error("nothing says that nobody answers")
	}
}

// A slow answer shortens the right that it renews.
func TestARightCountsFromTheQuestion(t *testing.T) {
	m := New("lb1", validity)
	m.Want(1, true)
	m.Advance(1)
	q := m.Ready()[0]
	m.Answered(2, Answer{ID: q.ID, Revision: 1})
	m.Advance(2)
	q = m.Ready()[0]
	late := clock.Instant(2).Add(validity / 2)
	m.Answered(late, Answer{ID: q.ID, Swapped: true, Revision: 1, Record: q.Record})
	if end := clock.Instant(2).Add(validity); m.Until() <= late || m.Until() >= end {
		t.Errorf("the right ends at %v, want before %v: the question left at 2 ns", time.Duration(m.Until()), time.Duration(end))
	}
}

// The answer to an abandoned question does not renew the right: what the store said may have
// changed before the question from which the right would count.
func TestALateAnswerIsIgnored(t *testing.T) {
	b := newBench(t, 1)
	b.want(0, true)
	b.run(10 * time.Millisecond)
	m := b.machines[0]
	next := func() Question {
		for {
			b.now = m.Deadline()
			m.Advance(b.now)
			if ready := m.Ready(); len(ready) > 0 {
				return ready[0]
			}
		}
	}
	until := m.Until()
	abandoned, asked := next(), next()
	b.now = b.now.Add(time.Millisecond)
	m.Answered(b.now, b.register.Do(abandoned))
	if m.Until() != until {
		t.Errorf("the right ends at %v instead of %v after the answer to an abandoned question", time.Duration(m.Until()), time.Duration(until))
	}
	if m.Answered(b.now, b.register.Do(asked)); m.Until() <= until {
		t.Error("the answer to the present question does not renew the right")
	}
}

// A node that needs the right does not wait for the answer to a question from before.
func TestALostLookDoesNotDelayTheRight(t *testing.T) {
	b := newBench(t, 1)
	b.want(0, true)
	b.run(10 * time.Millisecond)
	b.want(0, false)
	b.run(2 * validity)
	m := b.machines[0]
	b.now = m.Deadline()
	m.Advance(b.now)
	if lost := m.Ready(); len(lost) != 1 || lost[0].Swap {
		t.Fatalf("asked %+v, want to read the record", lost)
	}
	b.want(0, true)
	if b.run(10 * time.Millisecond); !b.holds(0) {
		t.Error("the right waits for an answer that was lost")
	}
}

// Each node asks the store again and again in each situation that may last, also while it needs no right,
// so that a store that is down is noticed. It asks seldom, and a node that is denied the right still gets
// it once its peer has died.
func TestTheStoreIsAskedSeldomButAlways(t *testing.T) {
	const validities = 10
	both := func(b *bench) {
		b.want(0, true)
		b.run(10 * time.Millisecond)
		b.want(1, true)
	}
	for _, c := range []struct {
		name  string
		begin func(b *bench)
		least int // questions in a validity
		most  int
	}{
		{"one acts alone", func(b *bench) { b.want(0, true) }, asksPerValidity, asksPerValidity + 1},
		// The holder's questions and its answer to each challenge; the peer's read, challenge,
		// and attempt to replace it.
		{"the peer is denied the right", both, asksPerValidity, asksPerValidity + 4},
		{"the store refuses", func(b *bench) { both(b); b.refuses = true }, asksPerValidity, 2 * asksPerValidity},
		{"nobody needs the right", func(b *bench) { both(b); b.want(0, false); b.want(1, false) }, 2, 2},
		{"nobody has needed it", func(*bench) {}, 2, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, 1)
			c.begin(b)
			b.run(2 * validity)
			b.asked = 0
			b.run(validities * validity)
			if least, most := c.least*validities-2, (c.most+1)*validities; b.asked < least || b.asked > most {
				t.Errorf("%d questions in %d validities, want %d to %d", b.asked, validities, least, most)
			}
		})
	}
	b := newBench(t, 1)
	both(b)
	b.run(validities * validity)
	gone := New("lb1", validity)
	b.machines[0] = &gone
	if b.run(2*validity + 50*time.Millisecond); !b.holds(1) {
		t.Errorf("lb2 does not hold the right %v after lb1 has died", 2*validity)
	}
}

// With messages lost or late and the record deleted at times, both nodes never hold the right at once, and after the faults
// a node that wants it gets it.
func TestNeverBoth(t *testing.T) {
	for seed := range uint64(60) {
		b := newBench(t, seed)
		b.lossy = true
		for range 40 {
			b.want(b.random.IntN(2), b.random.IntN(3) > 0)
			if b.random.IntN(10) == 0 {
				i := b.random.IntN(2)
				again := New(b.machines[i].self, validity) // it restarts after its old right has ended
				if until := b.machines[i].Until(); until > b.now {
					b.machines[i].Want(b.now, false)
					b.run(until.Sub(b.now))
				}
				b.machines[i] = &again
			}
			if b.random.IntN(10) == 0 {
				b.register.Delete()
			}
			b.run(time.Duration(b.random.Int64N(int64(400 * time.Millisecond))))
		}
		b.lossy = false
		b.want(0, true)
		b.want(1, true)
		b.run(5 * validity)
		if !b.holds(0) && !b.holds(1) {
			t.Fatalf("seed %d: nobody gets the right; the record is %+v", seed, b.register)
		}
	}
}

// TestAReturnedRightCanBeRegainedAtOnce, before and after the answer to its return.
func TestAReturnedRightCanBeRegainedAtOnce(t *testing.T) {
	for after := time.Millisecond; after < 20*time.Millisecond; after += time.Millisecond {
		b := newBench(t, 1)
		b.want(0, true)
		b.run(100 * time.Millisecond)
		b.want(0, false)
		b.run(after)
		b.want(0, true)
		b.run(50 * time.Millisecond)
		if !b.holds(0) {
			t.Errorf("wanted again %v after it was returned: not there after 50ms", after)
		}
	}
}
