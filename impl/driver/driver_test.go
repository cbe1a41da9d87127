package driver

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/impl/arbiter"
	"baton/impl/bfd"
	"baton/impl/clock"
	"baton/impl/flow"
	"baton/impl/node"
	"baton/impl/trace"
)

// bench is a driver of a core whose ports record the calls.
type bench struct {
	*Driver
	core   *node.Node
	now    clock.Instant
	calls  []string
	failed []Call
	takes  bool          // Apply takes time
	later  []func(error) // done callbacks of Apply
	plan   scripted
	until  clock.Instant // the lease
	broken error         // returned by calls that never fail by plan
	lost   bool          // Drain reports lost events
}

// scripted says which calls fail.
type scripted map[Call]Fate

func (s scripted) Fate(c Call) Fate { return s[c] }

const interval = 50 * time.Millisecond

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{plan: scripted{}, now: 1}
	core, err := node.New(node.Config{
		ID: "lb1", Peer: "lb2", Priority: 100, Incarnation: 1, Hold: time.Millisecond,
		Paths: []node.Path{{Name: "sync", CarriesSync: true, BFD: bfd.Config{
			LocalDiscr: 1, DesiredMinTxInterval: interval, RequiredMinRxInterval: interval, DetectMult: 3,
		}}},
	}, b.now)
	if err != nil {
		t.Fatal(err)
	}
	b.core, b.Driver = core, New(core, &Faulty{Ports: b, Plan: b.plan})
	b.Start()
	b.calls = nil
	return b
}

func (b *bench) did(call string) { b.calls = append(b.calls, call) }

func (b *bench) Now() clock.Instant { return b.now }
func (b *bench) Takes(e node.Effect) bool {
	_, apply := e.(node.Apply)
	return b.takes && apply
}
func (b *bench) Lease(until clock.Instant) error {
	b.did("lease")
	b.until = until
	return nil
}
func (b *bench) Apply(entries []flow.Entry, deletes []flow.Tuple, done func(error)) {
	b.did("apply" + strings.Repeat("+", len(entries)) + strings.Repeat("-", len(deletes)))
	b.later = append(b.later, done)
}
func (b *bench) Relay(clock.Instant) error      { b.did("relay"); return b.broken }
func (b *bench) PeerMAC(string, node.MAC) error { b.did("peer-mac"); return b.broken }
func (b *bench) SetMiss(bool) error             { b.did("miss"); return b.broken }
func (b *bench) Keep(flow.Pedigree) error       { b.did("keep"); return b.broken }
func (b *bench) Drain(take func([]flow.Event)) (bool, error) {
	b.did("drain")
	take([]flow.Event{{}})
	return b.lost, nil
}
func (b *bench) Dump(done func([]flow.Entry, error)) {
	b.did("dump")
	done([]flow.Entry{{}}, errors.New("map gone"))
}
func (b *bench) Walk(done func([]flow.Held, bool, error)) {
	b.did("walk")
	done([]flow.Held{{}}, true, errors.New("map gone"))
}
func (b *bench) Examine([]flow.Tuple) ([]flow.Held, error) {
	b.did("examine")
	return []flow.Held{{}}, nil
}
func (b *bench) Heal(entries []flow.Entry, deletes []flow.Tuple, done func(error)) {
	b.did("heal" + strings.Repeat("+", len(entries)) + strings.Repeat("-", len(deletes)))
	done(nil)
}
func (b *bench) Merge(entries []flow.Entry, done func(error)) {
	b.did("merge" + strings.Repeat("+", len(entries)))
	done(nil)
}
func (b *bench) SendReplies(ids []uint64) error {
	b.did(fmt.Sprint("reply ", ids))
	return nil
}
func (b *bench) DropReplies(ids []uint64)   { b.did(fmt.Sprint("drop ", ids)) }
func (b *bench) Expire(bool, clock.Instant) { b.did("expire") }
func (b *bench) SendBFD(_ int, to Cast, _ []byte) error {
	b.did(map[Cast]string{Unicast: "send", Broadcast: "broadcast"}[to])
	return nil
}
func (b *bench) Announce(node.Announce) error  { b.did("announce"); return errors.New("link down") }
func (b *bench) SendSync([]byte)               { b.did("frame") }
func (b *bench) ResetStream(string)            { b.did("reset") }
func (b *bench) Record(trace.Event)            {}
func (b *bench) Failed(c Call, _ error)        { b.failed = append(b.failed, c) }
func (b *bench) Exit()                         { b.did("exit") }
func (b *bench) Arbitrate(arbiter.Question)    { b.did("ask") }
func (b *bench) Follow(topic string, _ []byte) { b.did("follow " + topic) }
func (b *bench) Unfollow()                     { b.did("unfollow") }

