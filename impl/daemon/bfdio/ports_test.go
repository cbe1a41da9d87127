package bfdio

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/containernetworking/plugins/pkg/ns"
)

// bindSender opens a sender from the n-th of many addresses that no interface has.
func bindSender(t *testing.T, n int, ports *SourcePorts) *Sender {
	t.Helper()
	local := [4]byte{198, 19}
	binary.BigEndian.PutUint16(local[2:], uint16(n+1))
	s, err := OpenSender(Route{Local: netip.AddrFrom4(local), Peer: addr2, Port: Port}, ports)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// TestRFC5881_4_SourcePortsAreUnique: a thousand sessions with different addresses have
// different source ports. The kernel would not ensure this: of a thousand ports drawn from
// 16384 some thirty are drawn twice.
//
// Conformance: RFC 5881 4/4
func TestRFC5881_4_SourcePortsAreUnique(t *testing.T) {
	inNetNS(t, func(ns.NetNS) {
		var ports SourcePorts
		sessions := map[int]int{}
		for n := range 1000 {
			s := bindSender(t, n, &ports)
			if first, taken := sessions[s.SourcePort()]; taken {
				t.Errorf("sessions %d and %d have source port %d", first, n, s.SourcePort())
			}
			sessions[s.SourcePort()] = n
		}
	})
}

// TestRFC5881_4_SourcePortsAreReusedEvenly: when every port is in use, each is given out a
// second time before any a third time, also to sessions of one address; a released port is
// reused first.
//
// Conformance: RFC 5881 4/5
func TestRFC5881_4_SourcePortsAreReusedEvenly(t *testing.T) {
	inNetNS(t, func(ns.NetNS) {
		const left = 3 // unused ports; the test cannot open 16384 sockets to use up all others
		var ports SourcePorts
		for i := range ports.sessions {
			ports.sessions[i] = 9
		}
		for i := range left {
			ports.sessions[1000*i] = 0
		}
		uses := map[int]int{}
		take := func(n int) *Sender {
			s := bindSender(t, n, &ports)
			uses[s.SourcePort()]++
			return s
		}
		var last *Sender
		for round := range 3 {
			for n := range left {
				last = take(n % 2) // two of three are of one address
			}
			for port, n := range uses {
				if n != round+1 || (port-firstPort)%1000 != 0 {
					t.Fatalf("after %d sessions the ports are used %v times, want each as often", left*(round+1), uses)
				}
			}
		}
		back := last.SourcePort()
		last.Close()
		last.Close() // a second Close must not release the port again
		if again := take(0).SourcePort(); again != back {
			t.Errorf("source port %d, want %d, which has the fewest sessions", again, back)
		}
	})
}

// TestASourcePortOfAnotherProcessIsLeftAlone: a port that another process has bound is never
// shared.
func TestASourcePortOfAnotherProcessIsLeftAlone(t *testing.T) {
	inNetNS(t, func(ns.NetNS) {
		var theirs, ours SourcePorts
		stranger := bindSender(t, 0, &theirs)
		for i := range ours.sessions {
			ours.sessions[i] = 1
		}
		ours.sessions[stranger.SourcePort()-firstPort] = 0
		if s := bindSender(t, 0, &ours); s.SourcePort() == stranger.SourcePort() {
			t.Errorf("source port %d is shared with another process", s.SourcePort())
		}
	})
}
