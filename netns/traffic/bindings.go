package traffic

import (
	"time"

	"baton/impl/clock"
)

// bindings map flows to places, that is, to the guests' addresses and ports. A flow has the
// place of its number, or moves to another port of its address from time to time, like a
// flow behind a NAT whose mapping has expired.
type bindings struct {
	every  time.Duration // 0 for flows that keep their port
	stride int           // distance of consecutive ports of a flow
	ports  int           // ports per flow
	of     []binding
}

// binding is the state of a flow that rebinds.
type binding struct {
	moves int
	since clock.Instant // 0 before its first packet
}

// newBindings divides room, the number of places of some addresses, among flows.
func newBindings(every time.Duration, flows, addrs, room int) bindings {
	if every == 0 || flows == 0 {
		return bindings{}
	}
	stride := (flows + addrs - 1) / addrs * addrs // a flow keeps its address
	return bindings{every: every, stride: stride, ports: max(1, room/stride), of: make([]binding, flows)}
}

// place returns the i-th flow's place.
func (b *bindings) place(i int) int {
	if b.of == nil {
		return i
	}
	return i + b.of[i].moves%b.ports*b.stride
}

// flow returns the flow at a place. known is false if no flow has the place now.
func (b *bindings) flow(place int) (i int, known bool) {
	if b.of == nil {
		return place, true
	}
	i = place % b.stride
	return i, i < len(b.of) && b.place(i) == place
}

// send moves the i-th flow to its next port if that is due.
func (b *bindings) send(i int, at clock.Instant) {
	if b.of == nil {
		return
	}
	f := &b.of[i]
	switch {
	case f.since == 0:
		f.since = at
	case at.Sub(f.since) >= b.every:
		f.moves++
		f.since = at
	}
}