// answers returns what Next returns.
func (b *bench) answers() (all []node.Input) {
	for in, ok := b.Next(); ok; in, ok = b.Next() {
		all = append(all, in)
	}
	return all
}

func TestEffectsAreCarriedOutInOrder(t *testing.T) {
	b := newBench(t)
	b.CarryOut(node.Miss{}, &node.SendBFD{}, &node.Lease{Until: 9}, node.SendSync{}, node.ResetStream{}, node.Expire{}, node.Exit{}, node.Arbitrate{}, node.Announce{}, node.Follow{Topic: "web"}, node.Unfollow{}, node.SendReplies{IDs: []uint64{1, 2}}, node.DropReplies{IDs: []uint64{3}})
	want := []string{"miss", "broadcast", "lease", "frame", "reset", "expire", "ask", "announce", "follow web", "unfollow", "reply [1 2]", "drop [3]", "exit"}
	if !slices.Equal(b.calls, want) {
		t.Errorf("carried out %v, want %v: the process ends last", b.calls, want)
	}
	if b.Leased() != 9 {
		t.Errorf("leased until %d, want 9", b.Leased())
	}
	if b.Step(node.Timer{}); len(b.calls) != len(want) {
		t.Errorf("carried out %v after the end", b.calls[len(want):])
	}
}

func TestAnswersComeInOrder(t *testing.T) {
	b := newBench(t)
	b.lost = true
	b.CarryOut(node.Apply{ID: 1}, node.Drain{ID: 2}, node.Dump{ID: 3})
	b.later[0](nil)
	got := b.answers()
	if len(got) != 5 {
		t.Fatalf("answers %+v", got)
	}
	if _, ok := got[0].(node.Flows); !ok || got[1] != (node.Lost{}) || got[2].(node.Done).ID != 2 {
		t.Errorf("first answers %+v, want the events, the loss of others and then the Done of the drain", got[:3])
	}
	if done := got[3].(node.Done); done.ID != 3 || done.Err == "" || done.Entries != nil {
		t.Errorf("a failed dump returned %+v, want an error and no entries", done)
	}
	if got[4].(node.Done).ID != 1 {
		t.Errorf("the last answer is %+v, want the write's, whose done was called last", got[4])
	}
}

func TestAnEffectThatTakesTimeKeepsTheOthersWaiting(t *testing.T) {
	b := newBench(t)
	b.takes = true
	b.CarryOut(node.Miss{}, node.Apply{ID: 1}, &node.SendBFD{})
	if !b.Waits() || len(b.Waiting()) != 2 || !slices.Equal(b.calls, []string{"miss"}) {
		t.Fatalf("waits %v for %v after %v", b.Waits(), b.Waiting(), b.calls)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("Step did not panic while an effect waits")
			}
		}()
		b.Step(node.Timer{})
	}()
	b.Finish()
	if want := []string{"miss", "apply", "broadcast"}; b.Waits() || !slices.Equal(b.calls, want) {
		t.Errorf("carried out %v, want %v", b.calls, want)
	}
}

func TestAnEffectOfUnknownTypePanics(t *testing.T) {
	b := newBench(t)
	defer func() {
		if recover() == nil {
			t.Error("an unknown effect is ignored")
		}
	}()
	b.CarryOut(struct{ node.Effect }{})
}

