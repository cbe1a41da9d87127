package health_test

import (
	"net/netip"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"baton/impl/health"
)

// aIsDown says that a is down, and b is not.
func aIsDown() health.Follow {
	return health.Follow{Decisions: []health.Decision{{Backend: a, Down: true}, {Backend: b}}}
}

// TestEachDecisionIsReadAsItWasWritten: of both families, with every combination of its times.
func TestEachDecisionIsReadAsItWasWritten(t *testing.T) {
	var told []health.Decision
	for _, backend := range []netip.AddrPort{a, netip.MustParseAddrPort("[2001:2::11]:443")} {
		for i := range 8 {
			d := health.Decision{Backend: backend, Down: i&1 != 0, Drains: i&2 != 0, Starting: i&4 != 0}
			if d.Drains {
				d.Drain = time.Minute
			}
			if d.Starting {
				d.Slow = 1500 * ms
			}
			told = append(told, d)
		}
	}
	b := health.AppendDecisions(nil, told)
	if got, err := health.DecodeDecisions(b); err != nil || !reflect.DeepEqual(got, told) {
		t.Errorf("read %v, %v; want %v", got, err, told)
	}
	for n := 1; n < len(b); n++ {
		if got, err := health.DecodeDecisions(b[:n]); err == nil && len(got) == len(told) {
			t.Errorf("the first %d of %d bytes are read as all decisions", n, len(b))
		}
	}
}

// TestATimeThatDoesNotFitIsWrittenAsTheNearestThatDoes: a drain of months must not end at once on the node that follows.
func TestATimeThatDoesNotFitIsWrittenAsTheNearestThatDoes(t *testing.T) {
	const most = (1<<32 - 1) * ms
	for d, want := range map[time.Duration]time.Duration{-ms: 0, 0: 0, most: most, most + ms: most, 2 * most: most} {
		got, err := health.DecodeDecisions(health.AppendDecisions(nil, []health.Decision{{Backend: a, Drains: true, Drain: d}}))
		if err != nil || len(got) != 1 || got[0].Drain != want {
			t.Errorf("%v is read as %v, %v; want %v", d, got, err, want)
		}
	}
}

// TestASlowStartIsToldWithTheTimeThatItHasLeft: to the node that follows.
func TestASlowStartIsToldWithTheTimeThatItHasLeft(t *testing.T) {
	c := check()
	c.SlowStart = time.Second
	l := newLab(t, c, a, b)
	l.answers[a] = "refused"
	l.run(time.Second)
	delete(l.answers, a)
	for l.state(a) != health.Starting {
		l.run(ms)
	}
	l.run(300 * ms)
	for _, d := range l.pool.Decisions(l.now) {
		want := health.Decision{Backend: d.Backend}
		if d.Backend == a {
			want.Starting, want.Slow = true, 700*ms
		}
		if diff := (d.Slow - want.Slow).Abs(); d.Starting != want.Starting || diff > ms {
			t.Errorf("tells %+v, want %+v", d, want)
		}
	}
}

// Another pool's decision holds whatever this node's probes say; they count again once this
// pool leads.
func TestAPoolThatFollowsTakesWhatWasDecided(t *testing.T) {
	l := newLab(t, check(), a, b)
	l.run(300 * ms)
	l.step(aIsDown())
	if l.state(a) != health.Down || l.shares() != b.Addr().String()+"×1" {
		t.Fatalf("a is %v, shares %s", l.state(a), l.shares())
	}
	l.answers[b] = "refused"
	l.run(time.Second)
	if l.state(a) != health.Down || l.state(b) != health.Up {
		t.Errorf("a is %v although the other pool has it down, b %v", l.state(a), l.state(b))
	}
	for _, s := range l.pool.Status(l.now) {
		if !s.Follows || !s.Disagrees {
			t.Errorf("%+v", s)
		}
	}
}

