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

// ICMP types and codes (RFC 792).
const (
	unreachable, portUnreachable, fragNeeded = 3, 3, 4
	echoRequest, timeExceeded                = 8, 11
)

const routerAddr = "198.18.0.254"

// quoted is what follows the IP header in an error: of TCP the ports and the number.
const quoted = 8

// icmpTests: errors about flows, and pings.
func icmpTests() []packetTest {
	full, fullReply := toVIP(flow.TCP, 40000, fullnatPort), snatReply(flow.TCP, 40000, 0)
	dnat, dnatBack := toVIP(flow.TCP, 40000, dnatPort), dnatReply(flow.TCP, 40000, 8081)
	udp, udpReply := toVIP(flow.UDP, 40000, fullnatPort), snatReply(flow.UDP, 40000, 0)
	router, backend := address(routerAddr), address(backendAddr)
	// about is an error that came from somewhere about a segment with a number.
	about := func(link string, from flow.Addr, kind, code uint8, t flow.Tuple, seq uint32, want string) step {
		mac := clientMAC
		if link == "backend0" {
			mac = backendMAC
		}
		frame := frameTo(peerMAC, t, ack, payload)
		if t.Proto == flow.TCP {
			frame = withNumbers(frame, seq, 0)
		}
		return step{link: link, frame: errorFrame(mac, from, kind, code, frame, quoted), blind: true, want: want}
	}
	passedOn := func(kind, code int, from, to flow.Addr, t flow.Tuple) string {
		return fmt.Sprintf("forward icmp %d/%d %s>%s about %s", kind, code, from, to, t)
	}
	handshake := func(o, r flow.Tuple) []step {
		return []step{in(o, syn, forwarded(r.Reverse())), back(r, syn|ack, forwarded(o.Reverse())), in(o, ack, forwarded(r.Reverse()))}
	}
	states := func(o, r flow.Tuple) (table, events []string) {
		for _, s := range []flow.State{flow.SynSent, flow.Established} {
			events = append(events, line(o, r, s, flow.Opened, dataplane.DefaultTimeouts().Of(s)))
		}
		return events[1:], events
	}
	fullTable, fullEvents := states(full, fullReply)
	dnatTable, dnatEvents := states(dnat, dnatBack)
	unreplied := []string{line(udp, udpReply, flow.Unreplied, flow.Opened, 30*time.Second)}
	length := uint32(len(payload))
	// As TestPackets numbers them: each SYN takes one, each segment the length of its payload.
	clientNext, backendNext := clientISN+1+length, uint32(backendISN)+1
	refused := flow.Tuple{Proto: flow.TCP, Src: address(clientAddr), SrcPort: 1, Dst: address(vipAddr), DstPort: fullnatPort}

	return []packetTest{{
		rule: "fullnat: an error about a segment to the client reaches the backend in the SNAT address's name",
		steps: append(handshake(full, fullReply), back(fullReply, ack, forwarded(full.Reverse())),
			about("client0", router, unreachable, fragNeeded, full.Reverse(), backendNext,
				passedOn(3, 4, address(snatAddr), backend, fullReply))),
		table: fullTable, events: fullEvents,
	}, {
		rule: "an error about a segment to the backend reaches the client in the VIP's name",
		steps: append(handshake(full, fullReply),
			about("backend0", backend, unreachable, portUnreachable, fullReply.Reverse(), clientNext-length,
				passedOn(3, 3, address(vipAddr), address(clientAddr), full))),
		table: fullTable, events: fullEvents,
	}, {
		rule: "dnat: a router's error reaches the backend from the router, and the backend's the client from the VIP",
		steps: append(handshake(dnat, dnatBack),
			about("client0", router, timeExceeded, 0, dnat.Reverse(), backendNext,
				passedOn(11, 0, router, backend, dnatBack)),
			about("backend0", backend, unreachable, fragNeeded, dnatBack.Reverse(), clientNext,
				passedOn(3, 4, address(vipAddr), address(clientAddr), dnat))),
		table: dnatTable, events: dnatEvents,
	}, {
		rule: "RFC 5927: one about a segment that cannot be under way is dropped",
		steps: append(handshake(full, fullReply),
			about("client0", router, unreachable, fragNeeded, full.Reverse(), backendNext+1, "drop icmp-forged"),
			about("client0", router, unreachable, fragNeeded, full.Reverse(), backendNext-1, "drop icmp-forged"),
			about("backend0", backend, unreachable, portUnreachable, fullReply.Reverse(), clientNext+1, "drop icmp-forged"),
			about("backend0", backend, unreachable, portUnreachable, fullReply.Reverse(), clientNext-length-1, "drop icmp-forged"),
			about("backend0", backend, unreachable, portUnreachable, fullReply.Reverse(), clientNext+(1<<31), "drop icmp-forged")),
		table: fullTable, events: fullEvents,
	}, {
		rule: "a SYN that a router refuses",
		steps: []step{in(full, syn, forwarded(fullReply.Reverse())),
			about("backend0", address("198.18.1.254"), unreachable, 1, fullReply.Reverse(), clientISN,
				passedOn(3, 1, address(vipAddr), address(clientAddr), full))},
		table: fullEvents[:1], events: fullEvents[:1],
	}, {
		rule: "a replicated entry that knows no numbers leaves it to the receiver",
		steps: []step{apply(flow.Entry{Original: full, Reply: fullReply, State: flow.Established, Origin: flow.Synced, Remaining: time.Hour}),
			about("backend0", backend, unreachable, fragNeeded, fullReply.Reverse(), 99,
				passedOn(3, 4, address(vipAddr), address(clientAddr), full))},
		table: []string{line(full, fullReply, flow.Established, flow.Synced, time.Hour)},
	}, {
		rule: "a UDP service without a listener says so, and its entry does not live longer for it",
		steps: []step{in(udp, 0, forwarded(udpReply.Reverse())),
			about("backend0", backend, unreachable, portUnreachable, udpReply.Reverse(), 0,
				passedOn(3, 3, address(vipAddr), address(clientAddr), udp))},
		table: unreplied, events: unreplied,
	}, {
		rule: "errors about no flow, to another than the sender, about other protocols or later fragments",
		steps: []step{
			about("client0", router, unreachable, fragNeeded, full.Reverse(), 0, "drop icmp"),
			about("backend0", backend, unreachable, portUnreachable, fullReply.Reverse(), 0, "drop icmp"),
			about("client0", router, 5, 0, full.Reverse(), 0, "drop icmp"), // a redirect
			about("client0", router, 0, 0, full.Reverse(), 0, "drop icmp"),
			{link: "client0", want: "drop icmp", frame: icmpFrame(clientMAC, router, address(vipAddr), unreachable, 1,
				frameTo(peerMAC, dnat, ack, "")[14:])},
			{link: "client0", want: "drop icmp", frame: icmpFrame(clientMAC, router, address(vipAddr), unreachable, 1,
				withIP(frameTo(peerMAC, full.Reverse(), ack, ""), 9, 47)[14:])},
			{link: "client0", want: "drop icmp", frame: icmpFrame(clientMAC, router, address(vipAddr), unreachable, 1,
				withIP(frameTo(peerMAC, full.Reverse(), ack, ""), 6, 0, 9)[14:])},
		},
	}, {
		rule: "errors that are cut short",
		steps: []step{
			{link: "client0", want: "drop malformed", frame: errorFrame(clientMAC, router, unreachable, 1, fromClient(full.Reverse(), ack), 7)},
			{link: "client0", want: "drop malformed", frame: icmpFrame(clientMAC, router, address(vipAddr), unreachable, 1, make([]byte, 28))},
			{link: "client0", want: "drop malformed", frame: withIP(icmpFrame(clientMAC, router, address(vipAddr), unreachable, 1, nil), 2, 0, 27)},
		},
	}, {
		rule: "errors to the host, and of a backend to others, are the host's",
		steps: []step{
			{link: "client0", want: "pass", frame: icmpFrame(clientMAC, router, address("198.18.0.1"), unreachable, 1, make([]byte, 28))},
			about("backend0", backend, unreachable, portUnreachable, tuple(flow.UDP, "198.18.1.1", 53, backendAddr, 9), 0, "pass"),
			about("backend0", backend, unreachable, portUnreachable, tuple(flow.UDP, clientAddr, 53, backendAddr, 9), 0, "pass"),
		},
	}, {
		rule: "a ping of a VIP is answered on either link, while the lease holds",
		steps: []step{
			{link: "client0", want: "echo-reply 198.18.0.100>198.18.0.11", frame: icmpFrame(clientMAC, address(clientAddr), address(vipAddr), echoRequest, 0, []byte("data"))},
			{link: "client0", want: "echo-reply 198.18.0.101>198.18.0.11", frame: withIP(icmpFrame(clientMAC, address(clientAddr), address(unknownVIP), echoRequest, 0, nil), 8, 1)},
			{link: "backend0", want: "echo-reply 198.18.1.100>198.18.1.11", frame: icmpFrame(backendMAC, backend, address(snatAddr), echoRequest, 0, nil)},
			{link: "client0", want: "pass", frame: icmpFrame(clientMAC, address(clientAddr), address("198.18.0.1"), echoRequest, 0, nil)},
			leaseUntil(0),
			{link: "client0", want: "drop no-lease", frame: icmpFrame(clientMAC, address(clientAddr), address(vipAddr), echoRequest, 0, nil)},
		},
	}, {
		rule: "RFC 1122 3.2.1.3, 1812 4.3.2.7: nothing is answered whose source is a VIP, this node or a broadcast address",
		steps: func() (steps []step) {
			for _, src := range []string{vipAddr, snatAddr, "198.18.0.1", "198.18.0.255"} {
				o := tuple(flow.TCP, src, 40000, vipAddr, dnatPort)
				steps = append(steps,
					step{link: "client0", want: "drop source", frame: icmpFrame(clientMAC, address(src), address(vipAddr), echoRequest, 0, nil)},
					step{link: "client0", want: "drop ttl", frame: withIP(fromClient(o, syn), 8, 1)},
					step{link: "client0", want: "drop too-big", frame: frameTo(clientMAC, o, syn, strings.Repeat("x", 1461))})
			}
			return steps
		}(),
	}, {
		rule: "RFC 1812 5.3.1: what has gone too far is answered, and what should not have been sent is not",
		steps: []step{
			{link: "client0", want: "refuse ttl: icmp 11/0 198.18.0.100>198.18.0.11 about " + refused.String() + " mtu 0",
				frame: withIP(fromClient(refused, syn), 8, 1)},
			{link: "client0", want: "drop ttl", frame: withIP(fromClient(refused, syn), 8, 0)},
			{link: "client0", want: "drop ttl", frame: withIP(errorFrame(clientMAC, router, unreachable, 1, fromClient(full.Reverse(), ack), quoted), 8, 1)},
			{link: "backend0", want: "refuse ttl: icmp 11/0 198.18.0.11>198.18.1.11 about " + dnatBack.String() + " mtu 0",
				frame: withIP(fromBackend(dnatBack, ack), 8, 1)},
		},
	}, {
		rule: "what is too big for the other link is answered with its MTU, and one byte less passes",
		steps: append(handshake(full, fullReply),
			step{link: "client0", blind: true, want: "refuse too-big: icmp 3/4 198.18.0.100>198.18.0.11 about " + full.String() + " mtu 1500",
				frame: frameTo(clientMAC, full, ack, strings.Repeat("x", 1461))},
			step{link: "backend0", blind: true, want: "refuse too-big: icmp 3/4 198.18.1.100>198.18.1.11 about " + fullReply.String() + " mtu 1500",
				frame: frameTo(backendMAC, fullReply, ack, strings.Repeat("x", 1461))},
			step{link: "client0", blind: true, want: forwarded(fullReply.Reverse()), frame: frameTo(clientMAC, full, ack, strings.Repeat("x", 1460))}),
		table: fullTable, events: fullEvents,
	}}
}