func TestFailedCallsAreReportedInOrder(t *testing.T) {
	b := newBench(t)
	for _, c := range []Call{SendBFD, Lease, Apply, Drain, Dump} {
		b.plan[c] = Fails
	}
	b.CarryOut(&node.Lease{Until: 9}, &node.SendBFD{}, node.Apply{ID: 1}, node.Drain{ID: 2}, node.Dump{ID: 3}, node.Announce{})
	// The core repeats a packet that carries a change of its condition, a few times.
	if want := []Call{Lease, SendBFD, Apply, Drain, Dump, Announce, SendBFD, SendBFD, SendBFD}; !slices.Equal(b.failed, want) {
		t.Errorf("reported %v, want %v", b.failed, want)
	}
	for _, in := range b.answers() {
		if done := in.(node.Done); done.Err == "" {
			t.Errorf("%+v has no error", done)
		}
	}
}

// TestEveryFailedCallIsReported: a failure that is not reported would be missing in the metrics.
func TestEveryFailedCallIsReported(t *testing.T) {
	effects := map[Call]node.Effect{
		SendBFD: &node.SendBFD{}, Lease: &node.Lease{Until: 9}, Apply: node.Apply{ID: 1}, SetMiss: node.Miss{},
		Drain: node.Drain{ID: 2}, Dump: node.Dump{ID: 3}, Announce: node.Announce{}, Keep: node.Keep{}, Walk: node.Walk{ID: 4},
		Examine: node.Examine{ID: 5}, Heal: node.Heal{ID: 6}, Merge: node.Merge{ID: 7}, Relay: &node.Relay{Until: 9},
		PeerMAC: node.PeerMAC{}, SendReplies: node.SendReplies{IDs: []uint64{8}},
	}
	for c := range Calls {
		b := newBench(t)
		b.plan[c], b.broken = Fails, errors.New("link down")
		b.CarryOut(effects[c])
		if len(b.failed) == 0 || b.failed[0] != c {
			t.Errorf("%v failed, reported %v", c, b.failed)
		}
	}
}

// TestAReplyThatCannotBeSentIsDropped: the dataplane would hold it for ever.
func TestAReplyThatCannotBeSentIsDropped(t *testing.T) {
	b := newBench(t)
	b.plan[SendReplies] = Fails
	b.CarryOut(node.SendReplies{IDs: []uint64{8, 9}})
	if !slices.Contains(b.calls, "drop [8 9]") {
		t.Errorf("calls %v, want that the replies are dropped", b.calls)
	}
}

// TestAPacketThatDidNotLeaveJustifiesNoLease: after it, a renewal and the lease of a claim are
// refused. A lease that forbids forwarding is not.
func TestAPacketThatDidNotLeaveJustifiesNoLease(t *testing.T) {
	b := newBench(t)
	b.CarryOut(&node.SendBFD{}, &node.Lease{Until: 5})
	b.plan[SendBFD] = Fails
	b.CarryOut(&node.SendBFD{}, &node.Lease{Until: 9}, &node.Lease{ID: 4, Until: 9})
	if b.until != 5 || b.Leased() != 5 {
		t.Errorf("leased until %d, Leased returns %d, want 5", b.until, b.Leased())
	}
	if got := b.answers(); len(got) != 1 || got[0].(node.Done).Err == "" {
		t.Errorf("the lease of the claim returned %+v, want an error", got)
	}
	b.CarryOut(&node.SendBFD{}, &node.Lease{Until: 0})
	if b.until != 0 {
		t.Error("forwarding is still allowed")
	}
	b.plan[SendBFD] = Succeeds
	b.CarryOut(&node.SendBFD{}, &node.Lease{Until: 12})
	if b.until != 12 {
		t.Error("the failure of an earlier packet refuses the lease of the next")
	}
}

