package health_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"baton/impl/clock"
	"baton/impl/health"
)

var (
	a = netip.MustParseAddrPort("198.18.1.11:80")
	b = netip.MustParseAddrPort("198.18.1.12:80")
)

const ms = time.Millisecond

// lab drives a pool in virtual time. answers has the result of each backend's probes.
type lab struct {
	t       *testing.T
	pool    *health.Pool
	now     clock.Instant
	timeout time.Duration
	answers map[netip.AddrPort]string // "": success; "silence": no answer in time; "never": no result; "undecided"; else the failure
	took    time.Duration             // of an answer
	pending []pending
	changes []string
	writes  int
	probes  map[netip.AddrPort][]clock.Instant
	asked   map[netip.AddrPort]uint64 // the last probe
}

type pending struct {
	at      clock.Instant
	backend netip.AddrPort
	result  health.Result
}

func newLab(t *testing.T, check health.Check, backends ...netip.AddrPort) *lab {
	cfg := health.Config{Check: check}
	for _, addr := range backends {
		cfg.Backends = append(cfg.Backends, health.Backend{Addr: addr, Weight: 1})
	}
	l := &lab{t: t, now: 1000, timeout: check.Timeout, answers: map[netip.AddrPort]string{}, took: ms, probes: map[netip.AddrPort][]clock.Instant{}, asked: map[netip.AddrPort]uint64{}}
	l.pool = health.New(cfg, 1, l.now)
	return l
}

func (l *lab) step(in health.Input) {
	l.pool.Step(l.now, in)
	for _, e := range l.pool.Ready() {
		switch e := e.(type) {
		case health.Probe:
			l.probes[e.Backend], l.asked[e.Backend] = append(l.probes[e.Backend], l.now), e.ID
			took, answer := l.took, l.answers[e.Backend]
			switch answer {
			case "silence":
				took = l.timeout
			case "never":
				continue
			}
			l.pending = append(l.pending, pending{l.now.Add(took), e.Backend, health.Result{ID: e.ID, Err: answer, Undecided: answer == "undecided"}})
		case health.Change:
			l.changes = append(l.changes, fmt.Sprintf("%v %v>%v", e.Backend, e.From, e.To))
		case health.Write:
			l.writes++
		}
	}
}

// run lets time pass.
func (l *lab) run(d time.Duration) {
	for end := l.now.Add(d); ; {
		at, next := l.pool.Deadline(), -1
		for i := range l.pending {
			if l.pending[i].at <= at {
				at, next = l.pending[i].at, i
			}
		}
		if at > end {
			l.now = end
			return
		}
		if at < l.now {
			l.t.Fatalf("the deadline %v has passed at %v", at, l.now)
		}
		l.now = at
		if next < 0 {
			l.step(health.Timer{})
			continue
		}
		result := l.pending[next].result
		l.pending = slices.Delete(l.pending, next, next+1)
		l.step(result)
	}
}

func (l *lab) state(addr netip.AddrPort) health.State {
	for _, s := range l.pool.Status(l.now) {
		if s.Backend == addr {
			return s.State
		}
	}
	return 0
}

func (l *lab) shares() string {
	var list []string
	for _, s := range l.pool.Shares() {
		list = append(list, fmt.Sprintf("%v×%d", s.Backend.Addr(), s.Weight))
	}
	return strings.Join(list, " ")
}

func check() health.Check {
	return health.Check{Interval: 100 * ms, Timeout: 40 * ms, Rise: 2, Fall: 3}
}

// TestABackendThatDiesIsDownWithinFallIntervals of its death, at any phase, with any
// failure.
func TestABackendThatDiesIsDownWithinFallIntervals(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c := check()
		c.Fall = rapid.IntRange(1, 5).Draw(r, "fall")
		c.Jitter = rapid.IntRange(0, 50).Draw(r, "jitter")
		l := newLab(t, c, a, b)
		l.run(time.Second + time.Duration(rapid.IntRange(0, 100_000).Draw(r, "died"))*time.Microsecond)
		l.answers[a] = rapid.SampledFrom([]string{"silence", "refused"}).Draw(r, "how")
		for i, p := range l.pending { // the answer to the running probe is lost
			if p.backend == a && p.at > l.now {
				l.pending[i].at, l.pending[i].result.Err = p.at.Add(l.timeout-l.took), "silence"
			}
		}
		limit := c.Limit()
		l.run(limit)
		if l.state(a) != health.Down || l.shares() != "198.18.1.12×1" {
			r.Fatalf("after %v: %v, new flows go to %s", limit, l.state(a), l.shares())
		}
	})
}

