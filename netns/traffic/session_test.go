package traffic

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/netns/internal/hostclock"
	"baton/scenarios/plan"
)

// bench is one established session without a network: the test controls the backend's end
// of its connection, and the clock.
type bench struct {
	*testing.T
	session *session
	owner   *sessions
	backend int // the other end of the session's socket
	taken   [][]byte
	events  []trace.Event
}

// newBench opens the session at 0 ms, with its first message sent.
func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{T: t}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	l, err := newLoop(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.release)
	b.backend = fds[1]
	t.Cleanup(func() { unix.Close(b.backend) })
	line := newLine(0, plan.Traffic{Name: "web", Kind: plan.Sessions, Proto: "tcp", Every: 100 * time.Millisecond}, false, netip.AddrPort{},
		&Config{GapTCP: 50 * time.Millisecond, Run: 7}, func(e trace.Event) { b.events = append(b.events, e) })
	b.owner = newSessions(l, line, &client{name: "client1"}, []int{0}, 0, readiness{onReady: func() {}})
	b.owner.opener.n = 1 // the connect is made by hand
	b.session = b.owner.all[0]
	b.session.fd = fds[0]
	if err := l.add("", fds[0], unix.EPOLLIN, b.session); err != nil {
		t.Fatal(err)
	}
	b.session.become(established)
	line.count(func(t *trace.Totals) { t.Opened++; t.Sessions++ })
	b.session.send(ms(0), ms(0))
	return b
}

// requests returns the unanswered requests of the session.
func (b *bench) requests() (found [][]byte) {
	b.Helper()
	for {
		r := make([]byte, requestLen)
		n, err := unix.Read(b.backend, r)
		switch {
		case err == unix.EAGAIN || n == 0:
			return found
		case err != nil || n != requestLen:
			b.Fatalf("read %d bytes: %v", n, err)
		}
		found = append(found, r)
	}
}

// answer makes the backend answer all requests, and the session read the answers at an
// instant.
func (b *bench) answer(at clock.Instant, name string) {
	b.Helper()
	b.taken = b.requests()
	b.answerTo(at, name)
}

// answerTo makes the backend answer the given requests.
func (b *bench) answerTo(at clock.Instant, name string) {
	b.Helper()
	for _, r := range b.taken {
		a := append(r, make([]byte, answerLen-requestLen)...)
		putAnswer(a, name)
		if _, err := unix.Write(b.backend, a); err != nil {
			b.Fatal(err)
		}
	}
	b.session.ready(at, unix.EPOLLIN)
}

// halfClosed reads what the session has sent, which must end in its FIN.
func (b *bench) halfClosed() {
	b.Helper()
	b.taken = b.requests()
	if n, err := unix.Read(b.backend, make([]byte, 1)); n != 0 || err != nil {
		b.Fatalf("the session's sending side is open still: read %d bytes, %v", n, err)
	}
}

// close ends the backend's stream, and lets the session read that.
func (b *bench) close(at clock.Instant) {
	_ = unix.Shutdown(b.backend, unix.SHUT_WR)
	b.session.ready(at, unix.EPOLLIN)
}

// reset closes the backend's end; with unread data the kernel sends a RST.
func (b *bench) reset(at clock.Instant) {
	b.Helper()
	_ = unix.Close(b.backend)
	b.backend = -1
	b.session.ready(at, unix.EPOLLIN)
}

// end begins the end of the run, with a drain time of one second.
func (b *bench) end(at clock.Instant) {
	b.owner.finish(at, &ending{until: at.Add(time.Second), onDone: func() {}})
}

// came returns the last event of the session and its reason.
func (b *bench) came() (event, why string) {
	for _, e := range b.events {
		if e.Traffic != nil {
			event, why = e.Traffic.Event, e.Traffic.Why
		}
	}
	return event, why
}

func (b *bench) gaps() (found []gap) {
	for _, e := range b.events {
		if e.Gap != nil {
			found = append(found, gap{from: e.Gap.From, to: e.Gap.To})
		}
	}
	return found
}