func TestAHalfwayFailureWritesHalfTheEntries(t *testing.T) {
	b := newBench(t)
	b.plan[Apply] = FailsHalfway
	b.CarryOut(node.Apply{ID: 1, Entries: make([]flow.Entry, 4), Deletes: make([]flow.Tuple, 3)})
	b.later[0](nil)
	if got := b.answers(); b.calls[0] != "apply++" || got[0].(node.Done).Err == "" {
		t.Errorf("calls %v, answers %+v; want half of the entries written, and a failure", b.calls, got)
	}
}

func TestAShareOfZeroDrawsNothing(t *testing.T) {
	drawn := []float64{}
	chance := func(share float64) bool { drawn = append(drawn, share); return share > 0.5 }
	s := Shares{Share: &[Calls]float64{Apply: 0.9, Dump: 0.6, Drain: 0.1}, Halfway: 0.7, Chance: chance}
	for call, want := range map[Call]Fate{Apply: FailsHalfway, Dump: Fails, Drain: Succeeds, SendBFD: Succeeds} {
		if got := s.Fate(call); got != want {
			t.Errorf("%v: fate %d, want %d", call, got, want)
		}
	}
	if len(drawn) != 4 {
		t.Errorf("drawn %v, want nothing for a share of zero", drawn)
	}
}

// TestACloneRunsIndependently: a copy carries out the waiting effects, and they still wait in the
// original.
func TestACloneRunsIndependently(t *testing.T) {
	b := newBench(t)
	b.KeepEffects()
	b.takes = true
	b.CarryOut(node.Apply{ID: 1}, node.Miss{}, node.Announce{})
	other := newBench(t)
	copied := b.Clone(other.core, other)
	copied.Finish()
	if want := []string{"apply", "miss", "announce"}; !slices.Equal(other.calls, want) || len(b.calls) != 0 || !b.Waits() {
		t.Errorf("the copy carried out %v, the original %v", other.calls, b.calls)
	}
}

func TestAHeartbeatAllocatesNothing(t *testing.T) {
	b := newBench(t)
	b.calls = make([]string, 0, 1<<20)
	beat := func() {
		for range 100 {
			b.calls = b.calls[:0]
			b.now = max(b.now, b.core.Deadline())
			b.Step(node.Timer{})
			b.Settle()
		}
	}
	beat()
	beat()
	if got := testing.AllocsPerRun(10, beat); got > 0 {
		t.Errorf("%v allocations for 100 timers", got)
	}
}

// TestAFailedReadReturnsNoEntries, whether the port or the plan made it fail.
func TestAFailedReadReturnsNoEntries(t *testing.T) {
	b := newBench(t)
	b.CarryOut(node.Walk{ID: 1}, node.Examine{ID: 2}, node.Heal{ID: 3, Entries: make([]flow.Entry, 2), Deletes: make([]flow.Tuple, 1)}, node.Merge{ID: 4, Entries: make([]flow.Entry, 1)})
	want := []node.Done{{ID: 1, Err: "map gone"}, {ID: 2, Held: []flow.Held{{}}}, {ID: 3}, {ID: 4}}
	for i, in := range b.answers() {
		if got := in.(node.Done); got.ID != want[i].ID || got.Err != want[i].Err || got.End || len(got.Held) != len(want[i].Held) {
			t.Errorf("answered %+v, want %+v", got, want[i])
		}
	}
	if calls := []string{"walk", "examine", "heal++-", "merge+"}; !slices.Equal(b.calls, calls) {
		t.Errorf("carried out %v, want %v", b.calls, calls)
	}
	b.calls = nil
	for _, c := range []Call{Walk, Examine, Heal, Merge} {
		b.plan[c] = Fails
	}
	b.CarryOut(node.Walk{ID: 1}, node.Examine{ID: 2}, node.Heal{ID: 3}, node.Merge{ID: 4})
	for _, in := range b.answers() {
		if got := in.(node.Done); got.Err != errPlanned.Error() || got.Held != nil {
			t.Errorf("answered %+v", got)
		}
	}
	if len(b.calls) != 0 {
		t.Errorf("carried out %v", b.calls)
	}
}
