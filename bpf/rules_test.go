package bpf

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"baton/impl/dataplane"
	"baton/impl/dataplane/model"
	"baton/impl/flow"
)

// openTests: the effects of a flow's first packet.
func openTests() []packetTest {
	tcp, udp, dnat := toVIP(flow.TCP, 40000, fullnatPort), toVIP(flow.UDP, 40000, fullnatPort), toVIP(flow.TCP, 40000, dnatPort)
	other := toVIP(flow.TCP, 40001, dnatPort)
	tcpReply, udpReply := snatReply(flow.TCP, 40000, 0), snatReply(flow.UDP, 40000, 0)
	maglev := toVIP(flow.TCP, 40000, maglevPort)
	slots := model.Slots(testConfig().Services[2])
	chosen := dnatReply(flow.TCP, 40000, slots[model.Hash(maglev)%uint64(len(slots))].Port)
	synSent := func(o, r flow.Tuple) string { return line(o, r, flow.SynSent, flow.Opened, 60*time.Second) }
	return []packetTest{{
		rule:   "fullnat: a SYN gets a SNAT port and both directions are translated",
		steps:  []step{in(tcp, syn, forwarded(tcpReply.Reverse())), back(tcpReply, syn|ack, forwarded(tcp.Reverse()))},
		table:  []string{synSent(tcp, tcpReply)},
		events: []string{synSent(tcp, tcpReply)},
	}, {
		rule: "dnat: the client's address stays, round robin takes turns",
		steps: []step{
			in(dnat, syn, forwarded(dnatReply(flow.TCP, 40000, 8081).Reverse())),
			in(other, syn, forwarded(dnatReply(flow.TCP, 40001, 8082).Reverse())),
			back(dnatReply(flow.TCP, 40001, 8082), syn|ack, forwarded(other.Reverse())),
		},
		table: []string{
			synSent(dnat, dnatReply(flow.TCP, 40000, 8081)),
			synSent(other, dnatReply(flow.TCP, 40001, 8082)),
		},
		events: []string{
			synSent(dnat, dnatReply(flow.TCP, 40000, 8081)),
			synSent(other, dnatReply(flow.TCP, 40001, 8082)),
		},
	}, {
		rule:   "maglev: the hash of the original tuple chooses the backend",
		steps:  []step{in(maglev, syn, forwarded(chosen.Reverse()))},
		table:  []string{synSent(maglev, chosen)},
		events: []string{synSent(maglev, chosen)},
	}, {
		rule: "udp: any datagram opens, a reply assures",
		steps: []step{
			in(udp, 0, forwarded(udpReply.Reverse())),
			in(udp, 0, forwarded(udpReply.Reverse())),
			later(time.Second, back(udpReply, 0, forwarded(udp.Reverse()))),
			later(time.Second, in(udp, 0, forwarded(udpReply.Reverse()))),
		},
		table: []string{line(udp, udpReply, flow.Assured, flow.Opened, 120*time.Second)},
		events: []string{
			line(udp, udpReply, flow.Unreplied, flow.Opened, 30*time.Second),
			line(udp, udpReply, flow.Assured, flow.Opened, 120*time.Second),
		},
	}, {
		rule: "udp without a checksum stays without",
		steps: []step{{
			link: "client0", want: forwarded(udpReply.Reverse()),
			frame: edited(fromClient(udp, 0), func(f []byte) []byte { f[40], f[41] = 0, 0; return f }),
		}},
		table:  []string{line(udp, udpReply, flow.Unreplied, flow.Opened, 30*time.Second)},
		events: []string{line(udp, udpReply, flow.Unreplied, flow.Opened, 30*time.Second)},
	}, {
		rule:   "IP options do not confuse",
		steps:  []step{{link: "client0", frame: withOptions(fromClient(tcp, syn)), want: forwarded(tcpReply.Reverse())}},
		table:  []string{synSent(tcp, tcpReply)},
		events: []string{synSent(tcp, tcpReply)},
	}}
}

