package sim

import (
	"testing"
	"time"

	"baton/impl/flow"
)

// segments returns what an endpoint has sent since the last call.
func (w *wire) segments() []packet {
	sent := w.sent
	w.sent = nil
	return sent
}

// sentOnly requires that one segment was sent.
func (w *wire) sentOnly(t *testing.T, what string, flags uint8, seq, ack uint32, length int) {
	t.Helper()
	if got := w.segments(); len(got) != 1 || got[0].flags != flags || got[0].seq != seq || got[0].ack != ack || int(got[0].length) != length {
		t.Errorf("%s: sent %+v, want one segment with flags %#x, seq %d, ack %d, length %d", what, got, flags, seq, ack, length)
	}
}

func (w *wire) sentNothing(t *testing.T, what string) {
	t.Helper()
	if got := w.segments(); len(got) != 0 {
		t.Errorf("%s: sent %+v, want nothing", what, got)
	}
}

// TestTheActiveCloserIsInTimeWait (RFC 9293 section 3.6.1): the active closer is in TIME_WAIT for a
// minute, the other end is not. A RST ends TIME_WAIT.
func TestTheActiveCloserIsInTimeWait(t *testing.T) {
	closed := func(first bool) (*endpoint, *wire) {
		e, w := connectedEndpoint()
		theirs := packet{flags: ack | fin, seq: 5001, ack: 1001}
		if first {
			e.close(epoch, w)
			theirs.ack = 1002
			e.receive(epoch, w, &theirs)
		} else {
			e.receive(epoch, w, &theirs)
			e.close(epoch, w)
			e.receive(epoch, w, &packet{flags: ack, seq: 5002, ack: 1002})
		}
		if e.state != tcpDone {
			t.Fatalf("closed first %v: state %d, want both directions ended", first, e.state)
		}
		return e, w
	}
	first, w := closed(true)
	if !first.lingers(epoch) || !first.lingers(epoch.Add(timeWait-1)) || first.lingers(epoch.Add(timeWait)) {
		t.Errorf("who closes first keeps its port at once %v, before a minute %v, after it %v; want true, true, false",
			first.lingers(epoch), first.lingers(epoch.Add(timeWait-1)), first.lingers(epoch.Add(timeWait)))
	}
	if second, _ := closed(false); second.lingers(epoch) {
		t.Error("who closes second keeps its port")
	}
	w.segments()
	first.receive(epoch, w, &packet{flags: ack | fin, seq: 5001, ack: 1002})
	w.sentOnly(t, "a FIN again", ack, 1002, 5002, 0)
	first.receive(epoch, w, &packet{flags: rst, seq: 5001})
	if !first.lingers(epoch) {
		t.Error("any RST frees the port")
	}
	if first.receive(epoch, w, &packet{flags: rst, seq: 5002}); first.lingers(epoch) || w.why != "" {
		t.Errorf("after a RST at the next byte the port is kept: %v; the application heard %q", first.lingers(epoch), w.why)
	}
}

// TestSYNsOutOfTurn: a repeated SYN gets another SYN-ACK, a SYN in the middle of a connection a
// challenge ACK.
func TestSYNsOutOfTurn(t *testing.T) {
	e, w := &endpoint{unit: answerLen}, &wire{}
	e.accept(epoch, w, 7000, 1000)
	w.sentOnly(t, "a SYN", syn|ack, 7000, 1001, 0)
	e.receive(epoch, w, &packet{flags: syn, seq: 1000})
	w.sentOnly(t, "the same SYN", syn|ack, 7000, 1001, 0)
	e.receive(epoch, w, &packet{flags: syn, seq: 2000})
	w.sentOnly(t, "another SYN", ack, 7001, 1001, 0)

	e, w = connectedEndpoint()
	e.receive(epoch, w, &packet{flags: syn, seq: 9000})
	w.sentOnly(t, "a SYN of an open connection", ack, 1001, 5001, 0)
	e.receive(epoch, w, &packet{flags: syn | ack, seq: 5000, ack: 1001})
	w.sentNothing(t, "a second at once")
}