// TestSessionEnds lists the ways in which a session may end. It ends gracefully only if
// every message and its close were answered.
func TestSessionEnds(t *testing.T) {
	for _, test := range []struct {
		name  string
		end   func(*bench)
		event string
		why   string
		gaps  []gap
	}{
		{"in order", func(b *bench) {
			b.answer(ms(1), "backend1")
			b.end(ms(10))
			b.close(ms(11))
		}, trace.TrafficDone, "", nil},
		{"its last answer comes while it ends", func(b *bench) {
			b.end(ms(10))
			b.answer(ms(11), "backend1")
			b.close(ms(12))
		}, trace.TrafficDone, "", nil},
		{"its last message is never answered, and the other end closes", func(b *bench) {
			b.end(ms(10))
			b.requests()
			b.close(ms(11))
		}, trace.TrafficLost, "closed by the other end", nil},
		{"its last message is never answered, and nobody closes", func(b *bench) {
			b.answer(ms(1), "backend1")
			b.session.send(ms(100), ms(100))
			b.end(ms(110))
			b.owner.fire(ms(1110))
		}, trace.TrafficLost, "no answer for 1.01s", []gap{{from: ms(100), to: ms(1110)}}},
		{"its close is never answered", func(b *bench) {
			b.answer(ms(1), "backend1")
			b.end(ms(10))
			b.owner.fire(ms(1010))
		}, trace.TrafficDone, "the close was not answered", nil},
		{"half-closed, its last answer comes after its FIN", func(b *bench) {
			b.session.line.Half = true
			b.end(ms(10))
			b.halfClosed()
			b.answerTo(ms(11), "backend1")
			b.close(ms(12))
		}, trace.TrafficDone, "", nil},
		{"half-closed, and the other end closes without its answer", func(b *bench) {
			b.session.line.Half = true
			b.end(ms(10))
			b.halfClosed()
			b.close(ms(11))
		}, trace.TrafficLost, "before its last answer", nil},
		{"half-closed, and never answered", func(b *bench) {
			b.session.line.Half = true
			b.end(ms(10))
			b.halfClosed()
			b.owner.fire(ms(1010))
		}, trace.TrafficLost, "no answer for 1.01s", []gap{{from: ms(0), to: ms(1010)}}},
		{"a reset after its FIN", func(b *bench) {
			b.answer(ms(1), "backend1")
			_, _ = unix.Write(b.session.fd, []byte{0}) // a close with something unread is a reset
			b.end(ms(10))
			b.reset(ms(11))
		}, trace.TrafficLost, "while closing", nil},
		{"a close in its middle", func(b *bench) {
			b.answer(ms(1), "backend1")
			b.close(ms(11))
		}, trace.TrafficLost, "closed by the other end", nil},
		{"a reset after a stall", func(b *bench) {
			b.answer(ms(1), "backend1")
			b.session.send(ms(100), ms(100))
			b.reset(ms(400))
		}, trace.TrafficLost, "connection reset by peer", []gap{{from: ms(100), to: ms(400)}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			test.end(b)
			if event, why := b.came(); event != test.event || !strings.Contains(why, test.why) || (test.why == "") != (why == "") {
				t.Errorf("%s (%s), want %s (%s)", event, why, test.event, test.why)
			}
			lost := 0
			if test.event == trace.TrafficLost {
				lost = 1
			}
			if got := b.session.line.summary(true); got.Lost != lost || got.Sessions != 0 {
				t.Errorf("totals %+v", got)
			}
			compareGaps(t, b.gaps(), test.gaps)
		})
	}
}

// TestSessionMovesAndReturns: each change of the backend counts.
func TestSessionMovesAndReturns(t *testing.T) {
	b := newBench(t)
	for i, backend := range []string{"backend1", "backend1", "backend2", "backend1"} {
		b.answer(ms(100*i+1), backend)
		b.session.send(ms(100*i+100), ms(100*i+100))
	}
	var moved []string
	for _, e := range b.events {
		if e.Traffic != nil && e.Traffic.Event == trace.TrafficMoved {
			moved = append(moved, e.Traffic.Why+" to "+e.Traffic.Backend)
		}
	}
	if got := strings.Join(moved, ", "); got != "from backend1 to backend2, from backend2 to backend1" || b.session.line.summary(true).Moved != 2 {
		t.Errorf("moved %s, totals %+v", got, b.session.line.summary(true))
	}
}

