package timeline

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"baton/impl/clock"
	"baton/impl/trace"
)

// script makes events: each line is so many milliseconds after the first step.
type script []trace.Event

func (s *script) at(ms float64, node string, e trace.Event) {
	e.At = clock.Instant(time.Hour) + clock.Instant(ms*1e6)
	e.Node = node
	*s = append(*s, e)
}

func (s *script) role(ms float64, node, from, to, reason string) {
	s.at(ms, node, trace.Event{Role: &trace.Role{From: from, To: to, Reason: reason, Epoch: 1}})
}

func (s *script) fault(ms float64, verb, host string) {
	f := trace.Fault{ID: len(*s), Verb: verb, Target: host, Hosts: []string{host}, Phase: "begin"}
	s.at(ms, "", trace.Event{Fault: &f})
	seen := f
	seen.Phase, seen.Receipt = "receipt", "seen"
	s.at(ms, "", trace.Event{Fault: &seen})
}

func (s *script) lease(ms float64, node string, until float64) {
	s.at(ms, node, trace.Event{Lease: &trace.Lease{Until: clock.Instant(time.Hour) + clock.Instant(until*1e6)}})
}

// begin is a pair of which lb1 is MASTER and lb2 Backup.
func begin() *script {
	s := &script{}
	s.at(-5, "lb1", trace.Event{Role: &trace.Role{From: "Init", To: "Backup"}})
	s.at(0, "", trace.Event{Step: &trace.Step{Text: "wait lb1 is Master", Phase: "begin"}})
	s.role(1, "lb1", "Backup", "Claiming", "no MASTER")
	s.role(2, "lb1", "Claiming", "Master", "forwarding")
	s.lease(2, "lb1", 150)
	s.role(3, "lb2", "Init", "Backup", "ready")
	s.at(4, "lb2", trace.Event{BFD: &trace.BFD{Path: "sync", From: "Init", To: "Up"}})
	s.at(4, "lb2", trace.Event{BFD: &trace.BFD{Path: "clients", From: "Init", To: "Up"}})
	return s
}

// crash lets lb2 take over from an lb1 that dies at 100.
func crash() *script {
	s := begin()
	s.fault(100, "crash", "lb1")
	s.at(220, "lb2", trace.Event{BFD: &trace.BFD{Path: "clients", From: "Up", To: "Down"}})
	s.at(230, "lb2", trace.Event{BFD: &trace.BFD{Path: "sync", From: "Up", To: "Down"}})
	s.role(240, "lb2", "Backup", "Claiming", "no MASTER")
	s.lease(245, "lb2", 400)
	s.role(246, "lb2", "Claiming", "Master", "forwarding")
	s.at(247, "lb2", trace.Event{Announce: &trace.Announce{Count: 1}})
	gap := func(name, proto string, from, to float64) {
		s.at(to, "client1", trace.Event{Gap: &trace.Gap{Name: name, Flow: "client1/0", Proto: proto,
			From: clock.Instant(time.Hour) + clock.Instant(from*1e6), To: clock.Instant(time.Hour) + clock.Instant(to*1e6)}})
	}
	gap("probe", "udp", 98, 250)
	gap("web", "tcp", 99, 402)
	return s
}

func lane(t *testing.T, r Run, kind, of, name string) Lane {
	t.Helper()
	i := slices.IndexFunc(r.Lanes, func(l Lane) bool { return l.Kind == kind && l.Of == of && l.Name == name })
	if i < 0 {
		t.Fatalf("no lane %s of %s %s", kind, of, name)
	}
	return r.Lanes[i]
}

func TestATakeoverHasAStepForEachPhase(t *testing.T) {
	r := Build(*crash())
	if len(r.Failovers) != 1 {
		t.Fatalf("%d failovers, want 1: %+v", len(r.Failovers), r.Failovers)
	}
	f := r.Failovers[0]
	if f.Kind != Takeover || f.From != "lb1" || f.To != "lb2" || f.Cause != "crash lb1" || f.Probe != "probe/client1/0 (udp)" {
		t.Errorf("%+v", f)
	}
	want := map[string]At{"detection": 132_000, "gate": 10_000, "install": 5_000, "forward": 1_000, "announce": 1_000, "first packet": 3_000}
	var sum At
	shares, next := 0.0, f.Steps[0].From
	for _, s := range f.Steps {
		if s.Took != want[s.Name] {
			t.Errorf("%s took %d µs, want %d", s.Name, s.Took, want[s.Name])
		}
		if s.From != next {
			t.Errorf("%s begins at %d, the stage before it ends at %d", s.Name, s.From, next)
		}
		next = s.From + s.Took
		sum += s.Took
		shares += s.Share
	}
	if len(f.Steps) != len(want) || sum != f.Total || f.Total != 152_000 || math.Abs(shares-1) > 1e-9 {
		t.Errorf("%d stages, %d µs of %d in all, shares of %v", len(f.Steps), sum, f.Total, shares)
	}
}