// strictTests: headers that no router forwards.
func strictTests() []packetTest {
	o, r := toVIP(flow.TCP, 40000, dnatPort), dnatReply(flow.TCP, 40000, 8081)
	from := func(src string) []byte { return fromClient(tuple(flow.TCP, src, 40000, vipAddr, dnatPort), syn) }
	dropped := func(reason string, frames ...[]byte) (out []step) {
		for _, f := range frames {
			out = append(out, step{link: "client0", frame: f, want: "drop " + reason})
		}
		return out
	}
	options := func(bytes ...byte) []byte {
		f := withOptions(fromClient(o, syn))
		copy(f[34:42], bytes)
		return withIP(f, 1, 0) // mends the checksum
	}
	return []packetTest{{
		rule: "RFC 1812 5.3.7: a source that is no host, or this node, or the VIP itself",
		steps: append(dropped("source", from("0.0.0.0"), from("127.0.0.1"), from("224.0.0.1"), from("255.255.255.255"),
			from(vipAddr), from(snatAddr), from("198.18.0.1"), from("198.18.0.255")),
			step{link: "backend0", want: "drop source", frame: fromBackend(tuple(flow.TCP, "127.0.0.1", 8081, snatAddr, 40000), ack)},
			step{link: "client0", want: "drop source", frame: icmpFrame(clientMAC, address("255.255.255.255"), address(vipAddr), echoRequest, 0, nil)}),
	}, {
		rule: "RFC 1812 5.2.2: a header whose checksum is wrong",
		steps: dropped("checksum", edited(fromClient(o, syn), func(f []byte) []byte { f[25] ^= 1; return f }),
			edited(options(1, 1, 1, 1), func(f []byte) []byte { f[40] = 0; return f })),
	}, {
		rule: "RFC 7126 4.3, 4.4: a route that the sender has chosen",
		steps: dropped("source-route", options(131, 7, 4, 198, 18, 1, 1), options(137, 7, 4, 198, 18, 1, 1),
			options(1, 1, 68, 2, 131, 3, 4, 0)),
	}, {
		rule:  "options that do not add up",
		steps: dropped("malformed", options(1, 1, 1, 1, 1, 1, 1, 7), options(7, 1), options(7, 0)),
	}, {
		rule:   "other options, and a source route behind their end",
		steps:  []step{{link: "client0", frame: options(7, 7, 4, 0, 0, 0, 0, 0), want: forwarded(r.Reverse())}, {link: "client0", frame: options(0, 131, 7, 4), want: forwarded(r.Reverse())}},
		table:  []string{line(o, r, flow.SynSent, flow.Opened, dataplane.DefaultTimeouts().SynSent)},
		events: []string{line(o, r, flow.SynSent, flow.Opened, dataplane.DefaultTimeouts().SynSent)},
	}}
}