// withOptions inserts eight bytes of no-operation options into the IP header.
func withOptions(frame []byte) []byte {
	out := append(slices.Clone(frame[:34]), 1, 1, 1, 1, 1, 1, 1, 1)
	out = append(out, frame[34:]...)
	return withIP(withIP(out, 0, 0x47), 2, byte((len(out)-14)>>8), byte(len(out)-14))
}

// tcpTests: how segments move the state.
func tcpTests() []packetTest {
	o, r := toVIP(flow.TCP, 40000, dnatPort), dnatReply(flow.TCP, 40000, 8081)
	again := dnatReply(flow.TCP, 40000, 8082) // the next backend in turn
	toBackend, toClient := forwarded(r.Reverse()), forwarded(o.Reverse())
	at := func(s flow.State) string {
		return line(o, r, s, flow.Opened, dataplane.DefaultTimeouts().Of(s))
	}
	handshake := []step{in(o, syn, toBackend), back(r, syn|ack, toClient), in(o, ack, toBackend)}
	unopened := flow.Entry{Original: toVIP(flow.TCP, 40000, emptyPort), Reply: r, State: flow.Closed, Origin: flow.Synced, Remaining: lifetimes.Closed}
	established := []string{at(flow.SynSent), at(flow.Established)}
	after := func(more ...step) []step { return append(slices.Clone(handshake), more...) }
	then := func(more ...string) []string { return append(slices.Clone(established), more...) }
	return []packetTest{{
		rule:  "the client's ACK of the SYN-ACK establishes",
		steps: handshake, table: []string{at(flow.Established)}, events: established,
	}, {
		rule:  "an ACK before the SYN-ACK does not establish",
		steps: []step{in(o, syn, toBackend), in(o, ack, toBackend)},
		table: []string{at(flow.SynSent)}, events: []string{at(flow.SynSent)},
	}, {
		rule:  "data of the backend establishes: it has seen the ACK that this node has not",
		steps: []step{in(o, syn, toBackend), back(r, ack|psh, toClient)},
		table: []string{at(flow.Established)}, events: established,
	}, {
		rule:  "ordinary segments cause no event and renew the lifetime",
		steps: after(later(time.Hour, in(o, ack|psh, toBackend)), later(time.Hour, back(r, ack, toClient))),
		table: []string{at(flow.Established)}, events: established,
	}, {
		rule:  "a FIN of one side, and again, waits for the other's",
		steps: after(in(o, fin|ack, toBackend), in(o, fin|ack, toBackend)),
		table: []string{at(flow.FinWait)}, events: then(at(flow.FinWait)),
	}, {
		rule:  "FINs of both sides close, the last ACK still passes",
		steps: after(in(o, fin|ack, toBackend), back(r, fin|ack, toClient), in(o, ack, toBackend)),
		table: []string{at(flow.Closed)}, events: then(at(flow.FinWait), at(flow.Closed)),
	}, {
		rule:  "a RST of the backend closes",
		steps: after(back(r, rst, toClient)),
		table: []string{at(flow.Closed)}, events: then(at(flow.Closed)),
	}, {
		rule:  "a refused connection closes",
		steps: []step{in(o, syn, toBackend), back(r, rst|ack, toClient)},
		table: []string{at(flow.Closed)}, events: []string{at(flow.SynSent), at(flow.Closed)},
	}, {
		rule:  "a SYN on an established entry stays with its backend",
		steps: after(in(o, syn, toBackend)),
		table: []string{at(flow.Established)}, events: established,
	}, {
		rule: "a SYN on a closed entry opens a new connection, with a new choice",
		steps: after(in(o, rst, toBackend), in(o, syn, forwarded(again.Reverse())),
			back(r, ack, "drop miss"), back(again, syn|ack, toClient)),
		table:  []string{line(o, again, flow.SynSent, flow.Opened, 60*time.Second)},
		events: then(at(flow.Closed), line(o, again, flow.SynSent, flow.Opened, 60*time.Second)),
	}, {
		rule:  "a SYN on a half-closed entry stays with its backend, which knows what is open",
		steps: after(back(r, fin|ack, toClient), in(o, syn, toBackend)),
		table: []string{at(flow.FinWait)}, events: then(at(flow.FinWait)),
	}, {
		rule: "a backend that has forgotten a half-closed connection opens it anew",
		steps: after(back(r, fin|ack, toClient), in(o, syn, toBackend),
			blindly(77, clientISN+1, back(r, syn|ack, toClient)), blindly(clientISN+1, 78, in(o, ack, toBackend))),
		table: []string{at(flow.Established)}, events: then(at(flow.FinWait), at(flow.SynSent), at(flow.Established)),
	}, {
		rule:  "a closed entry that a SYN cannot reopen, for want of a backend, stays closed",
		steps: []step{apply(unopened), in(unopened.Original, syn, "drop no-backend"), in(unopened.Original, syn, "drop no-backend")},
		table: []string{entryLine(unopened)},
	}, {
		rule:  "a SYN with ACK reopens nothing",
		steps: after(in(o, rst, toBackend), in(o, syn|ack, toBackend)),
		table: []string{at(flow.Closed)}, events: then(at(flow.Closed)),
	}}
}