// TestATakeoverIgnoresRetransmissionTimersAndExpiredLeases: a session waits for its own timer, and a lease that has
// ended is not the new MASTER's.
func TestATakeoverIgnoresRetransmissionTimersAndExpiredLeases(t *testing.T) {
	want := Build(*crash()).Failovers[0]
	s := crash()
	s.lease(242, "lb2", 200)
	at := func(ms int) clock.Instant { return clock.Instant(time.Hour) + clock.Instant(ms*1e6) }
	s.at(249, "client1", trace.Event{Gap: &trace.Gap{Name: "web", Flow: "client1/1", Proto: "tcp", From: at(97), To: at(249)}})
	slices.SortStableFunc(*s, func(a, b trace.Event) int { return cmp.Compare(a.At, b.At) })
	if got := Build(*s).Failovers[0]; !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
}

func TestAHandoverBeginsWithTheRequest(t *testing.T) {
	s := begin()
	s.fault(100, "handover", "lb1")
	s.role(101, "lb1", "Master", "Yielding", "asked")
	s.role(102, "lb2", "Backup", "Claiming", "granted")
	s.lease(102.5, "lb2", 300)
	s.role(103, "lb2", "Claiming", "Master", "forwarding")
	s.at(103, "lb2", trace.Event{Announce: &trace.Announce{Count: 1}})
	f := Build(*s).Failovers
	if len(f) != 1 || f[0].Kind != Handover || f[0].At != 100_000 || f[0].Total != 3_000 || f[0].Steps[0].Name != "yield" || f[0].Steps[0].Took != 1_000 {
		t.Fatalf("%+v", f)
	}
}

// TestAClaimBesideALivingMasterIsASeizure: the seed bug must not look like a failover
// that somebody wanted.
func TestAClaimBesideALivingMasterIsASeizure(t *testing.T) {
	s := crash()
	s.fault(500, "restore", "lb1")
	s.role(540, "lb1", "Init", "Backup", "ready")
	s.role(541, "lb1", "Backup", "Claiming", "gates are off")
	s.role(542, "lb1", "Claiming", "Master", "forwarding")
	f := Build(*s).Failovers
	if len(f) != 2 || f[1].Kind != Seizure || f[1].From != "lb2" || f[1].To != "lb1" {
		t.Fatalf("%+v", f)
	}
	// Neither a later claim of the same node nor what comes after its next loss is a part of it.
	s.at(910, "lb1", trace.Event{Forwarder: &trace.Forwarder{Edge: "clients", From: "lb2", Last: clock.Instant(time.Hour)}})
	s.role(900, "lb1", "Master", "Backup", "peer ranks above")
	slices.SortStableFunc(*s, func(a, b trace.Event) int { return cmp.Compare(a.At, b.At) })
	s.role(950, "lb1", "Backup", "Claiming", "no MASTER")
	if f := Build(*s).Failovers; f[1].At != 541_000 || f[1].Total != 1_000 {
		t.Errorf("%+v: it took from the claim at 541 ms to 542 ms", f[1])
	}
}

func TestANodeThatIsGoneHasNoRole(t *testing.T) {
	s := crash()
	s.fault(500, "restore", "lb1")
	s.at(700, "lb2", trace.Event{Note: "the run goes on"})
	r := Build(*s)
	roles := lane(t, r, RoleLane, "lb1", "").Spans
	if last := roles[len(roles)-1]; last.State != "Master · epoch 1" || last.To != 100_000 || last.Tone != Good {
		t.Errorf("%+v: the MASTER that crashed at 100 ms", last)
	}
	faults := lane(t, r, Faults, "", "").Spans
	if len(faults) != 1 || faults[0].From != 100_000 || faults[0].To != 500_000 || faults[0].State != "crash lb1" {
		t.Errorf("%+v: a crash lasts to the restore", faults)
	}
}

// TestALeaseOutlivesAKillButNoCrash: a killed daemon's program forwards until the
// lease ends, a crashed host forwards nothing.
// TestANodeThatEndedByItselfHasNoRole: and its last words stand there.
func TestANodeThatEndedByItselfHasNoRole(t *testing.T) {
	s := begin()
	s.at(100, "lb1", trace.Event{Died: &trace.Died{Why: "exit status 2; panic"}})
	s.at(200, "lb2", trace.Event{Note: "later"})
	l := lane(t, Build(*s), RoleLane, "lb1", "")
	if last := l.Spans[len(l.Spans)-1]; last.To != 100_000 {
		t.Errorf("%+v: the MASTER that ended at 100 ms", last)
	}
	if len(l.Marks) != 1 || l.Marks[0].At != 100_000 || l.Marks[0].What != "ended by itself: exit status 2; panic" {
		t.Errorf("%+v", l.Marks)
	}
}

func TestALeaseOutlivesAKillButNoCrash(t *testing.T) {
	for verb, want := range map[string]At{"kill": 150_000, "crash": 100_000} {
		s := begin()
		s.fault(100, verb, "lb1")
		s.at(400, "", trace.Event{Step: &trace.Step{Text: "end", Phase: "end"}})
		spans := lane(t, Build(*s), Lease, "lb1", "").Spans
		if len(spans) != 1 || spans[0].To != want {
			t.Errorf("%s: %+v, want an end at %d", verb, spans, want)
		}
	}
}