// TestFewerFailuresThanFallChangeNothing: a host that answers in between stays up.
func TestFewerFailuresThanFallChangeNothing(t *testing.T) {
	l := newLab(t, check(), a)
	for range 5 {
		for _, answer := range []string{"refused", "refused", ""} {
			l.answers[a] = answer
			began := len(l.probes[a])
			for len(l.probes[a]) == began {
				l.run(ms)
			}
			l.run(10 * ms)
		}
	}
	if len(l.changes) > 0 || l.writes > 0 {
		t.Errorf("changes %v, %d writes", l.changes, l.writes)
	}
}

// TestAnUndecidedProbeChangesNothing: failures before and after it are in a row, and it brings nothing up.
func TestAnUndecidedProbeChangesNothing(t *testing.T) {
	l := newLab(t, check(), a)
	for range check().Fall {
		l.answers[a] = "refused"
		for n := len(l.probes[a]); len(l.probes[a]) == n; {
			l.run(ms)
		}
		l.answers[a] = "undecided"
		l.run(500 * ms)
	}
	if l.state(a) != health.Down || len(l.changes) != 1 {
		t.Errorf("%v after %d failures, changes %q", l.state(a), check().Fall, l.changes)
	}
}

// TestAnUndecidedProbeHastensNoOther: only a first failure does.
func TestAnUndecidedProbeHastensNoOther(t *testing.T) {
	l := newLab(t, check(), a)
	l.answers[a] = "undecided"
	l.run(1000 * ms)
	for i := 1; i < len(l.probes[a]); i++ {
		if d := l.probes[a][i].Sub(l.probes[a][i-1]); d != check().Interval {
			t.Errorf("%v between two probes, want %v", d, check().Interval)
		}
	}
	if s := l.pool.Status(l.now)[0]; int(s.Probed) < len(l.probes[a])-1 || s.Failed != 0 {
		t.Errorf("%d of %d probes counted, %d as failed", s.Probed, len(l.probes[a]), s.Failed)
	}
}

// TestACloneChangesNothingOfItsOriginal, also without a Configure, which replaces the backends.
func TestACloneChangesNothingOfItsOriginal(t *testing.T) {
	l := newLab(t, check(), a, b)
	l.run(150 * ms)
	l.step(health.Drain{Backend: b, For: time.Minute})
	was, shares := l.pool.Status(l.now), l.shares()
	clone := l.pool.Clone()
	if !slices.Equal(clone.Status(l.now), was) || clone.Deadline() != l.pool.Deadline() {
		t.Errorf("the clone is %+v, its original %+v", clone.Status(l.now), was)
	}
	clone.Step(l.now, health.Drain{Backend: a, For: 0})
	clone.Step(l.now, health.Ready{Backend: b})
	if now := clone.Status(l.now); now[0].State != health.Drained || now[1].State != health.Up {
		t.Fatalf("the clone has not changed: %+v", now)
	}
	if now := l.pool.Status(l.now); !slices.Equal(now, was) || l.shares() != shares || len(l.pool.Ready()) != 0 {
		t.Errorf("the original became %+v by a change of its clone, was %+v", now, was)
	}
}

func TestRiseAnswersBringABackendUp(t *testing.T) {
	l := newLab(t, check(), a, b)
	l.answers[a] = "silence"
	l.run(500 * ms)
	l.answers[a] = ""
	for n := len(l.probes[a]); len(l.probes[a]) < n+1; {
		l.run(ms)
	}
	if l.run(10 * ms); l.state(a) != health.Down {
		t.Errorf("%v after one answer", l.state(a))
	}
	if l.run(100 * ms); l.state(a) != health.Up || l.shares() != "198.18.1.11×1 198.18.1.12×1" {
		t.Errorf("%v after two answers, new flows go to %s", l.state(a), l.shares())
	}
	if want := []string{a.String() + " up>down", a.String() + " down>up"}; !slices.Equal(l.changes, want) || l.writes != 2 {
		t.Errorf("changes %q in %d writes", l.changes, l.writes)
	}
}

