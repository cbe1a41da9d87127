package bpf

import (
	"bytes"
	"fmt"
	"net"
	"slices"
	"time"

	"pgregory.net/rapid"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// otherMAC has the addresses of the other load balancer, by link. That of a NIC often begins with 0.
var otherMAC = map[string]net.HardwareAddr{"client0": {0, 0, 0x5e, 0, 7, 7}, "backend0": {2, 0, 0, 0, 7, 8}}

// relayFate describes a frame that is relayed to the peer. Only its Ethernet addresses change.
func relayFate(t rapid.TB, frame, out []byte, counted uint64) string {
	t.Helper()
	if !bytes.Equal(frame[12:], out[12:]) {
		t.Errorf("a frame was changed on its way to the peer:\nin  %x\nout %x", frame, out)
	}
	if !bytes.Equal(out[6:12], frame[:6]) {
		t.Errorf("a frame left with the source address %x, not with this node's", out[6:12])
	}
	if counted != 1 {
		t.Errorf("%d packets counted as relayed, want 1", counted)
	}
	return "relay " + tupleOf(out).String()
}

// fromPeer makes a frame one that the peer has relayed.
func fromPeer(s step) step {
	s.frame = slices.Clone(s.frame)
	copy(s.frame[6:12], otherMAC[s.link])
	return s
}

// toAll addresses a frame to all hosts of its link.
func toAll(s step) step {
	s.frame = slices.Clone(s.frame)
	copy(s.frame[:6], broadcast)
	return s
}

func relayUntil(at clock.Instant) step {
	return do(func(d dataplane.Dataplane) error { return d.Relay(at) })
}

func knowPeer() step {
	return do(func(d dataplane.Dataplane) error {
		if err := d.SetPeerMAC("client0", [6]byte(otherMAC["client0"])); err != nil {
			return err
		}
		return d.SetPeerMAC("backend0", [6]byte(otherMAC["backend0"]))
	})
}

// relayTests: packets while the role changes hands.
func relayTests() []packetTest {
	tcp, udp := toVIP(flow.TCP, 40000, fullnatPort), toVIP(flow.UDP, 40000, fullnatPort)
	tcpReply, udpReply := snatReply(flow.TCP, 40000, 0), snatReply(flow.UDP, 40000, 0)
	synced := func(o, r flow.Tuple, s flow.State) flow.Entry {
		return flow.Entry{Original: o, Reply: r, State: s, Origin: flow.Synced, Remaining: 20 * time.Second}
	}
	left := func(o, r flow.Tuple, s flow.State) string { return line(o, r, s, flow.Synced, 20*time.Second) }
	used := func(o, r flow.Tuple, s flow.State) string { return line(o, r, s, flow.Synced, lifetimes.Of(s)) }
	relayed := func(t flow.Tuple) string { return "relay " + t.String() }
	const noLease, held = "drop no-lease", "drop relayed"
	one, other := toVIP(flow.UDP, 40000, directPort), toVIP(flow.UDP, 40001, directPort)
	oneReply, otherReply := flow.DirectReply(one, address(backendAddr)), flow.DirectReply(other, address(backendAddr))
	return []packetTest{{
		rule: "relay: a client's datagram that would assure a direct flow is not forwarded without a lease",
		steps: []step{
			knowPeer(), leaseUntil(origin), apply(synced(one, oneReply, flow.Unreplied), synced(other, otherReply, flow.Assured)),
			fromPeer(in(one, 0, held)), fromPeer(in(other, 0, directPorts.leaves(forwarded(other), address(backendAddr)))),
		},
		table: []string{left(one, oneReply, flow.Unreplied), used(other, otherReply, flow.Assured)},
	}, {
		rule: "relay: until an instant, what arrives without a lease goes to the peer",
		steps: []step{
			knowPeer(), leaseUntil(origin), relayUntil(origin.Add(time.Second)),
			in(tcp, syn, relayed(tcp)), in(udp, 0, relayed(udp)), back(tcpReply, ack, relayed(tcpReply)),
			later(time.Second-1, in(udp, 0, relayed(udp))),
			later(1, in(udp, 0, noLease)), back(udpReply, 0, noLease),
		},
	}, {
		rule: "relay: a lease goes before it",
		steps: []step{
			knowPeer(), apply(synced(udp, udpReply, flow.Assured)), relayUntil(clock.Never),
			in(udp, 0, forwarded(udpReply.Reverse())), back(udpReply, 0, forwarded(udp.Reverse())),
		},
		table: []string{used(udp, udpReply, flow.Assured)},
	}, {
		rule:  "relay: nothing is sent on to a peer whose address is unknown",
		steps: []step{leaseUntil(origin), relayUntil(clock.Never), in(udp, 0, noLease), back(udpReply, 0, noLease)},
	}, {
		rule: "relay: a frame for all hosts of the link is not relayed, for the peer has received it too",
		steps: []step{
			knowPeer(), leaseUntil(origin), relayUntil(clock.Never),
			toAll(in(udp, 0, noLease)), toAll(back(udpReply, 0, noLease)), in(udp, 0, relayed(udp)),
		},
	}, {
		rule: "relay: what the peer has sent on never goes back to it",
		steps: []step{
			knowPeer(), leaseUntil(origin), relayUntil(clock.Never),
			fromPeer(in(udp, 0, held)), fromPeer(back(udpReply, 0, "drop miss")),
		},
	}, {
		rule: "relay: without a lease, what the peer sends on is forwarded by the entry that it has",
		steps: []step{
			knowPeer(), leaseUntil(origin), apply(synced(udp, udpReply, flow.Assured), synced(tcp, tcpReply, flow.Established)),
			fromPeer(in(udp, 0, forwarded(udpReply.Reverse()))), fromPeer(back(udpReply, 0, forwarded(udp.Reverse()))),
			fromPeer(in(tcp, ack, forwarded(tcpReply.Reverse()))), fromPeer(back(tcpReply, ack, forwarded(tcp.Reverse()))),
			in(udp, 0, noLease), back(tcpReply, ack, noLease),
		},
		table: []string{used(udp, udpReply, flow.Assured), used(tcp, tcpReply, flow.Established)},
	}, {
		rule: "relay: what the peer sends on changes nothing in the table",
		steps: []step{
			knowPeer(), leaseUntil(origin), apply(synced(udp, udpReply, flow.Unreplied), synced(tcp, tcpReply, flow.Established)),
			fromPeer(in(udp, 0, forwarded(udpReply.Reverse()))), fromPeer(back(udpReply, 0, held)),
			fromPeer(in(tcp, syn, held)), fromPeer(in(tcp, fin|ack, held)), fromPeer(back(tcpReply, fin|ack, held)), fromPeer(back(tcpReply, rst, held)),
			fromPeer(in(toVIP(flow.TCP, 40001, fullnatPort), syn, held)), fromPeer(in(toVIP(flow.UDP, 40001, dnatPort), 0, held)),
		},
		table: []string{used(udp, udpReply, flow.Unreplied), left(tcp, tcpReply, flow.Established)},
	}, {
		rule: "relay: a handshake is not completed by what the peer sends on",
		steps: []step{
			knowPeer(), leaseUntil(origin), apply(synced(tcp, tcpReply, flow.SynSent)),
			fromPeer(in(tcp, ack, held)), fromPeer(back(tcpReply, ack, held)),
		},
		table: []string{left(tcp, tcpReply, flow.SynSent)},
	}, {
		rule: "relay: an answer goes to the sender, not to the peer that has sent the packet on",
		steps: []step{
			knowPeer(),
			fromPeer(step{link: "client0", frame: icmpFrame(clientMAC, address(clientAddr), address(vipAddr), echoRequest, 0, nil),
				want: "echo-reply " + vipAddr + ">" + clientAddr}),
			fromPeer(step{link: "client0", frame: withTTL(fromClient(tcp, syn), 1),
				want: fmt.Sprintf("refuse ttl: icmp 11/0 %s>%s about %s mtu 0", vipAddr, clientAddr, tcp)}),
		},
	}, {
		rule:   "relay: with the lease, what the peer sends on is a packet like any other",
		steps:  []step{knowPeer(), fromPeer(in(udp, 0, forwarded(udpReply.Reverse())))},
		table:  []string{line(udp, udpReply, flow.Unreplied, flow.Opened, 30*time.Second)},
		events: []string{line(udp, udpReply, flow.Unreplied, flow.Opened, 30*time.Second)},
	}}
}

// relay makes the role change hands: without a lease, packets come from clients and from the peer.
func (p *pair) relay(t *rapid.T) {
	p.both("peer", func(s subject) error { return knowPeer().do(s) })
	until := p.now.Add(rapid.SampledFrom([]time.Duration{-1, 0, time.Second}).Draw(t, "until"))
	p.both("relay", func(s subject) error { return s.Relay(until) })
	if rapid.IntRange(0, 3).Draw(t, "lease") > 0 {
		p.both("lease", func(s subject) error { return s.Lease(0) })
	}
	for range rapid.IntRange(1, 6).Draw(t, "packets") {
		o, flags := originals.Draw(t, "original"), tcpFlags.Draw(t, "flags")
		link, frame := "client0", p.numbered(t, "client0", summed(t, clientMAC, o, flags))
		if e, ok, _ := p.model.Lookup(o); ok && rapid.Bool().Draw(t, "reply") {
			link, frame = "backend0", p.numbered(t, "backend0", summed(t, backendMAC, e.Reply, flags))
		}
		if rapid.Bool().Draw(t, "from the peer") {
			copy(frame[6:12], otherMAC[link])
		}
		p.send(link, frame)
	}
	p.both("relay", func(s subject) error { return s.Relay(0) })
	p.both("peer", func(s subject) error {
		if err := s.SetPeerMAC("client0", [6]byte{}); err != nil {
			return err
		}
		return s.SetPeerMAC("backend0", [6]byte{})
	})
	p.both("lease", func(s subject) error { return s.Lease(clock.Never) })
}
