package bpf

import (
	"bytes"
	"net"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/flow"
)

// A packet goes to the neighbour that the kernel had a tick ago, or has now: not to an
// older one, however long the flow was silent, and whichever side speaks first.
func TestPacketsFollowTheirNeighbour(t *testing.T) {
	const tick = 1 << 27 // nanoseconds, TICK_SHIFT of hop.h
	const wrap = tick << 12
	for _, tt := range []struct {
		name  string
		quiet time.Duration
		other bool // the other direction speaks first
	}{
		{"a tick later", tick, false},
		{"when the stamp comes again", wrap, false},
		{"when the stamp comes again, after the other side's packet", wrap, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newProgramSubject(t, testConfig())
			o, r := toVIP(flow.TCP, 40000, dnatPort), dnatReply(flow.TCP, 40000, 8081)
			s.must(s.Lease(clock.Never))
			s.must(s.Apply([]flow.Entry{{Original: o, Reply: r, State: flow.Established, Origin: flow.Synced}}))
			send := func(st step) { s.packet(st.link, st.frame) }
			for range 3 {
				send(in(o, ack, ""))
				send(back(r, ack, ""))
			}
			if s.direct != 4 { // the first in each direction asks
				t.Errorf("%d packets of 6 were addressed by the programs, want 4", s.direct)
			}
			s.inside(func() {
				backend, err := net.InterfaceByName("backend0")
				if err != nil {
					t.Error(err)
					return
				}
				s.neighbour(backend, net.HardwareAddr{2, 0, 0, 0, 9, 8}, backendAddr)
			})
			s.advance(origin.Add(tt.quiet))
			if tt.other {
				send(back(r, ack, ""))
			}
			frame := fromClient(o, ack)
			if _, out := s.packet("client0", frame); !bytes.Equal(out[:12], frame[:12]) {
				t.Errorf("the first packet after it is addressed to %s, want it left to the kernel", net.HardwareAddr(out[:6]))
			}
			if _, out := s.packet("client0", frame); out[5] != 8 {
				t.Errorf("the next is addressed to %s, want the new neighbour", net.HardwareAddr(out[:6]))
			}
		})
	}
}

// What the kernel knows no neighbour for is left to it, and it is not asked again for
// each packet.
func TestUnknownNeighboursAreTheKernels(t *testing.T) {
	s := newProgramSubject(t, testConfig())
	o := tuple(flow.TCP, "198.18.0.77", 40000, vipAddr, dnatPort)
	r := tuple(flow.TCP, backendAddr, 8081, "198.18.0.77", 40000)
	s.must(s.Lease(clock.Never))
	s.must(s.Apply([]flow.Entry{{Original: o, Reply: r, State: flow.Established, Origin: flow.Synced}}))
	for range 4 {
		frame := fromBackend(r, ack)
		if verdict, out := s.packet("backend0", frame); verdict != 1 || !bytes.Equal(out[:12], frame[:12]) {
			t.Fatalf("%s, addressed to %s", verdict, net.HardwareAddr(out[:6]))
		}
	}
	var conn rawConn[ipv4]
	s.must(s.shared.Conns.Lookup(toTuple[ipv4](o), &conn))
	if conn.Hop[1]>>16 != 0xfffffffffffe {
		t.Errorf("hop %x, want it known to be unknown", conn.Hop[1])
	}
}