// TestOnlyAPoolThatFollowsDisagrees: by its last probes. Where it decides, a failure is one on the way to a decision.
func TestOnlyAPoolThatFollowsDisagrees(t *testing.T) {
	l := newLab(t, check(), a, b)
	l.answers[b] = "refused"
	l.run(150 * ms) // one failure
	want := func(a, b bool) {
		t.Helper()
		if s := l.pool.Status(l.now); s[0].Disagrees != a || s[1].Disagrees != b {
			t.Errorf("a disagrees: %v, b: %v, want %v and %v", s[0].Disagrees, s[1].Disagrees, a, b)
		}
	}
	want(false, false)
	l.step(health.Follow{Decisions: []health.Decision{{Backend: a}, {Backend: b}}})
	l.run(100 * ms)
	want(false, true)
	l.step(health.Lead{})
	want(false, false)
}

// A takeover alone changes nothing. The next probe of each backend does if those before it
// agree: a backend that died together with the other node is not kept for longer.
func TestAPoolThatLeadsAgainStartsFromTheFollowedDecisions(t *testing.T) {
	l := newLab(t, check(), a, b)
	l.step(aIsDown())
	l.answers[b] = "refused"
	l.run(time.Second)
	before := l.writes
	l.step(health.Lead{})
	if l.state(a) != health.Down || l.state(b) != health.Up || l.writes != before {
		t.Errorf("the takeover alone made a %v and b %v", l.state(a), l.state(b))
	}
	l.run(100*ms + l.took)
	if l.state(a) != health.Up || l.state(b) != health.Down {
		t.Errorf("after one more probe a is %v, b %v", l.state(a), l.state(b))
	}
}

// Failures before the takeover count as those after it do: as many as there were, and not one more.
func TestFailuresBeforeTheTakeoverCountOnce(t *testing.T) {
	for before, more := range map[int]int{1: 2, 2: 1, 3: 1} {
		l := newLab(t, check(), a, b) // down after three failures
		l.step(health.Follow{Decisions: []health.Decision{{Backend: a}, {Backend: b}}})
		failed := func() uint64 { return l.pool.Status(l.now)[1].Failed }
		l.answers[b] = "refused"
		for failed() < uint64(before) {
			l.run(ms)
		}
		l.step(health.Lead{})
		for l.state(b) == health.Up {
			l.run(ms)
		}
		if got := int(failed()) - before; got != more {
			t.Errorf("%d failures before the takeover and %d after it take a backend down, want %d", before, got, more)
		}
	}
}

// If both agree, one lost probe after the takeover changes nothing.
func TestAPoolThatAgreedNeedsAllItsFailures(t *testing.T) {
	l := newLab(t, check(), a, b)
	l.step(health.Follow{Decisions: []health.Decision{{Backend: a}, {Backend: b}}})
	l.run(time.Second)
	l.step(health.Lead{})
	l.answers[a] = "refused"
	l.run(150 * ms)
	if l.state(a) != health.Up {
		t.Errorf("a is %v after one failure", l.state(a))
	}
	l.run(300 * ms)
	if l.state(a) != health.Down {
		t.Errorf("a is %v after %d failures", l.state(a), check().Fall)
	}
}

// Failures that led to a decision do not count as answers that contradict it.
func TestFailuresBeforeADecisionDoNotCountAgainstIt(t *testing.T) {
	l := newLab(t, check(), a, b)
	l.step(health.Follow{Decisions: []health.Decision{{Backend: a}, {Backend: b}}})
	l.answers[a] = "refused"
	l.run(250 * ms)
	l.step(aIsDown())
	l.step(health.Lead{})
	delete(l.answers, a)
	l.run(100*ms + l.took)
	if l.state(a) != health.Down {
		t.Errorf("a is %v after one answer, want %d", l.state(a), check().Rise)
	}
	l.run(100 * ms)
	if l.state(a) != health.Up {
		t.Errorf("a is %v after %d answers", l.state(a), check().Rise)
	}
}

