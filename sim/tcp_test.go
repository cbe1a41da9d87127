package sim

import (
	"slices"
	"testing"
	"time"

	"baton/impl/clock"
)

// wire is a host with one endpoint and no network.
type wire struct {
	sent     []packet
	wakes    clock.Instant // when the timer's event is due
	why      string        // the connection is gone
	received int
}

func (w *wire) output(_ *endpoint, p packet)                   { w.sent = append(w.sent, p) }
func (w *wire) wake(_ *endpoint, at clock.Instant)             { w.wakes = at }
func (w *wire) readable(_ *endpoint, n int, _ uint32, _ uint8) { w.received += n }
func (w *wire) connected(*endpoint)                            {}
func (w *wire) halfClosed(*endpoint)                           {}
func (w *wire) finished(*endpoint)                             {}
func (w *wire) reset(_ *endpoint, why string)                  { w.why = why }

// connectedEndpoint is a client's endpoint of a connection opened at epoch.
func connectedEndpoint() (*endpoint, *wire) {
	e, w := &endpoint{unit: requestLen}, &wire{}
	e.open(epoch, w, 1000)
	e.receive(epoch, w, &packet{flags: syn | ack, seq: 5000, ack: 1001})
	w.sent = nil
	return e, w
}

// runOut lets the timer run out until the connection ends, and returns the waits
// between transmissions.
func runOut(e *endpoint, w *wire, now clock.Instant) []time.Duration {
	var waits []time.Duration
	for w.why == "" && len(waits) < 100 {
		waits = append(waits, e.deadline.Sub(now))
		now = e.deadline
		e.timer(now, w)
	}
	return waits
}

// TestRetransmissionBacksOff (RFC 6298 section 5): 200 ms, doubled each time, at most
// 120 s, fifteen times as Linux has it; a SYN and a SYN-ACK begin at a second.
func TestRetransmissionBacksOff(t *testing.T) {
	const data, synTries, synACKTries = 15, 6, 5
	backoff := func(first time.Duration, tries int) []time.Duration {
		var waits []time.Duration
		for i := range tries + 1 {
			waits = append(waits, min(first<<i, rtoMax))
		}
		return waits
	}
	e, w := connectedEndpoint()
	e.write(epoch, w, 1)
	if got, want := runOut(e, w, epoch), backoff(200*time.Millisecond, data); !slices.Equal(got, want) {
		t.Errorf("data: waits %v, want %v", got, want)
	}
	if w.why != "connection timed out" || len(w.sent) != 1+data {
		t.Errorf("%d segments, then %q", len(w.sent), w.why)
	}
	for i, p := range w.sent {
		if p.seq != 1001 || p.length != requestLen {
			t.Fatalf("transmission %d is of %d bytes at %d", i, p.length, p.seq)
		}
	}
	e, w = &endpoint{unit: requestLen}, &wire{}
	e.open(epoch, w, 1000)
	if got, want := runOut(e, w, epoch), backoff(time.Second, synTries); !slices.Equal(got, want) {
		t.Errorf("SYN: waits %v, want %v", got, want)
	}
	e, w = &endpoint{unit: answerLen}, &wire{}
	e.accept(epoch, w, 7000, 1000)
	if got, want := runOut(e, w, epoch), backoff(time.Second, synACKTries); !slices.Equal(got, want) {
		t.Errorf("SYN-ACK: waits %v, want %v", got, want)
	}
}

// TestAcknowledgementEndsTheBackoff: an acknowledgement resets the timeout to 200 ms.
func TestAcknowledgementEndsTheBackoff(t *testing.T) {
	e, w := connectedEndpoint()
	e.write(epoch, w, 1)
	now := epoch
	for range 4 {
		now = e.deadline
		e.timer(now, w)
	}
	e.receive(now, w, &packet{flags: ack, seq: 5001, ack: 1001 + requestLen})
	if e.deadline != clock.Never {
		t.Errorf("the timer runs with nothing out")
	}
	e.write(now, w, 1)
	if rto := e.deadline.Sub(now); rto != rtoMin {
		t.Errorf("the next message waits %v", rto)
	}
}

// TestARepeatedSegmentIsNotReadAgain, but it is acknowledged again. A segment behind a gap is not read
// before the gap is filled.
func TestARepeatedSegmentIsNotReadAgain(t *testing.T) {
	e, w := connectedEndpoint()
	first, second := &packet{flags: ack, seq: 5001, ack: 1001, length: answerLen}, &packet{flags: ack, seq: 5001 + answerLen, ack: 1001, length: answerLen}
	for _, c := range []struct {
		what string
		p    *packet
		read int
	}{{"behind a hole", second, 0}, {"in order", first, answerLen}, {"again", first, answerLen}, {"after it", second, 2 * answerLen}} {
		e.receive(epoch, w, c.p)
		if last := w.sent[len(w.sent)-1]; w.received != c.read || last.ack != 5001+uint32(c.read) {
			t.Errorf("%s: %d bytes read, acknowledged up to %d", c.what, w.received, last.ack)
		}
	}
}

// TestOnlyTheNextByteResets (RFC 5961 section 3): a RST counts at exactly the next
// sequence number; one within the window is challenged, no more often than the
// kernel's limit.
func TestOnlyTheNextByteResets(t *testing.T) {
	e, w := connectedEndpoint()
	for range 3 {
		e.receive(epoch, w, &packet{flags: rst, seq: 5002})
	}
	if w.why != "" || len(w.sent) != 1 || w.sent[0].flags != ack {
		t.Fatalf("RST within the window: %d answers, connection %q", len(w.sent), w.why)
	}
	e.receive(epoch.Add(challengeEvery), w, &packet{flags: rst, seq: 5002})
	if len(w.sent) != 2 {
		t.Error("no challenge after the limit has passed")
	}
	e.receive(epoch, w, &packet{flags: rst, seq: 5001})
	if w.why != "connection reset by peer" {
		t.Errorf("connection %q", w.why)
	}
}
