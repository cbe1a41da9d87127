package traffic

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/plan"
)

// joined returns a loop and the two ends of a connection without a network.
func joined(t *testing.T) (l *loop, client, backend int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if l, err = newLoop(nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.release)
	t.Cleanup(func() { unix.Close(fds[1]) })
	return l, fds[0], fds[1]
}

// TestWhatATransferReceives: a transfer checks each byte and the backend's report. It counts once, as complete, corrupt or
// incomplete.
func TestWhatATransferReceives(t *testing.T) {
	const size = 1000
	id := transferID{run: 7, flow: 1, seq: 1}
	whole := func() (bytes, report []byte) {
		sent := payload{transferID: id}
		bytes, report = make([]byte, size), make([]byte, reportLen)
		sent.next(bytes)
		sent.putReport(report, "backend1")
		return bytes, report
	}
	for _, test := range []struct {
		name  string
		edit  func(bytes, report []byte) []byte // what the client receives before the backend's FIN
		event string
		why   string
	}{
		{"all of it", func(b, r []byte) []byte { return append(b, r...) }, "", ""},
		{"with a changed byte", func(b, r []byte) []byte { b[500]++; return append(b, r...) }, trace.TrafficCorrupt, "bytes that were not sent"},
		{"with a damaged report", func(b, r []byte) []byte { r[30]++; return append(b, r...) }, trace.TrafficCorrupt, "checksum of the report is wrong"},
		{"with the report of another transfer", func(b, r []byte) []byte {
			other := payload{transferID: transferID{run: 7, flow: 1, seq: 2}}
			other.next(make([]byte, size))
			other.putReport(r, "backend1")
			return append(b, r...)
		}, trace.TrafficCorrupt, "report belongs to another transfer"},
		{"with a report of fewer bytes", func(b, r []byte) []byte {
			fewer := payload{transferID: id}
			fewer.next(make([]byte, size-1))
			fewer.putReport(r, "backend1")
			return append(b, r...)
		}, trace.TrafficCorrupt, "the backend has 999 bytes, the client 1000"},
		{"with a report of other bytes", func(b, r []byte) []byte {
			others := payload{transferID: id}
			others.note(make([]byte, size))
			others.putReport(r, "backend1")
			return append(b, r...)
		}, trace.TrafficCorrupt, "the 1000 bytes have another checksum at the backend"},
		{"and a byte more", func(b, r []byte) []byte { return append(append(b, r...), 0) }, trace.TrafficCorrupt, "bytes behind the end"},
		{"and two pieces more", func(b, r []byte) []byte { return append(append(b, r...), make([]byte, 2*reportLen)...) }, trace.TrafficCorrupt, "bytes behind the end"},
		{"without its report", func(b, _ []byte) []byte { return b }, trace.TrafficLost, "closed by the other end before its last byte"},
		{"without its last byte", func(b, _ []byte) []byte { return b[:size-1] }, trace.TrafficLost, "closed by the other end before its last byte"},
	} {
		t.Run(test.name, func(t *testing.T) {
			tr, events, backend := newTransfer(t, size, id)
			if _, err := unix.Write(backend, test.edit(whole())); err != nil {
				t.Fatal(err)
			}
			_ = unix.Shutdown(backend, unix.SHUT_WR)
			for i := 1; i < 500 && tr.phase != ended; i++ {
				tr.ready(ms(i), unix.EPOLLIN)
			}
			told := told(*events)
			if test.event == "" && len(told) != 0 || test.event != "" && (len(told) != 1 || !strings.HasPrefix(told[0], test.event+" "+test.why)) {
				t.Errorf("told %q, want %s because of %q", told, test.event, test.why)
			}
			count := func(is bool) int { return map[bool]int{true: 1}[is] }
			got := tr.line.summary(true)
			if got.Opened != count(test.event == "") || int(got.Received) != count(test.event == "") || got.Bytes != size*uint64(count(test.event == "")) ||
				got.Corrupt != count(test.event == trace.TrafficCorrupt) || got.Lost != count(test.event == trace.TrafficLost) || got.Sessions != 0 || tr.phase != ended {
				t.Errorf("phase %d, totals %+v", tr.phase, got)
			}
		})
	}
}

