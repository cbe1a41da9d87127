package traffic

import (
	"net/netip"
	"testing"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/plan"
)

// TestOnlyARSTInSequenceEndsAnIdleFlow (RFC 5961 3.2, RFC 9293 3.10.7.3): a RST ends an open flow only with the next sequence
// number, and an opening flow only if it acknowledges the SYN. A flow ends once.
func TestOnlyARSTInSequenceEndsAnIdleFlow(t *testing.T) {
	open := idleFlow{connected: true, seq: 100, ack: 500, backend: 1}
	opening := idleFlow{seq: 100}
	for _, test := range []struct {
		name string
		flow idleFlow
		s    segment
		ends bool
	}{
		{"of an open flow, at its next byte", open, segment{flags: tcpRST, seq: 500}, true},
		{"of an open flow, a byte later", open, segment{flags: tcpRST, seq: 501}, false},
		{"of an open flow, which acknowledges its last", open, segment{flags: tcpRST | tcpACK, seq: 0, ack: 101}, false},
		{"of a flow that opens, for its SYN", opening, segment{flags: tcpRST | tcpACK, seq: 0, ack: 101}, true},
		{"of a flow that opens, for another SYN", opening, segment{flags: tcpRST | tcpACK, seq: 0, ack: 100}, false},
		{"of a flow that opens, at the byte that it does not know", opening, segment{flags: tcpRST, seq: 0}, false},
	} {
		var events []trace.Event
		l := &line{Traffic: plan.Traffic{Name: "idle"}, backends: []string{"backend1"}, record: func(e trace.Event) { events = append(events, e) }}
		g := &idleFlows{line: l, client: &client{name: "client1"}, numbers: []int{0}, all: []idleFlow{test.flow}, exchange: &asking{},
			guests: &guests{addrs: []netip.Addr{netip.MustParseAddr("198.18.0.11")}}}
		if test.flow.connected {
			g.answered, l.totals.Sessions = 1, 1
		}
		g.sample = &sample{flows: g, of: []int32{0}, asked: map[int32]sampled{}}
		x := segments{g}
		for range 2 {
			if !g.all[0].dead {
				x.reset(clock.Instant(1), 0, test.s)
			}
		}
		lost := 0
		if test.ends && test.flow.connected {
			lost = 1
		}
		left := l.totals.Lost + g.answered // each answered flow is either lost or still open
		if g.all[0].dead != test.ends || l.totals.Lost != lost || len(events) != lost || l.totals.Sessions != g.answered || (left == 1) != test.flow.connected {
			t.Errorf("a RST %s: ended %v, %d answered, totals %+v, %d events; want ended %v", test.name, g.all[0].dead, g.answered, l.totals, len(events), test.ends)
		}
	}
}