// TestAnAnswerToAnotherConnectionIsReset (RFC 9293 section 3.5.1): the client repeats its SYN shortly
// afterwards, once.
func TestAnAnswerToAnotherConnectionIsReset(t *testing.T) {
	e, w := &endpoint{unit: requestLen}, &wire{}
	e.open(epoch, w, 1000)
	w.sentOnly(t, "open", syn, 1000, 0, 0)
	e.receive(epoch, w, &packet{flags: ack, seq: 5000, ack: 777})
	w.sentOnly(t, "an ACK of another connection", rst, 777, 0, 0)
	if wait := e.deadline.Sub(epoch); wait != synAgain || e.state != tcpSynSent {
		t.Errorf("the SYN follows after %v, want %v", wait, synAgain)
	}
	e.timer(epoch.Add(synAgain), w)
	w.sentOnly(t, "a moment later", syn, 1000, 0, 0)
	before := e.deadline
	e.receive(epoch.Add(synAgain), w, &packet{flags: ack, seq: 5000, ack: 777})
	w.sentOnly(t, "the same again", rst, 777, 0, 0)
	if e.deadline != before {
		t.Error("each such answer hastens the SYN")
	}
	e.receive(epoch.Add(synAgain), w, &packet{flags: ack, seq: 5000, ack: 1001})
	if w.sentNothing(t, "an ACK without a SYN"); e.state != tcpSynSent {
		t.Error("an ACK without a SYN opens a connection")
	}
	e.receive(epoch.Add(synAgain), w, &packet{flags: syn | ack, seq: 5000, ack: 1001})
	w.sentOnly(t, "the answer", ack, 1001, 5001, 0)
}

// TestARSTRefusesOnlyItsOwnSYN (RFC 9293 section 3.5.3).
func TestARSTRefusesOnlyItsOwnSYN(t *testing.T) {
	for _, c := range []struct {
		name  string
		p     packet
		reset bool
	}{
		{"of this SYN", packet{flags: rst | ack, ack: 1001}, true},
		{"of another one", packet{flags: rst | ack, ack: 1000}, false},
		{"without an ACK", packet{flags: rst, ack: 1001}, false},
	} {
		e, w := &endpoint{unit: requestLen}, &wire{}
		e.open(epoch, w, 1000)
		if e.receive(epoch, w, &c.p); (w.why != "") != c.reset || (e.state == tcpClosed) != c.reset {
			t.Errorf("a RST %s: state %d, %q", c.name, e.state, w.why)
		}
	}
}

// TestADuplicateAcknowledgementTriggersARetransmission: the first one does, and so does each partial
// acknowledgement (RFC 6582 section 3.2). No new data is sent until then.
func TestADuplicateAcknowledgementTriggersARetransmission(t *testing.T) {
	const n = requestLen
	e, w := connectedEndpoint()
	for range 3 {
		e.write(epoch, w, 1)
	}
	w.segments()
	again := packet{flags: ack, seq: 5001, ack: 1001}
	e.receive(epoch, w, &again)
	if got := w.segments(); len(got) != 1 || got[0].seq != 1001 || got[0].length == 0 {
		t.Fatalf("a repeated acknowledgement: sent %+v, want what it lacks", got)
	}
	e.receive(epoch, w, &again)
	w.sentNothing(t, "repeated once more")
	e.write(epoch, w, 1)
	w.sentNothing(t, "a message meanwhile")
	e.receive(epoch, w, &packet{flags: ack, seq: 5001, ack: 1001 + n})
	if got := w.segments(); len(got) == 0 || got[0].seq != 1001+n {
		t.Errorf("a part is acknowledged: sent %+v, want the next", got)
	}
	e.receive(epoch, w, &packet{flags: ack, seq: 5001, ack: e.nxt})
	if e.una != 1001+4*n || e.recovering {
		w.segments()
		e.receive(epoch, w, &packet{flags: ack, seq: 5001, ack: e.nxt})
		if e.una != 1001+4*n {
			t.Errorf("acknowledged up to %d of %d", e.una, 1001+4*n)
		}
	}
	e.receive(epoch, w, &packet{flags: ack, seq: 5001, ack: e.nxt + 1, length: answerLen})
	if w.received != 0 {
		t.Error("a segment that acknowledges what was never sent is read")
	}
}

