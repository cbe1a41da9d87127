package bpf

import (
	"bytes"
	"net"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/dataplane/model"
	"baton/impl/flow"
)

// A packet goes to the neighbour that the kernel has now or had up to a tick ago, never to an
// older one, however long the flow was silent and whichever side sends first.
func TestPacketsFollowTheirNeighbour(t *testing.T) {
	const tick = 1 << 27 // nanoseconds, TICK_SHIFT of hop.h
	const wrap = tick << 12
	for _, tt := range []struct {
		name   string
		quiet  time.Duration
		other  bool // the other direction speaks first
		client bool // the neighbour that changes is the client's
	}{
		{"a tick later", tick, false, false},
		{"when the stamp comes again", wrap, false, false},
		{"when the stamp comes again, after the other side's packet", wrap, true, false},
		{"a tick later, to the client", tick, false, true},
		{"when the stamp comes again, after the other side's packet, to the client", wrap, true, true},
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
			link, neighbour, here, there := "backend0", backendAddr, in(o, ack, ""), back(r, ack, "")
			if tt.client {
				link, neighbour, here, there = "client0", clientAddr, there, here
			}
			s.inside(func() {
				egress, err := net.InterfaceByName(link)
				if err != nil {
					t.Error(err)
					return
				}
				s.neighbour(egress, net.HardwareAddr{2, 0, 0, 0, 9, 8}, neighbour)
			})
			s.advance(origin.Add(tt.quiet))
			if tt.other {
				send(there)
			}
			if _, out := s.packet(here.link, here.frame); !bytes.Equal(out[:12], here.frame[:12]) {
				t.Errorf("the first packet after it is addressed to %s, want it left to the kernel", net.HardwareAddr(out[:6]))
			}
			if _, out := s.packet(here.link, here.frame); out[5] != 8 {
				t.Errorf("the next is addressed to %s, want the new neighbour", net.HardwareAddr(out[:6]))
			}
		})
	}
}

// Packets whose neighbour is unknown are left to the kernel, and the lookup is not repeated for
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

// If a host is on another link than the one by which its packets leave, the kernel addresses them:
// the programs only use neighbours of the packet's own link.
func TestNeighboursOfTheOtherLinkAreTheKernels(t *testing.T) {
	const client, backend = "198.18.1.77", "198.18.0.77" // in each other's networks
	eachWay(t, func(t *testing.T) {
		s := newProgramSubject(t, testConfig())
		s.inside(func() {
			for link, host := range map[string]string{"backend0": client, "client0": backend} {
				on, err := net.InterfaceByName(link)
				s.must(err)
				s.neighbour(on, neighbourMAC, host)
			}
		})
		o, r := tuple(flow.TCP, client, 40000, vipAddr, dnatPort), tuple(flow.TCP, backend, 8081, client, 40000)
		s.must(s.Lease(clock.Never))
		s.must(s.Apply([]flow.Entry{{Original: o, Reply: r, State: flow.Established, Origin: flow.Synced}}))
		for range 3 {
			for _, st := range []step{in(o, ack, ""), back(r, ack, "")} {
				if verdict, out := s.packet(st.link, st.frame); verdict != model.Forward || !bytes.Equal(out[:12], st.frame[:12]) {
					t.Errorf("from %s: %s, addressed to %s", st.link, verdict, net.HardwareAddr(out[:6]))
				}
			}
		}
		if s.direct > 0 {
			t.Errorf("the programs addressed %d packets themselves", s.direct)
		}
	})
}

// A backend with a manually entered group (multicast) address as neighbour is addressed by the kernel: in
// a remembered neighbour the group bit means that packets are encapsulated.
func TestGroupAddressesAreTheKernels(t *testing.T) {
	eachWay(t, func(t *testing.T) {
		s, group := newProgramSubject(t, testConfig()), net.HardwareAddr{3, 0, 0, 0, 8, 1}
		s.inside(func() {
			link, err := net.InterfaceByName("backend0")
			s.must(err)
			s.neighbour(link, group, backendAddr, secondBackend)
		})
		s.must(s.Lease(clock.Never))
		for _, port := range []uint16{directPort, tunnelPort, dnatPort} {
			if n := s.addressed(toVIP(flow.TCP, 40000, port), group); n > 0 {
				t.Errorf("port %d: %d packets were addressed to it", port, n)
			}
		}
	})
}
