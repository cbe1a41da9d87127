package traffic

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/trace"
	"baton/scenarios/plan"
)

// told returns the traffic events of a list, as event, reason and backend.
func told(events []trace.Event) (said []string) {
	for _, e := range events {
		if e.Traffic != nil {
			said = append(said, strings.Join(strings.Fields(e.Traffic.Event+" "+e.Traffic.Why+" "+e.Traffic.Backend), " "))
		}
	}
	return said
}

// TestAWrongEchoIsCorrupt: each kind of wrong echo counts its session as corrupt, once. The session continues.
func TestAWrongEchoIsCorrupt(t *testing.T) {
	for _, test := range []struct {
		name  string
		wrong func(*stamp)
		why   string
	}{
		{"of the next message", func(s *stamp) { s.seq++ }, "echo of message 2 where that of 1 was due"},
		{"of the message before", func(s *stamp) { s.seq-- }, "echo of message 0 where that of 1 was due"},
		{"of the same number at another time", func(s *stamp) { s.intended++ }, "echo of message 1 where that of 1 was due"},
		{"of another flow", func(s *stamp) { s.flow++ }, trace.EchoForeign},
		{"of another run", func(s *stamp) { s.run++ }, trace.EchoForeign},
	} {
		b := newBench(t)
		b.answer(ms(1), "backend1")
		for i := 1; i < 3; i++ {
			b.session.send(ms(100*i), ms(100*i))
			b.requests()
			wrong := stamp{run: b.session.line.run, flow: b.session.wire, seq: 1, intended: ms(100)}
			test.wrong(&wrong)
			if _, err := unix.Write(b.backend, answerTo(wrong, "backend1")); err != nil {
				t.Fatal(err)
			}
			b.session.ready(ms(100*i+1), unix.EPOLLIN)
		}
		b.session.send(ms(300), ms(300))
		b.answer(ms(301), "backend1")
		got := b.session.line.summary(true)
		if event, why := b.came(); event != trace.TrafficCorrupt || !strings.Contains(why, test.why) || got.Corrupt != 1 || got.Received != 2 || got.Lost != 0 {
			t.Errorf("an echo %s: %s (%s), totals %+v; want corrupt once, because of %q, and two of four answers", test.name, event, why, got, test.why)
		}
	}
	b := newBench(t)
	b.answer(ms(1), "backend1")
	b.answerTo(ms(2), "backend1")
	if event, why := b.came(); event != trace.TrafficCorrupt || why != "echo of nothing that was sent" {
		t.Errorf("an echo twice: %s (%s)", event, why)
	}
}

// TestASessionIsToldOpenedOnce: the event comes with the first answer, or with the end of a session that had none.
func TestASessionIsToldOpenedOnce(t *testing.T) {
	for _, test := range []struct {
		name string
		run  func(*bench)
		want []string
	}{
		{"answered", func(b *bench) {
			b.answer(ms(1), "backend1")
			b.session.send(ms(100), ms(100))
			b.answer(ms(101), "backend1")
			b.end(ms(200))
			b.close(ms(201))
		}, []string{"opened backend1", "done backend1"}},
		{"answered and lost", func(b *bench) {
			b.answer(ms(1), "backend1")
			b.close(ms(100))
		}, []string{"opened backend1", "lost closed by the other end backend1"}},
		{"lost without an answer", func(b *bench) { b.close(ms(100)) }, []string{"opened", "lost closed by the other end"}},
	} {
		b := newBench(t)
		test.run(b)
		if got := told(b.events); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
		if b.owner.live != 0 || b.owner.opening != 0 || b.session.phase != ended {
			t.Errorf("%s: %d sessions live and %d opening after the only one has ended", test.name, b.owner.live, b.owner.opening)
		}
		sent := b.session.line.summary(false).Sent
		if b.session.send(ms(900), ms(900)); b.session.line.summary(false).Sent != sent {
			t.Errorf("%s: a session that has ended sends", test.name)
		}
	}
}

// TestOnlyAHalfClosedSessionEndsBeforeItsAnswers: a half-closing session sends its FIN at once, any other after the last answer.
func TestOnlyAHalfClosedSessionEndsBeforeItsAnswers(t *testing.T) {
	for _, half := range []bool{false, true} {
		b := newBench(t)
		b.session.line.Half = half
		b.requests()
		b.end(ms(10))
		n, err := unix.Read(b.backend, make([]byte, 1))
		if ended := n == 0 && err == nil; ended != half {
			t.Errorf("half %v: its sending side has ended before the answer: %v (%v)", half, ended, err)
		}
	}
}