// TestMessagesCountFromWhenTheyWereMeant: a late generator measures how long its clients
// would have waited.
func TestMessagesCountFromWhenTheyWereMeant(t *testing.T) {
	b := newBench(t)
	b.answer(ms(1), "backend1")
	b.owner.beat.n = 1
	b.owner.fire(ms(350)) // meant for 100, 200 and 300 ms
	b.answer(ms(351), "backend1")
	compareGaps(t, b.gaps(), []gap{{from: ms(100), to: ms(351)}})
	if got := b.session.line.summary(true); got.Sent != 4 || got.RTTMax < 250 {
		t.Errorf("totals %+v, want 4 sent and one that took 251 ms", got)
	}
}

// TestConnectsCountFromWhenTheyWereMeant: times count from the intended start, even if the loop is late.
func TestConnectsCountFromWhenTheyWereMeant(t *testing.T) {
	l, err := newLoop(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.release)
	nowhere := netip.MustParseAddrPort("255.255.255.255:80") // refused by the socket, without a packet
	line := newLine(0, plan.Traffic{Name: "new", Kind: plan.Connects, Proto: "tcp", Rate: 10}, false, nowhere,
		&Config{Timeouts: Timeouts{Connect: time.Second}}, func(trace.Event) {})
	g := newConnects(l, line, &client{name: "client1", namespace: -1}, 0, 1, 1024, 0, readiness{onReady: func() {}})
	g.fire(ms(350))
	var begun []clock.Instant
	for _, a := range g.open {
		begun = append(begun, a.started)
	}
	if !slices.Equal(begun, []clock.Instant{ms(0), ms(100), ms(200), ms(300)}) {
		t.Errorf("connects counted from %v", begun)
	}
}

// TestProbeTellsAnOutageThatLasts: an outage that is open at the end lasts until the flow ends.
func TestProbeTellsAnOutageThatLasts(t *testing.T) {
	p, events := newTestProbe(100)
	p.answerAt(0, ms(1))
	p.finish(ms(100), &ending{until: ms(1000), onDone: func() {}})
	p.settle(ms(1000))
	p.fireEnding(ms(1000))
	var gaps []gap
	for _, e := range *events {
		if e.Gap != nil {
			gaps = append(gaps, gap{from: e.Gap.From, to: e.Gap.To, missed: e.Gap.Missed})
		}
	}
	compareGaps(t, gaps, []gap{{from: ms(0), to: ms(100), missed: 99}})
}

// TestALateLoopSaysSo: measurements of a late loop prove little.
func TestALateLoopSaysSo(t *testing.T) {
	var told []time.Duration
	l, err := newLoop(func(s trace.Stall, _ clock.Instant) { told = append(told, time.Duration(s.Took)) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.release)
	for i, by := range []time.Duration{time.Millisecond, noteworthyLateness - 1, noteworthyLateness, time.Second, 5 * time.Millisecond} {
		l.noteLateness(by, ms(2000*i))
	}
	if len(told) != 2 || told[0] != noteworthyLateness || told[1] != time.Second {
		t.Errorf("told %v", told)
	}
	if worst := time.Duration(l.latest.Load()); worst != time.Second {
		t.Errorf("worst %v", worst)
	}
}

// TestALoopThatNeverSleepsSaysSo: its timer is never set and so never late. Each period of lateness is
// reported once, however many messages were late in it, and each late message is counted.
func TestALoopThatNeverSleepsSaysSo(t *testing.T) {
	var told []trace.Stall
	l, err := newLoop(func(s trace.Stall, _ clock.Instant) { told = append(told, s) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.release)
	web := &line{Traffic: plan.Traffic{Name: "web"}, timeouts: Timeouts{Late: 100 * time.Millisecond}}
	start := hostclock.Now().Add(-time.Second)
	for n := range 1000 { // intended one per millisecond, all sent now
		l.acted(web, start.Add(time.Duration(n)*time.Millisecond))
	}
	got := web.totals
	if got.Meant != 1000 || got.Late < 890 || got.Late > 930 || got.Latest < 1000 || got.Latest > 1100 {
		t.Errorf("totals %+v, want 900 of 1000 late, by up to a second", got)
	}
	if len(told) != 1 || told[0].Line != "web" || time.Duration(told[0].Took) < time.Second {
		t.Errorf("told %+v, want the second once", told)
	}
	if l.acted(web, l.told-clock.Instant(time.Second)); len(told) != 1 {
		t.Errorf("told %+v: the last counts from before the first was told", told)
	}
}
