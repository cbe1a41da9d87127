package bpf

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// IPv6 flows follow the rules of IPv4. The rules here are specific to IPv6.
func TestPacketsOverIPv6(t *testing.T) {
	overIPv6(t)
	eachSubject(t, testConfig(), func(t *testing.T, s subject) {
		for _, tests := range [][]packetTest{openTests()[:4], hairpinTests(), affinityTests(), rangeTests(), challengeTests(), tcpTests(), blindTests(), missTests(), ndpTests(), extensionTests(),
			strict6Tests(), icmp6Tests(), fragment6Tests(), directTests(directPorts), directTests(tunnelPorts), tunnelTests()} {
			for _, tt := range tests {
				t.Run(tt.rule, func(t *testing.T) { tt.run(t, s, map[string]bool{}) })
			}
		}
	})
}

func on(link string, frame []byte, want string) step {
	return step{link: link, frame: frame, want: want}
}

func ndpTests() []packetTest {
	unspecified, client, backend := flow.Addr{}, address(clientAddr), address(backendAddr)
	vip, snat := address(vipAddr), address(snatAddr)
	said := func(vip flow.Addr, mac fmt.Stringer, to string, flags int) string {
		return fmt.Sprintf("arp-reply %s is-at %s to %s flags %#x", vip, mac, to, flags)
	}
	edit := func(at int, to byte) []byte {
		return edited(solicitation(client, vip), func(f []byte) []byte { f[at] = to; return f })
	}
	unicast := func(sender flow.Addr) []byte {
		return edited(solicitation(sender, vip), func(f []byte) []byte {
			copy(f, clientMAC)
			copy(f[38:54], vip[:])
			f[56], f[57] = 0, 0
			binary.BigEndian.PutUint16(f[56:], ^sum(append(pseudoOf(f, icmpv6Proto, len(f)-54), f[54:]...)))
			return f
		})
	}
	return []packetTest{{
		rule: "a VIP is answered for on its link",
		steps: []step{on("client0", solicitation(client, vip), said(vip, clientMAC, client.String(), 0xe0)),
			on("backend0", solicitation(backend, snat), said(snat, backendMAC, backend.String(), 0xe0)),
			on("client0", unicast(client), said(vip, clientMAC, client.String(), 0xe0))},
	}, {
		rule:  "RFC 4862: duplicate address detection for the VIP is answered to all nodes",
		steps: []step{on("client0", solicitation(unspecified, vip), said(vip, clientMAC, "ff02::1", 0xa0))},
	}, {
		rule: "not without the lease",
		steps: []step{leaseUntil(origin), on("client0", solicitation(client, vip), "drop no-lease"),
			on("client0", solicitation(unspecified, vip), "drop no-lease"), leaseUntil(origin + 1),
			on("client0", solicitation(client, vip), said(vip, clientMAC, client.String(), 0xe0)),
			later(1, on("client0", solicitation(client, vip), "drop no-lease"))},
	}, {
		rule: "under the address that the link has now",
		steps: []step{setMAC("client0", peerMAC), on("client0", solicitation(client, vip), said(vip, peerMAC, client.String(), 0xe0)),
			setMAC("client0", clientMAC)},
	}, {
		rule: "other addresses and invalid solicitations go to the host",
		steps: []step{on("client0", solicitation(client, address("198.18.0.1")), "pass"),
			on("client0", solicitation(client, snat), "pass"), on("backend0", solicitation(backend, vip), "pass"),
			on("client0", unicast(unspecified), "pass"), on("client0", edit(21, 254), "pass"), on("client0", edit(55, 1), "pass"), on("client0", edit(57, 0x77), "pass")},
	}}
}

// reachesBackend returns a fullnat flow, the fate of its first segment, and the resulting entry.
func reachesBackend() (o flow.Tuple, want string, entry []string) {
	o = toVIP(flow.TCP, 40000, fullnatPort)
	r := snatReply(flow.TCP, 40000, 0)
	return o, forwarded(r.Reverse()), []string{line(o, r, flow.SynSent, flow.Opened, time.Minute)}
}

