package bpf

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// long is a payload that is cut into several fragments.
var long = strings.Repeat("payload ", 12)

// fragmentTests: datagrams in parts.
func fragmentTests() []packetTest {
	const seed = 0x5eed // of testConfig: where the ids of this node begin
	udp, udpReply := toVIP(flow.UDP, 40000, fullnatPort), snatReply(flow.UDP, 40000, 0)
	dnat, dnatBack := toVIP(flow.UDP, 40000, dnatPort), dnatReply(flow.UDP, 40000, 8081)
	whole := fragments(frameTo(clientMAC, udp, 0, long), 7, 24, 48, 72)
	direct := fragments(frameTo(clientMAC, dnat, 0, long), 7, 24)
	back := fragments(frameTo(backendMAC, dnatBack, 0, long), 9, 24)
	at := func(link string, frame []byte, want string) step { return step{link: link, frame: frame, want: want} }
	part := func(t flow.Tuple, id int) string {
		return fmt.Sprintf("forward fragment %s>%s id %d", t.Src, t.Dst, id)
	}
	to := udpReply.Reverse()
	opened := []string{line(udp, udpReply, flow.Unreplied, flow.Opened, 30*time.Second)}
	openedDirect := []string{line(dnat, dnatBack, flow.Unreplied, flow.Opened, 30*time.Second)}
	assured := line(dnat, dnatBack, flow.Assured, flow.Opened, 120*time.Second)
	first := at("client0", whole[0], forwarded(to))
	return []packetTest{{
		rule: "the rest of a datagram follows its first fragment, in any order, under an id of this node",
		steps: []step{first, at("client0", whole[2], part(to, seed)), at("client0", whole[3], part(to, seed)),
			at("client0", whole[1], part(to, seed))},
		table: opened, events: opened,
	}, {
		rule:  "without the first, or after its time, they are dropped",
		steps: []step{at("client0", whole[1], "drop fragment"), first, later(dataplane.FragmentLife, at("client0", whole[1], "drop fragment"))},
		table: []string{line(udp, udpReply, flow.Unreplied, flow.Opened, 15*time.Second)}, events: opened,
	}, {
		rule: "what has come does not come again, nor in other pieces, nor anything behind the end",
		steps: []step{first, at("client0", whole[1], part(to, seed)), at("client0", whole[1], "drop fragment-overlap"),
			at("client0", withIP(whole[1], 6, 0x20, 2), "drop fragment-overlap"),
			at("client0", withIP(whole[1], 6, 0x20, 4), "drop fragment-overlap"),
			at("client0", whole[3], part(to, seed)), at("client0", withIP(whole[1], 6, 0x20, 100), "drop fragment-overlap"),
			at("client0", whole[2], part(to, seed))},
		table: opened, events: opened,
	}, {
		rule: "nor the first fragment, until the datagram is complete: then another one may have its id",
		steps: []step{at("client0", direct[0], forwarded(dnatBack.Reverse())), at("client0", direct[0], "drop fragment-overlap"),
			at("client0", fragments(frameTo(clientMAC, dnat, 0, long), 7, 48)[0], "drop fragment-overlap"),
			at("client0", direct[1], part(dnatBack.Reverse(), 7)), at("client0", direct[0], forwarded(dnatBack.Reverse())),
			at("client0", direct[1], part(dnatBack.Reverse(), 7))},
		table: openedDirect, events: openedDirect,
	}, {
		rule: "or until its time is over",
		steps: []step{at("client0", direct[0], forwarded(dnatBack.Reverse())), later(dataplane.FragmentLife-1, at("client0", direct[0], "drop fragment-overlap")),
			later(1, at("client0", direct[0], forwarded(dnatBack.Reverse())))},
		table: []string{line(dnat, dnatBack, flow.Unreplied, flow.Opened, 30*time.Second-1)}, events: openedDirect,
	}, {
		rule:  "they follow until just before its time is over",
		steps: []step{first, later(dataplane.FragmentLife-1, at("client0", whole[1], part(to, seed)))},
		table: []string{line(udp, udpReply, flow.Unreplied, flow.Opened, 15*time.Second+1)}, events: opened,
	}, {
		rule: "a datagram that comes in more separate pieces than are remembered",
		steps: func() []step {
			steps := []step{first}
			for i := range 8 {
				want := part(to, seed)
				if i == 7 {
					want = "drop fragment"
				}
				steps = append(steps, at("client0", withIP(whole[1], 6, 0x20, byte(10+10*i)), want))
			}
			return steps
		}(),
		table: opened, events: opened,
	}, {
		rule: "dnat: the client's id stays, and the backend's becomes one of this node",
		steps: []step{at("client0", direct[0], forwarded(dnatBack.Reverse())), at("client0", direct[1], part(dnatBack.Reverse(), 7)),
			at("backend0", back[0], forwarded(dnat.Reverse())), at("backend0", back[1], part(dnat.Reverse(), seed))},
		table: []string{assured}, events: append(openedDirect, assured),
	}, {
		rule: "a fragment belongs to the datagram of its own link, sender, id and protocol",
		steps: []step{first, at("backend0", edited(whole[1], func(f []byte) []byte { copy(f, backendMAC); return f }), "drop fragment"),
			at("client0", withIP(whole[1], 4, 0, 8), "drop fragment"), at("client0", withIP(whole[1], 15, 12), "drop fragment"),
			at("client0", withIP(whole[1], 9, byte(flow.TCP)), "drop fragment")},
		table: opened, events: opened,
	}, {
		rule: "fragments that no router makes, and those of other protocols",
		steps: []step{first, at("client0", withIP(whole[1], 2, 0, 20+23), "drop malformed"), at("client0", withIP(whole[1], 2, 0, 20), "drop malformed"),
			at("client0", withIP(whole[3], 6, 0x1f, 0xff), "drop malformed"),
			at("client0", withIP(whole[0], 9, icmpProto), "drop fragment"), at("client0", withIP(whole[1], 9, 47), "drop other-proto"),
			at("client0", withIP(whole[1], 8, 1), "drop ttl"), at("client0", whole[1], part(to, seed))},
		table: opened, events: opened,
	}, {
		rule:  "a first fragment without the ports is of no flow",
		steps: []step{at("client0", withIP(fragments(frameTo(clientMAC, toVIP(flow.TCP, 40000, dnatPort), syn, long), 7, 8)[0], 2, 0, 28), "drop malformed")},
	}, {
		rule:  "the host's own fragments are the host's",
		steps: []step{at("client0", fragments(frameTo(clientMAC, tuple(flow.UDP, clientAddr, 1, "198.18.0.1", 2), 0, long), 7, 24)[1], "pass")},
	}}
}