// newTransfer returns a transfer to a client whose connection was established at 0 ms.
func newTransfer(t *testing.T, size int, id transferID) (*transfer, *[]trace.Event, int) {
	t.Helper()
	l, fd, backend := joined(t)
	var events []trace.Event
	line := newLine(0, plan.Traffic{Name: "copy", Kind: plan.Bulk, Proto: "tcp", Count: 1, Size: size, Rate: 1e9}, false, netip.AddrPort{},
		&Config{Run: id.run, Timeouts: Timeouts{Connect: time.Second}}, func(e trace.Event) { events = append(events, e) })
	g := newBulk(l, line, &client{name: "client1"}, []int{0}, 0, readiness{onReady: func() {}})
	tr := g.all[0]
	tr.payload.transferID, tr.fd, tr.phase, tr.moved = id, fd, established, ms(0)
	line.count(func(t *trace.Totals) { t.Sent++; t.Sessions++ })
	if err := l.add("", fd, unix.EPOLLIN, tr); err != nil {
		t.Fatal(err)
	}
	return tr, &events, backend
}

// TestATransferThatStandsStillIsIncomplete: a transfer without progress fails at its timeout, not before. At the end of the
// run only such a transfer is incomplete.
func TestATransferThatStandsStillIsIncomplete(t *testing.T) {
	id := transferID{run: 7, flow: 1, seq: 1}
	for _, test := range []struct {
		name string
		run  func(*transfer)
		lost int
	}{
		{"within its time", func(tr *transfer) { tr.move(clock.Instant(plan.Standstill)) }, 0},
		{"after its time", func(tr *transfer) { tr.move(clock.Instant(plan.Standstill) + 1) }, 1},
		{"at the end of the run, while it moves", func(tr *transfer) { tr.runOut(clock.Instant(time.Second)) }, 0},
		{"at the end of the run", func(tr *transfer) { tr.runOut(clock.Instant(time.Second) + 1) }, 1},
		{"as its client thaws", func(tr *transfer) {
			tr.owner.beat.n = 1
			tr.owner.resume(0, clock.Instant(plan.Standstill))
			tr.move(clock.Instant(plan.Standstill) + 1)
		}, 0},
	} {
		tr, events, _ := newTransfer(t, 1000, id)
		test.run(tr)
		if got := tr.line.summary(true); got.Lost != test.lost || len(told(*events)) != test.lost {
			t.Errorf("%s: told %q, totals %+v; want %d lost", test.name, told(*events), got, test.lost)
		}
	}
}

// TestAConnectChecksItsEcho: the echo must have the connect's run, flow and time. A wrong echo counts as corrupt, not as an answer.
func TestAConnectChecksItsEcho(t *testing.T) {
	for name, edit := range map[string]func(*stamp){
		"":                func(*stamp) {},
		"of another run":  func(s *stamp) { s.run++ },
		"of another flow": func(s *stamp) { s.flow++ },
		"of another time": func(s *stamp) { s.intended++ },
	} {
		l, fd, backend := joined(t)
		var events []trace.Event
		line := newLine(0, plan.Traffic{Name: "new", Kind: plan.Connects, Proto: "tcp", Rate: 10}, false, netip.AddrPort{},
			&Config{Run: 7, Timeouts: Timeouts{Connect: time.Second}}, func(e trace.Event) { events = append(events, e) })
		g := newConnects(l, line, &client{name: "client1"}, 0, 1, 1024, 0, readiness{onReady: func() {}})
		a := &attempt{flowID: flowID{line: line, client: g.client}, owner: g, fd: fd, phase: established, started: ms(5)}
		g.live++
		if err := l.add("", fd, unix.EPOLLIN, a); err != nil {
			t.Fatal(err)
		}
		echo := stamp{run: 7, flow: line.wire(0), intended: ms(5)}
		edit(&echo)
		if _, err := unix.Write(backend, answerTo(echo, "backend1")); err != nil {
			t.Fatal(err)
		}
		a.read(ms(6))
		got := line.summary(false)
		if wrong := name != ""; (got.Corrupt == 1) != wrong || (got.Received == 1) == wrong || (len(told(events)) == 1 && strings.HasPrefix(told(events)[0], trace.TrafficCorrupt)) != wrong {
			t.Errorf("an echo %s: told %q, totals %+v", name, told(events), got)
		}
	}
}