func TestGatesNameWhatBlocks(t *testing.T) {
	s := begin()
	set := func(ms float64, name string, open bool) {
		s.at(ms, "lb2", trace.Event{Gate: &trace.Gate{Name: name, Open: open, Why: "because"}})
	}
	for i, name := range []string{"LinksUp", "NoMaster", "HoldDown", "InSync", "Degraded", "Granted"} {
		set(10, name, i == 0)
	}
	set(20, "HoldDown", true)
	set(30, "Degraded", true) // nobody can complete the table: InSync matters no more
	set(40, "NoMaster", true)
	set(50, "NoMaster", false)
	set(60, "Granted", true)
	var states []string
	for _, span := range lane(t, Build(*s), Gates, "lb2", "").Spans {
		states = append(states, span.State)
	}
	if want := []string{"NoMaster, HoldDown, InSync", "NoMaster, InSync", "NoMaster", "open", "NoMaster", "open"}; !slices.Equal(states, want) {
		t.Errorf("%q, want %q", states, want)
	}
}

func TestARSTHasItsAttributionAndItsSession(t *testing.T) {
	s := crash()
	s.at(300, "", trace.Event{RST: &trace.RST{Edge: "clients", Flow: "tcp 198.18.0.100:80>198.18.0.11:10001", Sender: "lb2",
		Origin: "backend1", LB: "lb2", Role: "Master", Entry: "none", Fault: "crash lb1", Seq: 7}})
	s.at(301, "client1", trace.Event{Traffic: &trace.Traffic{Name: "web", Flow: "client1/0", Event: trace.TrafficLost, Why: "connection reset by peer",
		Tuple: "tcp 198.18.0.11:10001>198.18.0.100:80"}})
	r := Build(*s)
	want := RST{At: 300_000, Edge: "clients", Flow: "tcp 198.18.0.100:80>198.18.0.11:10001", Sender: "lb2", Origin: "backend1",
		LB: "lb2", Role: "Master", Entry: "none", Fault: "crash lb1", Seq: 7, Session: "web/client1/0"}
	if len(r.RSTs) != 1 || r.RSTs[0] != want {
		t.Fatalf("%+v, want %+v", r.RSTs, want)
	}
	if marks := lane(t, r, RSTLane, "clients", "").Marks; len(marks) != 1 || marks[0].RST != 1 || marks[0].Tone != Bad {
		t.Errorf("%+v", marks)
	}
	if marks := lane(t, r, Damage, "web", "").Marks; len(marks) != 1 {
		t.Errorf("%+v", marks)
	}
}

// TestNothingIsLostInAMerge: however many there are and wherever they lie, the
// counts of the marks add up, no lane is too long, and Cut says so.
func TestNothingIsLostInAMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 3*maxRSTs).Draw(t, "RSTs")
		s := begin()
		at := 1000.0
		step := rapid.SampledFrom([]float64{0, 0.01, 1, 50}).Draw(t, "apart")
		for i := range n {
			at += step
			s.at(at, "", trace.Event{RST: &trace.RST{Edge: []string{"clients", "backends"}[i%2], Flow: fmt.Sprint(i)}})
		}
		r := Build(*s)
		count := 0
		for _, l := range r.Lanes {
			if len(l.Marks) > maxMarks {
				t.Fatalf("%s: %d marks", l.Kind, len(l.Marks))
			}
			if l.Kind == RSTLane {
				for _, m := range l.Marks {
					count += max(1, m.Count)
				}
			}
		}
		if count != n || len(r.RSTs) != min(n, maxRSTs) {
			t.Fatalf("%d RSTs: %d in marks, %d kept", n, count, len(r.RSTs))
		}
		if (n > maxRSTs || n > 2*maxMarks+1) && len(r.Cut) == 0 {
			t.Fatalf("%d RSTs were cut and nobody says so", n)
		}
	})
}

func TestThinningKeepsTheExtremes(t *testing.T) {
	var c Curve
	for i := range 10_000 {
		c.add(At(i), 10)
	}
	c.Values[4321], c.Values[8765] = 99, -1
	thin(&c)
	if len(c.At) > maxPoints || !slices.Contains(c.Values, 99) || !slices.Contains(c.Values, -1) || !slices.IsSorted(c.At) {
		t.Errorf("%d points, from %v to %v", len(c.At), slices.Min(c.Values), slices.Max(c.Values))
	}
}

func TestRatesComeFromTotals(t *testing.T) {
	s := begin()
	for i, received := range []uint64{100, 300, 300} {
		s.at(float64(1000*(i+1)), "", trace.Event{Totals: &trace.Totals{Name: "web", Kind: "sessions", Received: received}})
	}
	answers := lane(t, Build(*s), Goodput, "web", "").Curves[0]
	if !slices.Equal(answers.Values, []float64{100, 200, 0}) {
		t.Errorf("%v answers a second, want 100, 200, 0", answers.Values)
	}
}

func TestNoEventsAreNoRun(t *testing.T) {
	if r := Build(nil); len(r.Lanes) != 0 {
		t.Errorf("%+v", r)
	}
}