// Drains and their deadlines are followed, and outlive the takeover; those of this node's
// operator wait until it leads.
func TestDrainsAreFollowed(t *testing.T) {
	l := newLab(t, check(), a, b)
	drains := func(left time.Duration) health.Follow {
		return health.Follow{Decisions: []health.Decision{{Backend: a, Drains: true, Drain: left}, {Backend: b}}}
	}
	l.step(drains(time.Second))
	l.run(500 * ms)
	l.step(drains(450 * ms)) // a message that took 50 ms
	l.step(health.Drain{Backend: b, For: time.Minute})
	l.step(health.Ready{Backend: a})
	if l.state(a) != health.Draining || l.state(b) != health.Up {
		t.Errorf("a is %v, b %v", l.state(a), l.state(b))
	}
	l.step(health.Lead{})
	l.run(499 * ms)
	if l.state(a) != health.Draining {
		t.Errorf("a is %v before its deadline", l.state(a))
	}
	l.run(ms)
	if l.state(a) != health.Drained {
		t.Errorf("a is %v at its deadline", l.state(a))
	}
	l.step(health.Ready{Backend: a})
	if l.state(a) != health.Up {
		t.Errorf("a is %v", l.state(a))
	}
}

// TestWhoDecided: a state that the MASTER changed is told as its decision; one that it confirms keeps its own reason.
func TestWhoDecided(t *testing.T) {
	l := newLab(t, check(), a, b)
	why := func() string { return l.pool.Status(l.now)[0].Why }
	both := func(down bool) health.Follow {
		return health.Follow{Decisions: []health.Decision{{Backend: a, Down: down}, {Backend: b}}}
	}
	if l.step(both(false)); why() != "" {
		t.Errorf("a is up as it was, because %q", why())
	}
	if l.step(both(true)); why() != "decided by the MASTER" {
		t.Errorf("a is down, because %q", why())
	}
}

// A decision to drain says how long the drain still lasts.
func TestADrainDecisionHasItsRemainingTime(t *testing.T) {
	l := newLab(t, check(), a, b)
	l.step(health.Drain{Backend: a, For: time.Minute})
	l.run(20 * time.Second)
	if d := l.pool.Decisions(l.now); !d[0].Drains || d[0].Drain != 40*time.Second || d[1].Drains || d[1].Drain != 0 {
		t.Errorf("decided %+v", d)
	}
}

// A backend that the other node does not have is decided here.
func TestABackendThatTheOtherNodeLacksIsDecidedHere(t *testing.T) {
	l := newLab(t, check(), a, b)
	l.step(health.Follow{Decisions: []health.Decision{{Backend: a}}})
	l.answers[a], l.answers[b] = "refused", "refused"
	l.run(time.Second)
	if l.state(a) != health.Up || l.state(b) != health.Down {
		t.Errorf("a is %v, b %v", l.state(a), l.state(b))
	}
}

// A node without probes has nothing that would bring a backend up.
func TestWithoutProbesABackendIsUpOnceThisPoolDecides(t *testing.T) {
	l := newLab(t, health.Check{}, a, b)
	l.step(aIsDown())
	l.step(health.Configure{Config: health.Config{Backends: []health.Backend{{Addr: a, Weight: 2}, {Addr: b, Weight: 1}}}})
	if l.state(a) != health.Down {
		t.Errorf("a is %v after a reload", l.state(a))
	}
	l.step(health.Lead{})
	if l.state(a) != health.Up {
		t.Errorf("a is %v", l.state(a))
	}
}

// The shares of a slow start are the same on both nodes, also if this one has another slow
// start.
func TestASlowStartIsFollowed(t *testing.T) {
	c := check()
	c.SlowStart = time.Second
	l := newLab(t, c, a, b)
	l.step(health.Follow{Decisions: []health.Decision{{Backend: a, Starting: true, Slow: 550 * ms}, {Backend: b}}})
	if want := a.Addr().String() + "×5 " + b.Addr().String() + "×10"; l.shares() != want {
		t.Errorf("shares %s, want %s", l.shares(), want)
	}
	l.step(health.Follow{Decisions: []health.Decision{{Backend: a, Starting: true, Slow: time.Hour}, {Backend: b}}})
	if want := a.Addr().String() + "×1 " + b.Addr().String() + "×10"; l.shares() != want {
		t.Errorf("shares %s, want %s", l.shares(), want)
	}
}