func TestSlowStartGrowsByTenths(t *testing.T) {
	c := check()
	c.SlowStart = time.Second
	l := newLab(t, c, a, b)
	if l.shares() != "198.18.1.11×1 198.18.1.12×1" {
		t.Errorf("a start of the node is no slow start: %s", l.shares())
	}
	l.answers[a] = "silence"
	l.run(500 * ms)
	l.answers[a] = ""
	for l.state(a) == health.Down {
		l.run(ms)
	}
	var seen []string
	for range 12 {
		seen = append(seen, l.shares())
		l.run(100 * ms)
	}
	for i, want := range []string{"198.18.1.11×1 198.18.1.12×10", "198.18.1.11×2 198.18.1.12×10", "198.18.1.11×3 198.18.1.12×10"} {
		if seen[i] != want {
			t.Errorf("tenth %d: %s, want %s", i+1, seen[i], want)
		}
	}
	if l.state(a) != health.Up || seen[11] != "198.18.1.11×1 198.18.1.12×1" {
		t.Errorf("at the end %v with %s", l.state(a), seen[11])
	}
}

// The share grows on time, although the next probe is far away.
func TestSlowStartGrowsBetweenProbes(t *testing.T) {
	c := check()
	c.SlowStart, c.Interval, c.Rise = time.Second, time.Minute, 1
	l := newLab(t, c, a, b)
	l.answers[a] = "refused"
	l.run(10 * time.Minute)
	delete(l.answers, a)
	for l.state(a) != health.Starting {
		l.run(ms)
	}
	l.run(550 * ms)
	if want := a.Addr().String() + "×6 " + b.Addr().String() + "×10"; l.shares() != want || l.writes < 5 {
		t.Errorf("shares %s after %d writes, want %s", l.shares(), l.writes, want)
	}
}

// Each timer of a slow start has come as the share grows, also if a tenth is no whole number of nanoseconds: one that
// came too early would be wanted again at once.
func TestEachTimerOfASlowStartGrowsTheShare(t *testing.T) {
	for slow := time.Duration(1); slow < 25; slow++ {
		c := check()
		c.SlowStart = slow
		l := newLab(t, c, a, b)
		l.step(health.Follow{Decisions: []health.Decision{{Backend: a, Starting: true, Slow: slow}, {Backend: b}}})
		for l.state(a) == health.Starting {
			at := l.pool.Deadline()
			if at <= l.now {
				t.Fatalf("a slow start of %d ns: a timer for %v at %v", slow, at, l.now)
			}
			l.now = at
			l.step(health.Timer{})
		}
	}
}

func TestStatesHaveNames(t *testing.T) {
	for _, s := range health.States() {
		if name := s.String(); name == "" || strings.HasPrefix(name, "state") {
			t.Errorf("state %d is called %q", s, name)
		}
	}
	for _, s := range []health.State{0, health.Drained + 1} {
		if want := fmt.Sprintf("state%d", s); s.String() != want {
			t.Errorf("no state is called %q, want %q", s, want)
		}
	}
}

func TestADrainEndsNewFlowsAndNothingElse(t *testing.T) {
	l := newLab(t, check(), a, b)
	l.run(time.Second)
	l.step(health.Drain{Backend: a, For: 2 * time.Second})
	if l.state(a) != health.Draining || l.shares() != "198.18.1.12×1" {
		t.Errorf("%v, new flows go to %s", l.state(a), l.shares())
	}
	l.run(1999 * ms)
	if l.state(a) != health.Draining {
		t.Errorf("%v before its deadline", l.state(a))
	}
	if l.run(ms); l.state(a) != health.Drained {
		t.Errorf("%v at its deadline", l.state(a))
	}
	l.answers[a] = "silence"
	if l.run(time.Second); l.state(a) != health.Drained {
		t.Errorf("%v as it dies", l.state(a))
	}
	l.step(health.Ready{Backend: a})
	if l.state(a) != health.Down {
		t.Errorf("%v: a drain hides that it died", l.state(a))
	}
}