// TestASessionSkipsMessagesAtItsLimit: at maxOutstanding unanswered messages a session skips messages until the next answer.
func TestASessionSkipsMessagesAtItsLimit(t *testing.T) {
	b := newBench(t)
	for i := 1; i < 2*maxOutstanding; i++ {
		b.session.send(ms(i), ms(i))
	}
	if got := b.session.line.summary(false).Sent; got != maxOutstanding || len(b.session.unacked) != maxOutstanding {
		t.Fatalf("%d sent, %d unanswered, want %d", got, len(b.session.unacked), maxOutstanding)
	}
	b.taken = b.requests()[:1]
	b.answerTo(ms(5000), "backend1")
	if b.session.send(ms(5001), ms(5001)); b.session.line.summary(false).Sent != maxOutstanding+1 {
		t.Error("a session that was at its limit does not go on after an answer")
	}
}

// TestAProbeTellsItsBackends: a probe records its first backend as opened and each other as moved. Wrong echoes count it as corrupt once.
func TestAProbeTellsItsBackends(t *testing.T) {
	p, events := newTestProbe(10)
	ready := 0
	p.onReady = func() { ready++ }
	for seq, backend := range []string{"backend1", "backend1", "backend2", "backend1"} {
		p.answer(answerTo(stamp{seq: uint64(seq), intended: ms(seq)}, backend), ms(seq+1))
	}
	for range 2 {
		p.answer(answerTo(stamp{run: 1, seq: 5, intended: ms(5)}, "backend1"), ms(6))
	}
	want := []string{"opened backend1", "moved from backend1 backend2", "moved from backend2 backend1"}
	got := told(*events)
	if len(got) != 4 || !slices.Equal(got[:3], want) || !strings.HasPrefix(got[3], "corrupt "+trace.EchoForeign) {
		t.Errorf("%q, want %q and one corrupt echo", got, want)
	}
	if total := p.line.summary(true); total.Opened != 1 || total.Moved != 2 || total.Corrupt != 1 || total.Received != 4 || ready != 1 {
		t.Errorf("ready %d times, totals %+v", ready, total)
	}
}

// TestARefusedConnectIsCounted: each refused connect is counted and recorded, and leaves nothing open. The client is the second of two.
func TestARefusedConnectIsCounted(t *testing.T) {
	l, err := newLoop(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.release)
	var events []trace.Event
	nowhere := netip.MustParseAddrPort("255.255.255.255:80") // refused by the socket, without a packet
	line := newLine(0, plan.Traffic{Name: "new", Kind: plan.Connects, Proto: "tcp", Rate: 10}, false, nowhere,
		&Config{Timeouts: Timeouts{Connect: time.Second}}, func(e trace.Event) { events = append(events, e) })
	g := newConnects(l, line, &client{name: "client1", namespace: -1}, 1, 2, 1024, 0, readiness{onReady: func() {}})
	g.fire(ms(350))
	var flows []string
	for _, e := range events {
		if e.Traffic != nil && e.Traffic.Event == trace.TrafficFailed && e.Traffic.Why != "" {
			flows = append(flows, e.Traffic.Flow)
		}
	}
	if want := []string{"client1/1", "client1/3"}; !slices.Equal(flows, want) {
		t.Errorf("failed %q, want %q", flows, want)
	}
	if total := line.summary(false); total.Failed != 2 || total.Opened != 0 || total.Meant != 2 || g.live != 0 {
		t.Errorf("%d live, totals %+v", g.live, total)
	}
	if g.nextTimeout(); len(g.open) != 0 {
		t.Errorf("%d attempts that have ended are watched", len(g.open))
	}
}

// TestTotalsOfALine: the totals hold the bytes, latency quantiles from the intended send times, and whether they are final.
func TestTotalsOfALine(t *testing.T) {
	line := newLine(0, plan.Traffic{Name: "web", Kind: plan.Sessions, Proto: "tcp"}, false, netip.AddrPort{}, &Config{}, func(trace.Event) {})
	if empty := line.summary(false); empty.Final || empty.RTTMax != 0 {
		t.Errorf("%+v", empty)
	}
	for i := 1; i <= 100; i++ {
		line.received(ms(0), ms(i))
	}
	near := func(got, want float64) bool { return got > want*0.99 && got < want*1.01 }
	if got := line.summary(true); !got.Final || got.Received != 100 || got.Bytes != 100*answerLen || !near(got.RTTp50, 50) || !near(got.RTTp99, 99) || !near(got.RTTMax, 100) {
		t.Errorf("%+v, want 100 answers in 1 to 100 ms", got)
	}
}