// TestSegmentsHoldWholeMessagesUpToTheMSS of their IP version.
func TestSegmentsHoldWholeMessagesUpToTheMSS(t *testing.T) {
	for _, c := range []struct {
		to   flow.Addr
		most uint16
	}{{flow.IPv4(198, 18, 0, 100), 1448}, {flow.Addr{0x20, 1, 0, 2, 15: 9}, 1428}} {
		e, w := connectedEndpoint()
		e.tuple.Dst = c.to
		e.write(epoch, w, 50)
		total := 0
		for _, p := range w.segments() {
			if p.length > c.most || p.length%requestLen != 0 || p.seq != 1001+uint32(total) {
				t.Errorf("to %v: %d bytes at %d", c.to, p.length, p.seq)
			}
			total += int(p.length)
		}
		if total != 50*requestLen {
			t.Errorf("to %v: %d bytes sent, want %d", c.to, total, 50*requestLen)
		}
	}
}

// TestDataForAnEndedProcessIsReset: without a process, data resets the connection, an
// acknowledgement does not.
func TestDataForAnEndedProcessIsReset(t *testing.T) {
	e, _ := connectedEndpoint()
	if e.disowns(&packet{flags: ack, length: answerLen}) {
		t.Error("data of an open connection finds none")
	}
	e.orphan = true
	if e.disowns(&packet{flags: ack}) {
		t.Error("an acknowledgement finds no connection")
	}
	if !e.disowns(&packet{flags: ack, length: answerLen}) || !e.disowns(&packet{flags: ack}) {
		t.Error("data to a process that has ended finds a connection")
	}
}

// TestAFINIsRepeatedBehindItsData: until it is acknowledged, and after what was written before it.
func TestAFINIsRepeatedBehindItsData(t *testing.T) {
	e, w := connectedEndpoint()
	e.write(epoch, w, 1)
	e.close(epoch, w)
	if got := w.segments(); len(got) != 2 || got[0].length != requestLen || got[1].flags != ack|fin || got[1].seq != 1001+requestLen {
		t.Fatalf("sent %+v, want the message and a FIN behind it", got)
	}
	e.timer(e.deadline, w)
	w.sentOnly(t, "the timer", ack, 1001, 5001, requestLen)
	e.receive(epoch, w, &packet{flags: ack, seq: 5001, ack: 1001 + requestLen})
	if got := w.segments(); len(got) != 1 || got[0].flags != ack|fin {
		t.Errorf("the message is acknowledged: sent %+v, want the FIN again", got)
	}
	now := epoch.Add(time.Hour)
	e.receive(now, w, &packet{flags: ack, seq: 5001, ack: 1002 + requestLen})
	if e.state != tcpEstablished || e.finReceived {
		t.Errorf("state %d: half of the connection ends all of it", e.state)
	}
	e.receive(now, w, &packet{flags: ack, seq: 5001, ack: 1002 + requestLen, length: answerLen})
	if w.received != answerLen {
		t.Errorf("%d bytes read after the own FIN, want %d", w.received, answerLen)
	}
}

// TestOnlyTheNewPartOfASegmentIsRead: only the bytes not yet received are read, and the FIN.
func TestOnlyTheNewPartOfASegmentIsRead(t *testing.T) {
	e, w := connectedEndpoint()
	e.receive(epoch, w, &packet{flags: ack, seq: 5001, ack: 1001, length: 100})
	e.receive(epoch, w, &packet{flags: ack | fin, seq: 5001, ack: 1001, length: 150})
	if w.received != 150 || e.rcv != 5001+151 || !e.finReceived {
		t.Errorf("%d bytes read, next %d, FIN %v; want 150, %d and the FIN", w.received, e.rcv, e.finReceived, 5001+151)
	}
	e.receive(epoch, w, &packet{flags: ack | fin, seq: 5001, ack: 1001, length: 150})
	if w.received != 150 || e.rcv != 5001+151 {
		t.Errorf("read again: %d bytes, next %d", w.received, e.rcv)
	}
}
