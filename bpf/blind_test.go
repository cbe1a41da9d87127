package bpf

import (
	"slices"
	"time"

	"baton/impl/dataplane"
	"baton/impl/flow"
)

// blindTests: segments of an off-path attacker who knows the addresses and ports of a
// connection (RFC 5961). They are forwarded, and change nothing.
func blindTests() []packetTest {
	o, r := toVIP(flow.TCP, 40000, dnatPort), dnatReply(flow.TCP, 40000, 8081)
	toBackend, toClient := forwarded(r.Reverse()), forwarded(o.Reverse())
	at := func(s flow.State) string {
		return line(o, r, s, flow.Opened, dataplane.DefaultTimeouts().Of(s))
	}
	idle := func(s flow.State, age time.Duration) string {
		return line(o, r, s, flow.Opened, dataplane.DefaultTimeouts().Of(s)-age)
	}
	handshake := []step{in(o, syn, toBackend), back(r, syn|ack, toClient), in(o, ack, toBackend)}
	established := []string{at(flow.SynSent), at(flow.Established)}
	after := func(more ...step) []step { return append(slices.Clone(handshake), more...) }
	then := func(more ...string) []string { return append(slices.Clone(established), more...) }
	// The client's next byte, after the handshake and the payload of its last segment.
	next := uint32(clientISN + 1 + len(payload))
	backendNext := uint32(backendISN)
	backendNext++
	synced := flow.Entry{Original: o, Reply: r, State: flow.Established, Origin: flow.Synced, Remaining: time.Hour}
	reset := func(seq uint32) step { return blindly(seq, 0, in(o, rst, toBackend)) }
	fins := func(seq uint32) step { return blindly(seq, 0, in(o, fin|ack, toBackend)) }
	return []packetTest{{
		rule: "a RST beside the next number ends nothing and keeps nothing alive",
		steps: after(later(time.Second, reset(next-1)), reset(next+1), reset(next+1<<16), reset(0),
			blindly(next+1<<31, 0, in(o, rst|ack, toBackend))),
		table: []string{idle(flow.Established, time.Second)}, events: established,
	}, {
		rule:  "a RST at the next number closes",
		steps: after(reset(next)),
		table: []string{at(flow.Closed)}, events: then(at(flow.Closed)),
	}, {
		rule:  "data under way counts before it is acknowledged",
		steps: after(in(o, ack|psh, toBackend), reset(next), reset(next+uint32(len(payload)))),
		table: []string{at(flow.Closed)}, events: then(at(flow.Closed)),
	}, {
		rule: "data out of order does not move the next number, its acknowledgment does",
		steps: after(blindly(next+500, backendISN+1, in(o, ack|psh, toBackend)), reset(next+500+uint32(len(payload))),
			blindly(backendISN+1, next+700, back(r, ack, toClient)), reset(next+700)),
		table: []string{at(flow.Closed)}, events: then(at(flow.Closed)),
	}, {
		rule:  "a FIN beside the next number, then a SYN, move nothing to another backend",
		steps: after(fins(next+1), fins(next-1), blindly(7, 0, in(o, syn, toBackend)), back(r, ack|psh, toClient)),
		table: []string{at(flow.Established)}, events: established,
	}, {
		rule:  "a SYN does not move a half-closed connection either",
		steps: after(in(o, fin|ack, toBackend), blindly(7, 0, in(o, syn, toBackend)), back(r, ack|psh, toClient)),
		table: []string{at(flow.FinWait)}, events: then(at(flow.FinWait)),
	}, {
		rule:  "an ACK that does not acknowledge the SYN-ACK establishes nothing",
		steps: []step{in(o, syn, toBackend), back(r, syn|ack, toClient), blindly(clientISN+1, 4711, in(o, ack, toBackend))},
		table: []string{at(flow.SynSent)}, events: []string{at(flow.SynSent)},
	}, {
		rule:  "a RST of the backend that does not acknowledge the SYN refuses nothing",
		steps: []step{in(o, syn, toBackend), blindly(0, 4711, back(r, rst|ack, toClient))},
		table: []string{at(flow.SynSent)}, events: []string{at(flow.SynSent)},
	}, {
		rule: "a forged acknowledgement that is a window ahead gives way to the next one of the client",
		steps: after(blindly(next+1, backendNext+1<<30+1, in(o, ack, toBackend)), blindly(backendNext, next, back(r, fin|ack, toClient)),
			blindly(next+1, backendNext, in(o, ack, toBackend)), blindly(backendNext, next, back(r, fin|ack, toClient))),
		table: []string{at(flow.FinWait)}, events: then(at(flow.FinWait)),
	}, {
		rule:  "after a takeover no RST is believed until its receiver has said what it expects",
		steps: []step{apply(synced), reset(next), blindly(backendISN, next, back(r, ack, toClient)), reset(next - 1)},
		table: []string{line(o, r, flow.Established, flow.Synced, lifetimes.Established)},
	}, {
		rule:   "and then it is",
		steps:  []step{apply(synced), blindly(backendISN, next, back(r, ack, toClient)), reset(next)},
		table:  []string{line(o, r, flow.Closed, flow.Synced, 10*time.Second)},
		events: []string{line(o, r, flow.Closed, flow.Synced, 10*time.Second)},
	}, {
		rule:  "a SYN that is repeated does not keep a flow that nobody answers",
		steps: []step{in(o, syn, toBackend), later(30*time.Second, in(o, syn, toBackend))},
		table: []string{idle(flow.SynSent, 30*time.Second)}, events: []string{at(flow.SynSent)},
	}}
}