// A ping is dropped where the configuration says so.
func TestPingsAreDroppedOnRequest(t *testing.T) {
	bothFamilies(t, func(t *testing.T) {
		cfg := testConfig()
		cfg.DropEcho = true
		eachSubject(t, cfg, func(t *testing.T, s subject) {
			if err := s.Lease(clock.Never); err != nil {
				t.Fatal(err)
			}
			got, _ := fate(t, s, "client0", icmpFrame(clientMAC, address(clientAddr), address(vipAddr), echoRequestType(), 0, nil))
			if got != "drop icmp" {
				t.Errorf("got %s", got)
			}
		})
	})
}

// A flood of packets with expired TTL causes no more errors than the rate allows.
func TestErrorsAreBounded(t *testing.T) {
	cfg := testConfig()
	cfg.ICMPRate = 3
	eachSubject(t, cfg, func(t *testing.T, s subject) {
		if err := s.Lease(clock.Never); err != nil {
			t.Fatal(err)
		}
		frame := withIP(fromClient(toVIP(flow.TCP, 40000, dnatPort), syn), 8, 1)
		for range 2 {
			for range 10 {
				fate(t, s, "client0", frame)
			}
			s.advance(origin.Add(2 * time.Second))
		}
		if c := counters(t, s); c.ICMPErrors != 6 || c.Dropped[dataplane.DropTTL] != 20 {
			t.Errorf("%d errors about %d packets, want 6 about 20", c.ICMPErrors, c.Dropped[dataplane.DropTTL])
		}
	})
}