// TestADrainEndsOnTimeWithoutProbes: nothing else wakes the pool.
func TestADrainEndsOnTimeWithoutProbes(t *testing.T) {
	l := newLab(t, health.Check{}, a, b)
	l.step(health.Drain{Backend: a, For: 2 * time.Second})
	l.step(health.Drain{Backend: b, For: time.Hour})
	if at, want := l.pool.Deadline(), l.now.Add(2*time.Second); at != want {
		t.Fatalf("the pool wants a timer at %v, want %v", at, want)
	}
	if l.run(2 * time.Second); l.state(a) != health.Drained || l.state(b) != health.Draining {
		t.Errorf("a is %v, b %v", l.state(a), l.state(b))
	}
	if at, want := l.pool.Deadline(), l.now.Add(time.Hour-2*time.Second); at != want {
		t.Errorf("the pool wants a timer at %v, want %v", at, want)
	}
}

// TestADrainingBackendThatDiesHasDrained: nothing is left to wait for, and its flows may move.
func TestADrainingBackendThatDiesHasDrained(t *testing.T) {
	l := newLab(t, check(), a, b)
	l.step(health.Drain{Backend: a, For: time.Hour})
	l.answers[a] = "silence"
	if l.run(check().Limit()); l.state(a) != health.Drained {
		t.Errorf("%v, dead before its deadline", l.state(a))
	}
	l.answers[a] = ""
	if l.run(time.Second); l.state(a) != health.Draining {
		t.Errorf("%v, back before its deadline", l.state(a))
	}
	if want := []string{a.String() + " up>draining", a.String() + " draining>drained", a.String() + " drained>draining"}; !slices.Equal(l.changes, want) {
		t.Errorf("changes %q", l.changes)
	}
}

func TestAllBackendsDownLeaveNobody(t *testing.T) {
	l := newLab(t, check(), a, b)
	l.answers[a], l.answers[b] = "silence", "refused"
	if l.run(time.Second); l.shares() != "" {
		t.Errorf("new flows go to %s", l.shares())
	}
}

// TestConfigureKeepsWhatStays: a reload does not bring a dead backend back.
func TestConfigureKeepsWhatStays(t *testing.T) {
	l := newLab(t, check(), a)
	l.answers[a] = "silence"
	l.run(time.Second)
	both := []health.Backend{{Addr: a, Weight: 1}, {Addr: b, Weight: 3}}
	l.step(health.Configure{Config: health.Config{Check: check(), Backends: both}})
	if l.shares() != "198.18.1.12×3" {
		t.Errorf("new flows go to %s", l.shares())
	}
	if l.step(health.Configure{Config: health.Config{Backends: both}}); l.shares() != "198.18.1.11×1 198.18.1.12×3" {
		t.Errorf("without checks new flows go to %s", l.shares())
	}
	if l.pool.Deadline() != clock.Never {
		t.Errorf("without checks there is a deadline")
	}
}

// TestAShorterIntervalHoldsAtOnce: the next probe does not wait for the end of the interval that was configured before.
func TestAShorterIntervalHoldsAtOnce(t *testing.T) {
	slow := check()
	slow.Interval = time.Hour
	l := newLab(t, slow, a, b)
	l.run(100 * time.Minute)
	l.answers[a] = "silence"
	l.step(health.Configure{Config: health.Config{Check: check(), Backends: []health.Backend{{Addr: a, Weight: 1}, {Addr: b, Weight: 1}}}})
	limit := check().Limit()
	if l.run(limit); l.state(a) != health.Down || l.state(b) != health.Up {
		t.Errorf("after %v: %v and %v", limit, l.state(a), l.state(b))
	}
	if l.probes[a][len(l.probes[a])-1] == l.probes[b][len(l.probes[b])-1] {
		t.Error("two backends are probed in one instant")
	}
}

// TestAReloadDoesNotProbeEarly: with the same interval the next probes are due as before.
func TestAReloadDoesNotProbeEarly(t *testing.T) {
	l := newLab(t, check(), a)
	for range 20 {
		l.run(10 * ms)
		l.step(health.Configure{Config: health.Config{Check: check(), Backends: []health.Backend{{Addr: a, Weight: 1}}}})
	}
	if n := len(l.probes[a]); n > 3 {
		t.Errorf("%d probes in two intervals", n)
	}
}