// missTests: packets whose entry is missing.
func missTests() []packetTest {
	o, r := toVIP(flow.TCP, 40000, dnatPort), dnatReply(flow.TCP, 40000, 8081)
	adopted := func(s flow.State) string { return line(o, r, s, flow.Adopted, dataplane.DefaultTimeouts().Of(s)) }
	guess, hashed := onMiss(dataplane.MissGuess), onMiss(dataplane.MissAdopt)
	m, n := toVIP(flow.TCP, 40000, maglevPort), maglevReply(40000)
	p, q := toVIP(flow.TCP, 40000, resumedPort), resumedReply(40000, testConfig().SNATPeer, 0)
	own, second := resumedReply(40000, testConfig().SNATPorts, 0), q
	for i := 1; second == q; i++ { // in a small half of the range ports repeat
		second = resumedReply(40000, testConfig().SNATPeer, i)
	}
	thief := flow.Entry{Original: toVIP(flow.TCP, 45000, resumedPort), Reply: q, State: flow.Established, Origin: flow.Synced, Remaining: dataplane.DefaultTimeouts().Established}
	established, synSent := dataplane.DefaultTimeouts().Established, dataplane.DefaultTimeouts().SynSent
	return []packetTest{{
		rule: "mid-flow segments are dropped, not handed to the host",
		steps: []step{in(o, ack|psh, "drop miss"), in(o, fin|ack, "drop miss"), in(o, rst, "drop miss"),
			in(o, syn|ack, "drop miss"), in(o, 0, "drop miss"), in(o, syn|fin, "drop miss")},
	}, {
		rule:  "of a flow that any node would have opened alike they are adopted",
		steps: []step{hashed, in(m, ack|psh, forwarded(n.Reverse())), back(n, ack, forwarded(m.Reverse()))},
		table: []string{line(m, n, flow.Established, flow.Adopted, lifetimes.Established)},
		events: []string{line(m, n, flow.SynSent, flow.Adopted, 60*time.Second),
			line(m, n, flow.Established, flow.Adopted, lifetimes.Established)},
	}, {
		rule:  "in fullnat mode with the port that the peer tried first",
		steps: []step{hashed, in(p, ack|psh, forwarded(q.Reverse())), back(q, ack, forwarded(p.Reverse()))},
		table: []string{line(p, q, flow.Established, flow.Adopted, established)},
		events: []string{line(p, q, flow.SynSent, flow.Adopted, synSent),
			line(p, q, flow.Established, flow.Adopted, established)},
	}, {
		rule:   "or, where another flow has that port, with the next one",
		steps:  []step{hashed, apply(thief), in(p, ack|psh, forwarded(second.Reverse()))},
		table:  []string{line(p, second, flow.SynSent, flow.Adopted, synSent), line(thief.Original, q, flow.Established, flow.Synced, established)},
		events: []string{line(p, second, flow.SynSent, flow.Adopted, synSent)},
	}, {
		rule:  "a new flow gets a port of this node's half",
		steps: []step{hashed, in(p, syn, forwarded(own.Reverse()))},
		table: []string{line(p, own, flow.SynSent, flow.Opened, synSent)}, events: []string{line(p, own, flow.SynSent, flow.Opened, synSent)},
	}, {
		rule:  "where the next backend or port would be a guess they are dropped",
		steps: []step{hashed, in(o, ack|psh, "drop miss"), in(toVIP(flow.TCP, 40000, fullnatPort), ack|psh, "drop miss")},
	}, {
		rule:  "unless guessing is asked for",
		steps: []step{guess, in(o, ack|psh, forwarded(r.Reverse())), back(r, ack, forwarded(o.Reverse()))},
		table: []string{adopted(flow.Established)}, events: []string{adopted(flow.SynSent), adopted(flow.Established)},
	}, {
		rule:  "one that its backend knows nothing of is over",
		steps: []step{guess, in(o, ack|psh, forwarded(r.Reverse())), back(r, rst, forwarded(o.Reverse()))},
		table: []string{adopted(flow.Closed)}, events: []string{adopted(flow.SynSent), adopted(flow.Closed)},
	}, {
		rule:  "a RST to one that was adopted where its backend had to be is not its client's",
		steps: []step{hashed, in(m, ack|psh, forwarded(n.Reverse())), back(n, rst, "drop unconfirmed"), back(n, ack, forwarded(m.Reverse()))},
		table: []string{line(m, n, flow.Established, flow.Adopted, established)},
		events: []string{line(m, n, flow.SynSent, flow.Adopted, synSent),
			line(m, n, flow.Established, flow.Adopted, established)},
	}, {
		rule:  "without its backend's word it does not live longer than a new one",
		steps: []step{guess, in(o, fin|ack, forwarded(r.Reverse())), in(o, ack|psh, forwarded(r.Reverse()))},
		table: []string{adopted(flow.SynSent)}, events: []string{adopted(flow.SynSent)},
	}, {
		rule:  "a RST, a SYN-ACK and a segment without ACK are never adopted",
		steps: []step{guess, in(o, rst|ack, "drop miss"), in(o, syn|ack, "drop miss"), in(o, psh, "drop miss")},
	}, {
		rule: "replies to the SNAT address",
		steps: []step{back(snatReply(flow.TCP, 40000, 0), ack, "drop miss"),
			back(snatReply(flow.UDP, 40000, 0), 0, "drop miss")},
	}, {
		rule:  "replies of a dnat backend to a client",
		steps: []step{back(r, ack, "drop miss"), back(dnatReply(flow.UDP, 40000, 8081), 0, "drop miss")},
	}, {
		rule: "a backend that talks to a VIP whose replies would not come back to this node",
		steps: []step{
			back(tuple(flow.TCP, backendAddr, 5000, vipAddr, dnatPort), syn, "drop miss"),
			back(tuple(flow.TCP, backendAddr, 5000, vipAddr, maglevPort), syn, "drop miss"),
		},
	}, {
		rule: "others on the backends' network that talk to the VIP",
		steps: []step{
			back(tuple(flow.TCP, "198.18.1.200", 5000, vipAddr, fullnatPort), syn, "drop miss"),
			back(tuple(flow.TCP, snatAddr, 5000, vipAddr, fullnatPort), syn, "drop miss"),
		},
	}}
}