func extensionTests() []packetTest {
	o, want, entry := reachesBackend()
	frame := fromClient(o, syn)
	routing := func(left byte) []byte {
		e := extension(frame[20], 0)
		e[3] = left
		return e
	}
	hopByHop := append(extension(60, 0), extension(frame[20], 1)...) // and destination options
	tests := []packetTest{}
	for what, f := range map[string][]byte{
		"hop-by-hop and destination options": insert(frame, 0, hopByHop),
		"a routing header at its end":        insert(frame, 43, routing(0)),
		"an atomic fragment (RFC 6946)":      insert(frame, 44, extension(frame[20], 0)),
	} {
		tests = append(tests, packetTest{rule: what + " are passed", steps: []step{on("client0", f, want)}, table: entry, events: entry})
	}
	slices.SortFunc(tests, func(a, b packetTest) int { return strings.Compare(a.rule, b.rule) })
	return append(tests, packetTest{
		rule: "source routes; headers out of order, too many, too long or truncated",
		steps: []step{on("client0", insert(frame, 43, routing(1)), "drop source-route"),
			on("client0", insert(frame, 60, append(extension(0, 0), extension(frame[20], 0)...)), "drop malformed"),
			on("client0", insert(frame, 60, extension(frame[20], 8)), "drop malformed"),
			on("client0", insert(frame, 60, slices.Repeat(extension(60, 0), 9)), "drop malformed"),
			on("client0", insert(frame, 60, append(slices.Repeat(extension(60, 0), 8), extension(frame[20], 0)...)), "drop malformed"),
			on("client0", insert(frame, 60, append(extension(43, 7), routing(1)...)), "drop malformed"),
			on("client0", insert(frame, 44, append(extension(44, 0), extension(frame[20], 0)...)), "drop malformed")},
	}, packetTest{
		rule: "other protocols, also behind extension headers",
		steps: []step{on("client0", withProto(frame, 50), "drop other-proto"), on("client0", withProto(frame, 59), "drop other-proto"),
			on("client0", insert(frame, 60, extension(51, 0)), "drop other-proto")},
	})
}

func strict6Tests() []packetTest {
	from := func(src string) []byte { return fromClient(tuple(flow.TCP, src, 40000, vipAddr, fullnatPort), syn) }
	ttl := fmt.Sprintf("refuse ttl: icmp 3/0 %s>%s about %s mtu 0", address(vipAddr), address(clientAddr), toVIP(flow.TCP, 40000, fullnatPort))
	o, want, entry := reachesBackend()
	big := frameTo(clientMAC, o, ack, strings.Repeat("x", 1441))
	return []packetTest{{
		rule: "sources that no host may have, or that this node has",
		steps: []step{on("client0", from("::"), "drop source"), on("client0", from("::1"), "drop source"),
			on("client0", from("fe80::1"), "drop source"), on("client0", from("febf::1"), "drop source"), on("client0", from("ff02::1"), "drop source"), on("client0", from("ff0e::1"), "drop source"),
			on("client0", edited(from(clientAddr), func(f []byte) []byte { copy(f[22:34], make([]byte, 10)); f[32], f[33] = 0xff, 0xff; return f }), "drop source"),
			on("client0", from(vipAddr), "drop source"), on("client0", from("198.18.0.1"), "drop source"),
			on("client0", withTTL(from(vipAddr), 1), "drop ttl")},
	}, {
		rule: "an expired packet gets a time exceeded from the VIP",
		steps: []step{on("client0", withTTL(fromClient(o, syn), 1), ttl), on("client0", withTTL(fromClient(o, syn), 0), "drop ttl"),
			on("client0", withTTL(fromClient(o, syn), 2), want)},
		table: entry, events: entry,
	}, {
		rule: "a packet larger than the backends' link gets a packet too big with its MTU",
		steps: []step{on("client0", fromClient(o, syn), want), on("client0", big,
			fmt.Sprintf("refuse too-big: icmp 2/0 %s>%s about %s mtu 1500", address(vipAddr), address(clientAddr), o))},
		table: entry, events: entry,
	}}
}

