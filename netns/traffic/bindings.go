package traffic

import (
	"time"

	"baton/impl/clock"
)

// bindings assign the guests' addresses and ports to flows, by position: a flow has the
// position of its number, or moves to another port of its address from time to time, as
// behind a NAT that has forgotten it.
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

// newBindings divides room, the number of positions of some addresses, among flows.
func newBindings(every time.Duration, flows, addrs, room int) bindings {
	if every == 0 || flows == 0 {
		return bindings{}
	}
	stride := (flows + addrs - 1) / addrs * addrs // a flow keeps its address
	return bindings{every: every, stride: stride, ports: max(1, room/stride), of: make([]binding, flows)}
}

// place returns the i-th flow's position.
func (b *bindings) place(i int) int {
	if b.of == nil {
		return i
	}
	return i + b.of[i].moves%b.ports*b.stride
}

// flow returns the flow at a position. known is false for a position that no flow has now.
func (b *bindings) flow(place int) (i int, known bool) {
	if b.of == nil {
		return place, true
	}
	i = place % b.stride
	return i, i < len(b.of) && b.place(i) == place
}

// send moves the i-th flow to its next port if it is time.
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