// passTests: packets that belong to the host.
func passTests() []packetTest {
	o, r := toVIP(flow.TCP, 40000, dnatPort), dnatReply(flow.TCP, 40000, 8081)
	toOther := func(f []byte) []byte { return edited(f, func(f []byte) []byte { copy(f, peerMAC); return f }) }
	etherType := func(f []byte, hi, lo byte) []byte {
		return edited(f, func(f []byte) []byte { f[12], f[13] = hi, lo; return f })
	}
	bfd := func(src, dst string) flow.Tuple { return tuple(flow.UDP, src, 49152, dst, 3784) }
	return []packetTest{{
		rule: "the host's own traffic: BFD, a backend's answer to a health check",
		steps: []step{
			in(bfd("198.18.0.2", "198.18.0.1"), 0, "pass"),
			back(bfd("198.18.1.2", "198.18.1.1"), 0, "pass"),
			back(tuple(flow.TCP, backendAddr, 8081, "198.18.1.1", 33000), ack, "pass"),
		},
	}, {
		rule: "what a backend has with others",
		steps: []step{
			back(tuple(flow.TCP, backendAddr, 33000, "198.18.9.9", 443), syn, "pass"),
			back(tuple(flow.UDP, backendAddr, 8080, clientAddr, 53), 0, "pass"),
		},
	}, {
		rule: "frames that a switch flooded for somebody else, even while this node forwards",
		steps: []step{
			{link: "client0", frame: toOther(fromClient(o, syn)), want: "pass"},
			{link: "backend0", frame: toOther(fromBackend(r, ack)), want: "pass"},
			{link: "client0", frame: toOther(arpFrame(1, clientAddr, vipAddr)), want: "pass"},
		},
	}, {
		rule: "other protocols than IPv4 and ARP, and VLANs",
		steps: []step{
			{link: "client0", frame: etherType(fromClient(o, syn), 0x86, 0xdd), want: "pass"},
			{link: "client0", frame: etherType(fromClient(o, syn), 0x81, 0x00), want: "pass"},
			{link: "client0", frame: etherType(fromClient(o, syn), 0x00, 0x40), want: "pass"},
		},
	}, {
		rule: "headers too short to name a VIP",
		steps: []step{
			{link: "client0", frame: withIP(fromClient(o, syn), 0, 0x65), want: "pass"},
			{link: "backend0", frame: fromBackend(r, ack)[:36], want: "pass"},
		},
	}, {
		rule:  "fragments of a dnat backend without ports: alone they are nothing",
		steps: []step{{link: "backend0", frame: withIP(fromBackend(r, ack), 6, 0x00, 0x10), want: "pass"}},
	}, {
		rule: "ARP for the host's own address, announcements, answers, and what is no ARP",
		steps: []step{
			{link: "client0", frame: arpFrame(1, clientAddr, "198.18.0.1"), want: "pass"},
			{link: "client0", frame: arpFrame(1, vipAddr, vipAddr), want: "pass"},
			{link: "client0", frame: arpFrame(2, vipAddr, clientAddr), want: "pass"},
			{link: "client0", frame: arpFrame(1, clientAddr, vipAddr)[:41], want: "pass"},
			{link: "backend0", frame: arpFrame(1, backendAddr, vipAddr), want: "pass"},
		},
	}}
}