func icmp6Tests() []packetTest {
	full, fullReply := toVIP(flow.TCP, 40000, fullnatPort), snatReply(flow.TCP, 40000, 0)
	dnat, dnatBack := toVIP(flow.UDP, 40000, dnatPort), dnatReply(flow.UDP, 40000, 8081)
	udp, udpReply := toVIP(flow.UDP, 40000, fullnatPort), snatReply(flow.UDP, 40000, 0)
	router, backend, client := address(routerAddr), address(backendAddr), address(clientAddr)
	about := func(from flow.Addr, kind, code uint8, t flow.Tuple, seq uint32, extensions bool) []byte {
		mac := backendMAC
		if t.Src == address(vipAddr) {
			mac = clientMAC
		}
		frame := frameTo(peerMAC, t, ack, payload)
		if t.Proto == flow.TCP {
			frame = withNumbers(frame, seq, 0)
		}
		if extensions {
			frame = insert(frame, 60, extension(frame[20], 1))
		}
		return errorFrame(mac, from, kind, code, frame, 20)
	}
	passedOn := func(kind, code int, from, to flow.Addr, t flow.Tuple) string {
		return fmt.Sprintf("forward icmp %d/%d %s>%s about %s", kind, code, from, to, t)
	}
	aboutFragment := func(offset byte) []byte {
		sent := frameTo(peerMAC, udpReply.Reverse(), 0, payload)
		return errorFrame(backendMAC, backend, 1, 4, insert(sent, 44, []byte{sent[20], 0, 0, offset | 1, 0, 0, 0, 7}), 20)
	}
	open := []step{in(full, syn, forwarded(fullReply.Reverse()))}
	opened := []string{line(full, fullReply, flow.SynSent, flow.Opened, time.Minute)}
	unreplied := []string{line(dnat, dnatBack, flow.Unreplied, flow.Opened, 30*time.Second)}
	echo := func(mac string, from, to flow.Addr) []byte {
		return icmpFrame(map[string][]byte{"client0": clientMAC, "backend0": backendMAC}[mac], from, to, 128, 0, []byte("ping of an odd length"))
	}
	return []packetTest{{
		rule: "packet too big, also with extension headers, reaches the client from the VIP",
		steps: append(open, on("backend0", about(router, 2, 0, fullReply.Reverse(), clientISN, false), passedOn(2, 0, address(vipAddr), client, full)),
			on("backend0", about(router, 2, 0, fullReply.Reverse(), clientISN, true), passedOn(2, 0, address(vipAddr), client, full))),
		table: opened, events: opened,
	}, {
		rule: "the others: unreachable, time exceeded, parameter problem; both ways",
		steps: append([]step{in(dnat, 0, forwarded(dnatBack.Reverse()))},
			on("backend0", about(backend, 1, 4, dnatBack.Reverse(), 0, false), passedOn(1, 4, address(vipAddr), client, dnat)),
			on("client0", about(router, 3, 0, dnat.Reverse(), 0, false), passedOn(3, 0, router, backend, dnatBack)),
			on("client0", about(client, 4, 1, dnat.Reverse(), 0, false), passedOn(4, 1, client, backend, dnatBack))),
		table: unreplied, events: unreplied,
	}, {
		rule: "about a first fragment, and not about a later one, whose ports are data",
		steps: []step{in(udp, 0, forwarded(udpReply.Reverse())), on("backend0", aboutFragment(0), passedOn(1, 4, address(vipAddr), client, udp)),
			on("backend0", aboutFragment(8), "drop icmp")},
		table:  []string{line(udp, udpReply, flow.Unreplied, flow.Opened, 30*time.Second)},
		events: []string{line(udp, udpReply, flow.Unreplied, flow.Opened, 30*time.Second)},
	}, {
		rule: "forged errors, errors without a flow, and other messages",
		steps: append(open, on("backend0", about(router, 2, 0, fullReply.Reverse(), clientISN+9, false), "drop icmp-forged"),
			on("backend0", about(router, 2, 0, dnatBack.Reverse(), 0, false), "drop icmp"),
			on("backend0", about(router, 5, 0, fullReply.Reverse(), clientISN, false), "drop icmp"),
			on("client0", icmpFrame(clientMAC, client, address(vipAddr), 133, 0, nil), "drop icmp"),
			on("client0", icmpFrame(clientMAC, client, address(vipAddr), 136, 0, make([]byte, 16)), "drop icmp")),
		table: opened, events: opened,
	}, {
		rule: "a ping of a VIP is answered",
		steps: []step{on("client0", echo("client0", client, address(vipAddr)), fmt.Sprintf("echo-reply %s>%s", address(vipAddr), client)),
			on("backend0", echo("backend0", backend, address(snatAddr)), fmt.Sprintf("echo-reply %s>%s", address(snatAddr), backend)),
			on("client0", echo("client0", client, address("198.18.0.1")), "pass")},
	}}
}

