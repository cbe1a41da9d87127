package sim

import (
	"slices"
	"testing"

	"baton/impl/sctp"
)

// associatedEndpoint is a client's endpoint, established at epoch.
func associatedEndpoint() (*endpoint, *wire) {
	const mine, peer = 1001, 5001
	e, w := &endpoint{unit: requestLen}, &wire{}
	e.associate(epoch, w, mine)
	for _, kind := range []uint8{sctp.InitAck, sctp.CookieAck} {
		e.receive(epoch, w, &packet{chunk: chunk{kind: kind, tag: mine, initiate: peer}})
	}
	w.sent = nil
	return e, w
}

// A packet with a wrong verification tag is discarded (RFC 9260 8.5). An ABORT may carry the tag of
// the other direction instead (8.5.1).
func TestAnAssociationChecksTags(t *testing.T) {
	for _, tt := range []struct {
		chunk chunk
		ends  bool
	}{
		{chunk{kind: sctp.Abort, tag: 1001}, true},
		{chunk{kind: sctp.Abort, tag: 5001, reflected: true}, true},
		{chunk{kind: sctp.Abort, tag: 5001}, false},
		{chunk{kind: sctp.Abort, tag: 1001, reflected: true}, false},
		{chunk{kind: sctp.Abort, tag: 7}, false},
	} {
		e, w := associatedEndpoint()
		if e.state != tcpEstablished {
			t.Fatal("not established")
		}
		e.receive(epoch, w, &packet{chunk: tt.chunk})
		if ended := w.why == "connection reset by peer"; ended != tt.ends {
			t.Errorf("%+v ends the association: %v", tt.chunk, ended)
		}
	}
	e, w := associatedEndpoint()
	e.receive(epoch, w, &packet{chunk: chunk{kind: sctp.Data, tag: 7}, length: answerLen, seq: e.rcv})
	if w.received != 0 || len(w.sent) != 0 {
		t.Errorf("data with another tag: %d bytes, %d answers", w.received, len(w.sent))
	}
}

// Three SACKs that report a gap trigger a fast retransmission (RFC 9260 7.2.4); with fewer the timer
// retransmits.
func TestAHoleIsFilledAfterThreeReports(t *testing.T) {
	e, w := associatedEndpoint()
	e.write(epoch, w, 4)
	lost := w.sent[0]
	w.sent = nil
	for reports := 1; reports <= missesUntilRepeat; reports++ {
		e.receive(epoch, w, &packet{chunk: chunk{kind: sctp.Sack, tag: 1001}, ack: lost.seq})
		if repeated := len(w.sent) > 0; repeated != (reports == missesUntilRepeat) {
			t.Errorf("after %d reports it was repeated: %v", reports, repeated)
		}
	}
	if w.sent[0].seq != lost.seq || w.sent[0].chunk.kind != sctp.Data || w.sent[0].chunk.tag != 5001 {
		t.Errorf("repeated %+v", w.sent[0])
	}
}

// An association is given up after Association.Max.Retrans timeouts, from RTO.Min on (RFC 9260 16).
func TestAnAssociationThatIsNotAnsweredEnds(t *testing.T) {
	e, w := associatedEndpoint()
	e.write(epoch, w, 1)
	waits := runOut(e, w, epoch)
	if len(waits) != int(retriesSCTP[tcpEstablished])+1 || waits[0] != rtoSCTP || waits[1] != 2*rtoSCTP || waits[len(waits)-1] != rtoMaxSCTP {
		t.Errorf("waits %v", waits)
	}
}

// An association shuts down once all messages are acknowledged (RFC 9260 9.2). A repeated SHUTDOWN
// chunk is answered again if the answer was lost.
func TestAnAssociationEndsOnceAllIsAcknowledged(t *testing.T) {
	e, w := associatedEndpoint()
	began := e.nxt
	e.write(epoch, w, 2)
	e.close(epoch, w)
	kinds := func() (list []uint8) {
		for _, p := range w.sent {
			list = append(list, p.chunk.kind)
		}
		w.sent = nil
		return list
	}
	take := func(c uint8, acked uint32, want ...uint8) {
		t.Helper()
		e.receive(epoch, w, &packet{chunk: chunk{kind: c, tag: 1001}, ack: acked})
		if got := kinds(); !slices.Equal(got, want) {
			t.Errorf("after %s of %d bytes it sends %v, want %v", sctp.Name(c), acked-began, got, want)
		}
	}
	if got := kinds(); !slices.Equal(got, []uint8{sctp.Data, sctp.Data}) {
		t.Errorf("before any answer it sends %v", got)
	}
	take(sctp.Sack, began+requestLen)
	take(sctp.Sack, began+2*requestLen, sctp.Shutdown)
	for range 2 {
		take(sctp.ShutdownAck, 0, sctp.ShutdownComplete)
		if e.state != tcpDone {
			t.Errorf("it is in state %v", e.state)
		}
	}
}