// refuseTests: packets of a VIP that are dropped although the lease is held.
func refuseTests() []packetTest {
	tcp, udp, dnat := toVIP(flow.TCP, 40000, fullnatPort), toVIP(flow.UDP, 40000, fullnatPort), dnatReply(flow.TCP, 40000, 8081)
	byteAt := func(f []byte, at int, to ...byte) []byte {
		return edited(f, func(f []byte) []byte { copy(f[at:], to); return f })
	}
	drop := func(link string, reason dataplane.Drop, frames ...[]byte) (out []step) {
		for _, f := range frames {
			out = append(out, step{link: link, frame: f, want: "drop " + reason.String()})
		}
		return out
	}
	return []packetTest{{
		rule: "a port, or an address, without a service",
		steps: drop("client0", dataplane.DropNoService, fromClient(toVIP(flow.TCP, 40000, unknownPort), syn),
			fromClient(tuple(flow.UDP, clientAddr, 40000, unknownVIP, 80), 0),
			fromClient(tuple(flow.TCP, clientAddr, 40000, snatAddr, 80), syn)),
	}, {
		rule:  "a service without backends",
		steps: drop("client0", dataplane.DropNoBackend, fromClient(toVIP(flow.TCP, 40000, emptyPort), syn)),
	}, {
		rule: "other protocols, which the host would answer",
		steps: append(drop("client0", dataplane.DropOtherProto, withIP(fromClient(tcp, syn), 9, 2), withIP(fromClient(tcp, syn), 9, 136)),
			drop("backend0", dataplane.DropOtherProto, withIP(fromBackend(snatReply(flow.TCP, 40000, 0), ack), 9, 2))...),
	}, {
		rule: "headers that contradict themselves or the frame",
		steps: append(drop("client0", dataplane.DropMalformed,
			withIP(fromClient(tcp, syn), 0, 0x44),                    // IP header of 16 bytes
			withIP(fromClient(tcp, syn), 2, 0, 19),                   // total length below the header's
			withIP(fromClient(tcp, syn), 2, 0, 40+29+1),              // and beyond the frame
			withIP(fromClient(tcp, syn), 2, 0, 23),                   // no room for ports
			withIP(fromClient(tcp, syn), 2, 0, 39),                   // nor for the TCP header
			byteAt(fromClient(tcp, syn), 46, 0x40),                   // TCP header of 16 bytes
			byteAt(fromClient(tcp, syn), 46, 0xf0),                   // TCP header beyond the segment
			withIP(fromClient(udp, 0), 2, 0, 27),                     // no room for the UDP header
			withIP(withIP(fromClient(udp, 0), 2, 0, 27), 6, 0x20, 0), // nor in the first of several fragments
			byteAt(fromClient(udp, 0), 38, 0, 7),                     // UDP length below the header's
			byteAt(fromClient(udp, 0), 38, 0, 8+29+1),                // and beyond the datagram
			byteAt(fromClient(tcp, syn), 0, broadcast...),            // RFC 1122 3.3.6: unicast address in a broadcast frame
		), drop("backend0", dataplane.DropMalformed,
			byteAt(fromBackend(dnat, ack), 46, 0x40),
			byteAt(fromBackend(dnat, ack), 0, broadcast...))...),
	}}
}