func fragment6Tests() []packetTest {
	const seed = 0x5eed // seed of this node's fragment ids in testConfig
	udp, udpReply := toVIP(flow.UDP, 40000, fullnatPort), snatReply(flow.UDP, 40000, 0)
	dnat, dnatBack := toVIP(flow.UDP, 40000, dnatPort), dnatReply(flow.UDP, 40000, 8081)
	whole := fragments(frameTo(clientMAC, udp, 0, long), 7, 24, 48, 72)
	direct, back := fragments(frameTo(clientMAC, dnat, 0, long), 7, 24), fragments(frameTo(backendMAC, dnatBack, 0, long), 9, 24)
	part := func(t flow.Tuple, id int) string {
		return fmt.Sprintf("forward fragment %s>%s id %d", t.Src, t.Dst, id)
	}
	to := udpReply.Reverse()
	opened := []string{line(udp, udpReply, flow.Unreplied, flow.Opened, 30*time.Second)}
	first := on("client0", whole[0], forwarded(to))
	unreplied, assured := line(dnat, dnatBack, flow.Unreplied, flow.Opened, 30*time.Second), line(dnat, dnatBack, flow.Assured, flow.Opened, 120*time.Second)
	return []packetTest{{
		rule: "the rest of a datagram follows its first fragment, in any order, once, under an id of this node",
		steps: []step{on("client0", whole[1], "drop fragment"), first, on("client0", whole[2], part(to, seed)), on("client0", whole[3], part(to, seed)),
			on("client0", whole[2], "drop fragment-overlap"), on("client0", first.frame, "drop fragment-overlap"),
			on("client0", whole[1], part(to, seed)), on("client0", whole[1], "drop fragment")},
		table: opened, events: opened,
	}, {
		rule:  "after its time they are dropped",
		steps: []step{first, later(dataplane.FragmentLife, on("client0", whole[1], "drop fragment"))},
		table: []string{line(udp, udpReply, flow.Unreplied, flow.Opened, 15*time.Second)}, events: opened,
	}, {
		rule: "dnat: the client's id stays, and the backend's becomes one of this node",
		steps: []step{on("client0", direct[0], forwarded(dnatBack.Reverse())), on("client0", direct[1], part(dnatBack.Reverse(), 7)),
			on("backend0", back[0], forwarded(dnat.Reverse())), on("backend0", back[1], part(dnat.Reverse(), seed))},
		table: []string{assured}, events: []string{unreplied, assured},
	}, {
		rule: "fragments of ICMPv6, and of an invalid length",
		steps: []step{first, on("client0", edited(whole[0], func(f []byte) []byte { f[54] = icmpv6Proto; return f }), "drop fragment"),
			on("client0", edited(whole[1], func(f []byte) []byte { f[19]--; return f }), "drop malformed")},
		table: opened, events: opened,
	}}
}

// Services of both families work side by side, under one lease and behind one Dataplane, and
// a node without IPv6 addresses leaves IPv6 to its host.
func TestBothFamiliesOnOneNode(t *testing.T) {
	v4 := testConfig()
	o4 := toVIP(flow.UDP, 40000, fullnatPort)
	overIPv6(t)
	v6 := testConfig()
	o6 := toVIP(flow.UDP, 40000, fullnatPort)
	both := v4
	both.VIPs, both.Services = append(slices.Clone(v4.VIPs), v6.VIPs...), slices.Clone(v4.Services)
	for _, s := range v6.Services {
		s.Name += "-v6"
		both.Services = append(both.Services, s)
	}
	eachSubject(t, both, func(t *testing.T, s subject) {
		for _, o := range []flow.Tuple{o4, o6} {
			if got, _ := fate(t, s, "client0", frameTo(clientMAC, o, 0, payload)); got != "drop no-lease" {
				t.Errorf("%s without a lease: %s", o, got)
			}
		}
		if err := s.Lease(clock.Never); err != nil {
			t.Fatal(err)
		}
		for _, o := range []flow.Tuple{o4, o6} {
			if got, _ := fate(t, s, "client0", frameTo(clientMAC, o, 0, payload)); !strings.HasPrefix(got, "forward udp") {
				t.Errorf("%s: %s", o, got)
			}
		}
		if got := events(t, s); len(got) != 2 || !strings.Contains(got[0], "198.18.0.11") || !strings.Contains(got[1], "2001:2::") {
			t.Errorf("events %q", got)
		}
		if got := table(t, s); len(got) != 2 {
			t.Errorf("table %q", got)
		}
		removed, err := s.Sweep(origin.Add(time.Hour), origin)
		if err != nil || len(removed) != 2 {
			t.Errorf("swept %v, %v", removed, err)
		}
		checkClaims(t, s)
	})
	eachSubject(t, v4, func(t *testing.T, s subject) {
		if err := s.Lease(clock.Never); err != nil {
			t.Fatal(err)
		}
		if got, _ := fate(t, s, "client0", frameTo(clientMAC, o6, 0, payload)); got != "pass" {
			t.Errorf("IPv6 on a node without IPv6 addresses: %s", got)
		}
	})
}

// Real connections and datagrams over links of equal and different MTU, with and without the
// lease: clients resolve the VIP, and backends their gateway, by neighbour discovery alone.
func TestTrafficOverIPv6(t *testing.T) {
	overIPv6(t)
	l := newModesLab(t)
	t.Run("large datagrams", l.largeDatagrams)
	t.Run("TCP", l.transfers)
	t.Run("UDP", l.datagrams)
	t.Run("lost entries", l.losesEntries)
	t.Run("a smaller link", TestTransferOverASmallerLink)
	t.Run("no lease yet", TestClientWaitsForTheLease)
	t.Run("a lapse of the lease", TestConnectionSurvivesALapseOfTheLease)
}