// A flood of first fragments gets room for a limited number of datagrams, and for new ones
// after those have expired and were swept.
func TestFragmentedDatagramsAreBounded(t *testing.T) {
	eachSubject(t, testConfig(), func(t *testing.T, s subject) {
		if err := s.Lease(clock.Never); err != nil {
			t.Fatal(err)
		}
		frame := frameTo(clientMAC, toVIP(flow.UDP, 40000, fullnatPort), 0, long)
		send := func(id uint16) string {
			got, _ := fate(t, s, "client0", fragments(frame, id, 24)[0])
			return got
		}
		for id := range uint16(dataplane.MaxFragmented) {
			if got := send(id); !strings.HasPrefix(got, "forward") {
				t.Fatalf("datagram %d: %s", id, got)
			}
		}
		if got := send(dataplane.MaxFragmented); got != "drop fragment" {
			t.Errorf("one too many: %s", got)
		}
		s.advance(origin.Add(dataplane.FragmentLife))
		if _, err := s.Sweep(origin.Add(dataplane.FragmentLife), origin); err != nil {
			t.Fatal(err)
		}
		if got := send(dataplane.MaxFragmented); !strings.HasPrefix(got, "forward") {
			t.Errorf("after a sweep: %s", got)
		}
	})
}

// Datagrams that have passed whole need no room: any number of them passes in a short time.
func TestWholeDatagramsLeaveRoom(t *testing.T) {
	bothFamilies(t, func(t *testing.T) {
		eachSubject(t, testConfig(), func(t *testing.T, s subject) {
			if err := s.Lease(clock.Never); err != nil {
				t.Fatal(err)
			}
			frame := frameTo(clientMAC, toVIP(flow.UDP, 40000, fullnatPort), 0, long)
			for id := range uint16(dataplane.MaxFragmented + 10) {
				for i, part := range fragments(frame, id, 24) {
					if got, _ := fate(t, s, "client0", part); !strings.HasPrefix(got, "forward") {
						t.Fatalf("part %d of datagram %d: %s", i, id, got)
					}
				}
			}
		})
	})
}

// Datagrams that are larger than the links arrive whole, both ways.
func TestLargeDatagramsThroughTheLoadBalancer(t *testing.T) { newModesLab(t).largeDatagrams(t) }

func (l *lab) largeDatagrams(t *testing.T) {
	eachMode(t, func(t *testing.T, mode dataplane.Mode) {
		l.echoDatagrams(t, portOfMode(mode))
		conn := l.dial(t, "udp", portOfMode(mode))
		for _, size := range []int{1473, 4000, 9000, 60000} {
			exchange(t, conn, strings.Repeat("d", size))
		}
	})
}