// leaseTests: the edges of the lease.
func leaseTests() []packetTest {
	o, r := toVIP(flow.TCP, 40000, dnatPort), dnatReply(flow.TCP, 40000, 8081)
	f := snatReply(flow.TCP, 40000, 0)
	opened := []string{line(o, r, flow.SynSent, flow.Opened, 60*time.Second)}
	question := step{link: "client0", frame: arpFrame(1, clientAddr, vipAddr), want: "arp-reply 198.18.0.100 is-at 02:00:00:00:00:01"}
	snatQuestion := step{link: "backend0", frame: arpFrame(1, backendAddr, snatAddr), want: "arp-reply 198.18.1.100 is-at 02:00:00:00:01:01"}
	refused := func(s step) step { s.want = "drop no-lease"; return s }
	at := func(s step, mac net.HardwareAddr) step {
		s.want = s.want[:strings.LastIndexByte(s.want, ' ')+1] + mac.String()
		return s
	}
	return []packetTest{{
		rule: "it holds until just before its expiry",
		steps: []step{leaseUntil(origin.Add(100)), later(99, in(o, syn, forwarded(r.Reverse()))),
			back(r, syn|ack, forwarded(o.Reverse())), question, snatQuestion},
		table: opened, events: opened,
	}, {
		rule: "at its expiry nothing of a VIP leaves, enters or is answered",
		steps: []step{leaseUntil(origin.Add(100)), later(99, in(o, syn, forwarded(r.Reverse()))),
			later(1, in(o, syn, "drop no-lease")), back(r, syn|ack, "drop no-lease"), back(f, ack, "drop no-lease"),
			back(dnatReply(flow.TCP, 1, 8082), ack, "drop no-lease"), refused(question), refused(snatQuestion)},
		table: []string{line(o, r, flow.SynSent, flow.Opened, 60*time.Second-1)}, events: opened,
	}, {
		rule: "without it even nonsense counts as no-lease, and the host's traffic passes",
		steps: []step{leaseUntil(0), {link: "client0", frame: withIP(fromClient(o, syn), 9, 1), want: "drop no-lease"},
			in(tuple(flow.UDP, "198.18.0.2", 49152, "198.18.0.1", 3784), 0, "pass"),
			{link: "client0", frame: arpFrame(1, clientAddr, "198.18.0.1"), want: "pass"}},
	}, {
		rule:  "a lease in the past forbids at once",
		steps: []step{leaseUntil(origin.Add(100)), question, leaseUntil(origin.Add(-1)), refused(question)},
	}, {
		rule: "it is answered with the hardware address that the link has by then",
		steps: []step{question, setMAC("client0", backendMAC), at(question, backendMAC), snatQuestion, setMAC("client0", clientMAC), question,
			setMAC("backend0", clientMAC), at(snatQuestion, clientMAC), question, setMAC("backend0", backendMAC), snatQuestion},
	}, {
		rule:  "an ARP probe, whose sender has no address yet, is answered",
		steps: []step{{link: "client0", frame: arpFrame(1, "0.0.0.0", vipAddr), want: question.want}},
	}}
}