// A following pool has the shares and the decisions of the other pool.
func TestAFollowingPoolHasTheSharesOfTheLeader(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c := check()
		c.SlowStart = time.Duration(rapid.IntRange(0, 1).Draw(r, "slow")) * time.Second
		leader, follower := newLab(t, c, a, b), newLab(t, c, a, b)
		for range rapid.IntRange(1, 12).Draw(r, "steps") {
			target := rapid.SampledFrom([]netip.AddrPort{a, b}).Draw(r, "backend")
			switch rapid.IntRange(0, 3).Draw(r, "what") {
			case 0:
				leader.answers[target] = rapid.SampledFrom([]string{"", "refused", "silence"}).Draw(r, "answer")
			case 1:
				leader.step(health.Drain{Backend: target, For: time.Duration(rapid.IntRange(0, 900).Draw(r, "for")) * ms})
			case 2:
				leader.step(health.Ready{Backend: target})
			}
			d := time.Duration(rapid.IntRange(0, 500).Draw(r, "run")) * ms
			leader.run(d)
			follower.now = leader.now
			said := leader.pool.Decisions(leader.now)
			decoded, err := health.DecodeDecisions(health.AppendDecisions(nil, said))
			if err != nil {
				r.Fatal(err)
			}
			follower.step(health.Follow{Decisions: decoded})
			if got, want := follower.shares(), leader.shares(); got != want {
				r.Fatalf("the follower shares %q, the other %q, after %+v", got, want, said)
			}
		}
	})
}

func TestDecisionsAreToldWhenTheyChange(t *testing.T) {
	l := newLab(t, check(), a, b)
	said := 0
	count := func(in health.Input) {
		l.pool.Step(l.now, in)
		for _, e := range l.pool.Ready() {
			if _, ok := e.(health.Decided); ok {
				said++
			}
		}
	}
	count(health.Timer{})
	if said != 1 {
		t.Errorf("a new pool says its decisions %d times", said)
	}
	for i, in := range []health.Input{health.Drain{Backend: a, For: time.Minute}, health.Drain{Backend: a, For: time.Hour}, health.Ready{Backend: a}} {
		count(in)
		if said != 2+i {
			t.Errorf("after input %d said %d times", i, said)
		}
		count(health.Timer{})
		if said != 2+i {
			t.Errorf("said %d times although nothing has changed since input %d", said, i)
		}
	}
}

func FuzzDecodeDecisions(f *testing.F) {
	f.Add(health.AppendDecisions(nil, []health.Decision{
		{Backend: a, Down: true}, {Backend: b, Drains: true, Drain: time.Second, Starting: true, Slow: time.Minute},
	}))
	f.Add([]byte{8})
	f.Fuzz(func(t *testing.T, msg []byte) {
		list, err := health.DecodeDecisions(msg)
		if err != nil {
			return
		}
		again, err := health.DecodeDecisions(health.AppendDecisions(nil, list))
		if err != nil || !reflect.DeepEqual(again, list) {
			t.Errorf("%x reads as %v, and again as %v, %v", msg, list, again, err)
		}
	})
}

// TestTimesOfADecisionAge, down to none, and those of the decision that was taken stay as they are.
func TestTimesOfADecisionAge(t *testing.T) {
	told := []health.Decision{{Backend: a, Drains: true, Drain: 5 * time.Second, Starting: true, Slow: 10 * time.Second}}
	for age, want := range map[time.Duration][2]time.Duration{0: {5 * time.Second, 10 * time.Second}, 3 * time.Second: {2 * time.Second, 7 * time.Second},
		8 * time.Second: {0, 2 * time.Second}, time.Minute: {}} {
		if got := health.Aged(told, age)[0]; got.Drain != want[0] || got.Slow != want[1] {
			t.Errorf("after %v: drain %v, slow start %v, want %v", age, got.Drain, got.Slow, want)
		}
	}
}