// TestAResultOfAnotherPoolDoesNotCount: a service that is deleted and added again under its name may
// still get the result of a probe from before.
func TestAResultOfAnotherPoolDoesNotCount(t *testing.T) {
	c := check()
	c.Fall = 1
	cfg := health.Config{Check: c, Backends: []health.Backend{{Addr: a, Weight: 1}}}
	begin := func(seed uint64) (*health.Pool, uint64) {
		p := health.New(cfg, seed, 1000)
		p.Step(1000, health.Timer{})
		for _, e := range p.Ready() {
			if probe, ok := e.(health.Probe); ok {
				return p, probe.ID
			}
		}
		t.Fatal("no probe")
		return nil, 0
	}
	_, old := begin(1)
	p, _ := begin(2)
	p.Step(1001, health.Result{ID: old, Err: "refused"})
	if s := p.Status(1001)[0]; s.State != health.Up || s.Probed != 0 {
		t.Errorf("%+v", s)
	}
}

// TestJitterOnlyShortens intervals, which the bound of Limit relies on.
func TestJitterOnlyShortens(t *testing.T) {
	c := check()
	c.Jitter = 30
	l := newLab(t, c, a)
	l.run(20 * time.Second)
	seen := map[time.Duration]bool{}
	for i := 1; i < len(l.probes[a]); i++ {
		d := l.probes[a][i].Sub(l.probes[a][i-1])
		if seen[d] = true; d < 70*ms || d > 100*ms {
			t.Errorf("%v between two probes", d)
		}
	}
	if len(seen) < 50 {
		t.Errorf("%d different intervals", len(seen))
	}
}

// TestADownBackendIsProbedEachInterval: only the probe after a first failure comes early.
func TestADownBackendIsProbedEachInterval(t *testing.T) {
	c := check()
	c.Jitter = 0
	l := newLab(t, c, a)
	l.answers[a] = "connection refused"
	l.run(time.Duration(c.Fall+1) * c.Interval)
	if l.state(a) != health.Down {
		t.Fatalf("the backend is %v", l.state(a))
	}
	before := len(l.probes[a])
	l.run(10 * c.Interval)
	if probes := len(l.probes[a]) - before; probes != 10 {
		t.Errorf("%d probes in 10 intervals", probes)
	}
}

// TestAProbeWithoutAResultDecidesNothing: a prober that is late itself knows nothing of the backend. The probes go on
// with the result.
func TestAProbeWithoutAResultDecidesNothing(t *testing.T) {
	l := newLab(t, check(), a, b)
	l.answers[a] = "never"
	l.run(10 * time.Second)
	if l.state(a) != health.Up || len(l.probes[a]) != 1 || len(l.probes[b]) < 90 {
		t.Fatalf("%v after %d probes, and %d of the other backend", l.state(a), len(l.probes[a]), len(l.probes[b]))
	}
	l.answers[a] = ""
	l.step(health.Result{ID: l.asked[a], Undecided: true})
	l.run(time.Second)
	if s := l.pool.Status(l.now)[0]; s.State != health.Up || s.Probed < 9 || s.Undecided != 1 || s.Failed != 0 {
		t.Errorf("%+v", s)
	}
}

// TestAProbeFromBeforeTheChecksWereTurnedOffDoesNotCount once they are on again.
func TestAProbeFromBeforeTheChecksWereTurnedOffDoesNotCount(t *testing.T) {
	c := check()
	c.Fall = 1
	l := newLab(t, c, a)
	l.answers[a] = "silence"
	l.run(c.Timeout / 2)
	if len(l.probes[a]) != 1 {
		t.Fatalf("%d probes are running", len(l.probes[a]))
	}
	backends := []health.Backend{{Addr: a, Weight: 1}}
	l.step(health.Configure{Config: health.Config{Backends: backends}})
	l.run(10 * c.Interval)
	l.answers[a] = ""
	l.step(health.Configure{Config: health.Config{Check: c, Backends: backends}})
	l.run(10 * c.Interval)
	if len(l.changes) != 0 {
		t.Errorf("changes %q", l.changes)
	}
}