// tableTests: the limits of the table, and entries written by user space.
func tableTests() []packetTest {
	o, r := toVIP(flow.TCP, 40000, dnatPort), dnatReply(flow.TCP, 40000, 8082)
	synced := flow.Entry{Original: o, Reply: r, State: flow.Established, Origin: flow.Synced, Remaining: time.Hour}
	moved := synced
	moved.Reply = dnatReply(flow.TCP, 40000, 8081)
	thief := flow.Entry{Original: toVIP(flow.TCP, 40000, maglevPort), Reply: r, State: flow.Established, Origin: flow.Synced, Remaining: time.Hour}
	halfOpen := synced
	halfOpen.State, halfOpen.Remaining = flow.SynSent, time.Second

	return []packetTest{{
		rule:  "a replicated entry forwards to its backend, though the balance would choose another",
		steps: []step{apply(synced), later(time.Minute, in(o, ack, forwarded(r.Reverse()))), back(r, ack, forwarded(o.Reverse()))},
		table: []string{line(o, r, flow.Established, flow.Synced, lifetimes.Established)},
	}, {
		rule:  "a replicated lifetime runs on",
		steps: []step{apply(synced), later(time.Minute, onMiss(dataplane.MissAdopt))},
		table: []string{line(o, r, flow.Established, flow.Synced, 59*time.Minute)},
	}, {
		rule:  "an entry that comes again with another reply tuple replaces both directions",
		steps: []step{apply(synced), apply(moved), back(r, ack, "drop miss")},
		table: []string{entryLine(moved)},
	}, {
		rule:  "an entry takes the reply tuple of an older one, which goes as a whole",
		steps: []step{apply(synced), apply(thief), in(o, ack, "drop miss")},
		table: []string{entryLine(thief)},
	}, {
		rule:   "a half-open entry of the peer is established by the client's ACK",
		steps:  []step{apply(halfOpen), in(o, ack, forwarded(r.Reverse()))},
		table:  []string{line(o, r, flow.Established, flow.Synced, lifetimes.Established)},
		events: []string{line(o, r, flow.Established, flow.Synced, lifetimes.Established)},
	}, {
		rule: "an entry of an unknown service is kept, and forwards once the service comes",
		steps: []step{
			do(func(d dataplane.Dataplane) error { return d.SetServices(nil, testConfig().VIPs) }), apply(synced),
			in(o, ack, "drop no-service"), back(r, ack, "drop no-service"),
			do(func(d dataplane.Dataplane) error { return d.SetServices(testConfig().Services, testConfig().VIPs) }),
			in(o, ack, forwarded(r.Reverse())), back(r, ack, forwarded(o.Reverse())),
		},
		table: []string{line(o, r, flow.Established, flow.Synced, lifetimes.Established)},
	}, {
		rule: "packets that rely on what others of their flow found out notice that the service has gone",
		steps: []step{
			apply(synced), in(o, ack, forwarded(r.Reverse())), in(o, ack, forwarded(r.Reverse())),
			back(r, ack, forwarded(o.Reverse())), back(r, ack, forwarded(o.Reverse())),
			do(func(d dataplane.Dataplane) error { return d.SetServices(nil, testConfig().VIPs) }),
			in(o, ack, "drop no-service"), back(r, ack, "drop no-service"),
		},
		table: []string{line(o, r, flow.Established, flow.Synced, lifetimes.Established)},
	}, {
		rule: "a delete takes both directions, and an absent one is no error",
		steps: []step{apply(synced), do(func(d dataplane.Dataplane) error { return d.Delete([]flow.Tuple{o, o.Reverse()}) }),
			in(o, ack, "drop miss"), back(r, ack, "drop miss")},
	}, {
		rule:  "a full table refuses new flows and keeps the old",
		steps: fillTable(),
		table: fullTable(), events: nil,
	}, {
		rule: "four SNAT ports serve four flows of a backend, the fifth finds none",
		steps: func() (steps []step) {
			for i := range 4 {
				steps = append(steps, step{link: "client0", frame: fromClient(toVIP(flow.UDP, uint16(41000+i), fullnatPort), 0),
					want: forwarded(portTaken(i).Reverse())})
			}
			return append(steps, in(toVIP(flow.UDP, 41004, fullnatPort), 0, "drop no-port"))
		}(),
		table: udpLines(4), events: udpLines(4),
	}, {
		rule: "in dnat mode two services cannot share a client's port towards one backend",
		steps: []step{apply(thief), do(func(d dataplane.Dataplane) error {
			shared := labService(flow.TCP, dnatPort, dataplane.DNAT, dataplane.RoundRobin, 8082)
			return d.SetServices([]dataplane.Service{shared}, testConfig().VIPs)
		}), in(o, syn, "drop no-port")},
		table: []string{entryLine(thief)},
	}}
}

