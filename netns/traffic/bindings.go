package traffic

import (
	"time"

	"baton/impl/clock"
)

// bindings are the places of flows among the addresses and ports of the guests. A flow has
// the place of its number, or takes another port of its address from time to time, as behind
// a NAT that has forgotten it.
type bindings struct {
	every  time.Duration // 0 for flows that keep their places
	stride int           // places from one port of a flow to the next
	ports  int           // that each flow has
	of     []binding
}

// binding is what a flow that rebinds has.
type binding struct {
	moves int
	since clock.Instant // 0: it has sent nothing yet
}

// newBindings divides room, the places of some addresses, among flows.
func newBindings(every time.Duration, flows, addrs, room int) bindings {
	if every == 0 || flows == 0 {
		return bindings{}
	}
	stride := (flows + addrs - 1) / addrs * addrs // a flow keeps its address
	return bindings{every: every, stride: stride, ports: max(1, room/stride), of: make([]binding, flows)}
}

// place is where the i-th flow is.
func (b *bindings) place(i int) int {
	if b.of == nil {
		return i
	}
	return i + b.of[i].moves%b.ports*b.stride
}

// flow is the flow that is at a place. What comes to a place that it has left is nobody's.
func (b *bindings) flow(place int) (i int, known bool) {
	if b.of == nil {
		return place, true
	}
	i = place % b.stride
	return i, i < len(b.of) && b.place(i) == place
}

// send notes that the i-th flow sends at an instant, from another port if it is time.
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