// fillTable fills the table from the peer and then tries one more.
func fillTable() []step {
	var entries []flow.Entry
	for i := range testConfig().MaxFlows {
		entries = append(entries, filler(i))
	}
	o, r := toVIP(flow.TCP, 42000, dnatPort), dnatReply(flow.TCP, 42000, 8081)
	return []step{apply(entries...), in(toVIP(flow.TCP, 43000, dnatPort), syn, "drop table-full"),
		in(o, ack, forwarded(r.Reverse())),
		do(func(d dataplane.Dataplane) error {
			if err := d.Apply([]flow.Entry{filler(testConfig().MaxFlows)}); err == nil {
				return fmt.Errorf("apply to a full table succeeded")
			}
			return nil
		})}
}

func filler(i int) flow.Entry {
	port := uint16(42000 + i)
	return flow.Entry{Original: toVIP(flow.TCP, port, dnatPort), Reply: dnatReply(flow.TCP, port, 8081),
		State: flow.Established, Origin: flow.Synced, Remaining: lifetimes.Established}
}

func fullTable() (lines []string) {
	for i := range testConfig().MaxFlows {
		lines = append(lines, entryLine(filler(i)))
	}
	return lines
}

// portTaken returns the reply tuple of the i-th of consecutive UDP flows: it has the first
// port of its probe sequence that the flows before it have left free.
func portTaken(i int) flow.Tuple {
	taken := map[flow.Tuple]bool{}
	for j := 0; ; j++ {
		for attempt := 0; ; attempt++ {
			r := snatReply(flow.UDP, uint16(41000+j), attempt)
			if !taken[r] {
				taken[r] = true
				if j == i {
					return r
				}
				break
			}
		}
	}
}

func udpLines(n int) (lines []string) {
	for i := range n {
		lines = append(lines, line(toVIP(flow.UDP, uint16(41000+i), fullnatPort), portTaken(i), flow.Unreplied, flow.Opened, 30*time.Second))
	}
	return lines
}
