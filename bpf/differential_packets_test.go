package bpf

import (
	"time"

	"pgregory.net/rapid"

	"baton/impl/dataplane"
	"baton/impl/flow"
)

func (p *pair) clientPacket(t *rapid.T) {
	frame := summed(t, clientMAC, originals.Draw(t, "original"), tcpFlags.Draw(t, "flags"))
	p.send("client0", damage(t, p.numbered(t, "client0", frame)))
}

func (p *pair) backendPacket(t *rapid.T) {
	frame := summed(t, backendMAC, replyTuples.Draw(t, "reply"), tcpFlags.Draw(t, "flags"))
	p.send("backend0", damage(t, p.numbered(t, "backend0", frame)))
}

// entry draws one of the entries, if there are any.
func (p *pair) entry(t *rapid.T) (flow.Entry, bool) {
	var all []flow.Entry
	if err := p.model.Dump(func(e flow.Entry) bool { all = append(all, e); return true }); err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		return flow.Entry{}, false
	}
	return rapid.SampledFrom(all).Draw(t, "entry"), true
}

// replyPacket sends a packet of an existing flow, from either side.
func (p *pair) replyPacket(t *rapid.T) {
	e, ok := p.entry(t)
	if !ok {
		t.Skip("no entries")
	}
	flags := tcpFlags.Draw(t, "flags")
	link, frame := p.ofFlow(t, e, flags)
	p.send(link, damage(t, frame))
}

// ofFlow draws the side that a packet of a flow comes from.
func (p *pair) ofFlow(t *rapid.T, e flow.Entry, flags int) (link string, frame []byte) {
	if rapid.Bool().Draw(t, "of the backend") {
		return "backend0", p.numbered(t, "backend0", summed(t, backendMAC, e.Reply, flags))
	}
	return "client0", p.numbered(t, "client0", summed(t, clientMAC, e.Original, flags))
}

// closing ends a flow: by FINs, either side first or one side twice, or by a RST. Then
// the same tuple may open again.
func (p *pair) closing(t *rapid.T) {
	e, ok := p.entry(t)
	if !ok {
		t.Skip("no entries")
	}
	for range rapid.IntRange(1, 3).Draw(t, "packets") {
		p.send(p.ofFlow(t, e, rapid.SampledFrom([]int{fin | ack, fin | ack, fin | ack, ack, rst | ack}).Draw(t, "flags")))
	}
	if rapid.Bool().Draw(t, "again") {
		p.send("client0", fromClient(e.Original, syn))
	}
}

// idle lets a flow reach the very edge of its lifetime, and then compares.
func (p *pair) idle(t *rapid.T) {
	e, ok := p.entry(t)
	if !ok {
		t.Skip("no entries")
	}
	p.now = p.now.Add(max(0, e.Remaining+time.Duration(rapid.Int64Range(-1, 1).Draw(t, "edge"))))
	p.both("advance", func(s subject) error { s.advance(p.now); return nil })
	if rapid.Bool().Draw(t, "renewed") {
		p.both("lease", func(s subject) error { return s.Lease(p.now.Add(time.Hour)) })
		p.send(p.ofFlow(t, e, ack))
	}
	p.sweep(t)
}

// fragment sends a flow's datagram in fragments: mostly in order, some twice, with other
// boundaries, or with another offset.
func (p *pair) fragment(t *rapid.T) {
	e, ok := p.entry(t)
	if !ok {
		t.Skip("no entries")
	}
	link, mac, tuple := "client0", clientMAC, e.Original
	if rapid.Bool().Draw(t, "of the backend") {
		link, mac, tuple = "backend0", backendMAC, e.Reply
	}
	frame := p.numbered(t, link, frameTo(mac, tuple, ack, long))
	id := rapid.Uint16Range(7, 8).Draw(t, "id")
	parts := fragments(frame, id, 24, 48, 72)
	parts = append(parts, fragments(frame, id, 32)...)
	for i := range rapid.IntRange(1, 6).Draw(t, "parts") {
		if rapid.IntRange(0, 3).Draw(t, "out of order") == 0 {
			i = rapid.IntRange(0, len(parts)-1).Draw(t, "part")
		}
		part := parts[i]
		if rapid.IntRange(0, 7).Draw(t, "elsewhere") == 0 {
			part = elsewhere(part, rapid.SampledFrom([]byte{0x00, 0x20, 0x40, 0x80}).Draw(t, "flags"), rapid.SampledFrom([]byte{0, 0, 1, 0xff}).Draw(t, "offset"))
		}
		p.send(link, damage(t, part))
	}
	p.send(link, parts[1])
	p.send(link, parts[1])
}

// adopt begins a flow mid-flow, if that is allowed: its first packet is an ACK or a FIN,
// and the backend answers or stays silent.
func (p *pair) adopt(t *rapid.T) {
	o := originals.Draw(t, "original")
	if rapid.IntRange(0, 2).Draw(t, "resumed") == 0 {
		o.Dst, o.DstPort = address(vipAddr), resumedPort
	}
	p.adoptFlow(t, o)
}

func (p *pair) adoptFlow(t *rapid.T, o flow.Tuple) {
	if o.Proto == flow.UDP {
		o.Proto = flow.TCP
	}
	policy := rapid.SampledFrom([]dataplane.MissPolicy{dataplane.MissAdopt, dataplane.MissGuess}).Draw(t, "policy")
	p.both("miss", func(s subject) error { return s.SetMiss(policy) })
	frame := summed(t, clientMAC, o, rapid.SampledFrom([]int{ack, ack | psh, fin | ack}).Draw(t, "flags"))
	p.send("client0", p.numbered(t, "client0", frame))
	e, ok, _ := p.model.Lookup(o)
	switch {
	case ok && rapid.Bool().Draw(t, "reset"):
		p.send("backend0", fromBackend(e.Reply, rst))
	case ok && rapid.Bool().Draw(t, "answered"):
		p.send("backend0", p.talk.number(t, p.model, "backend0", fromBackend(e.Reply, ack)))
		then := rapid.SampledFrom([]int{ack, fin | ack, rst}).Draw(t, "then")
		p.send("client0", p.talk.number(t, p.model, "client0", fromClient(o, then)))
	}
	p.both("miss", func(s subject) error { return s.SetMiss(dataplane.MissDrop) })
	o.SrcPort += 100 // of no flow
	p.send("client0", fromClient(o, ack))
}

// flood opens more flows of one service than there are ports, entries or places
// for events.
func (p *pair) flood(t *rapid.T) {
	o := originals.Draw(t, "original")
	for i := range uint16(rapid.IntRange(5, 12).Draw(t, "flows")) {
		o.SrcPort = 41000 + i
		if o.DstPort == limitPort { // of two sources, which together reach the service's limit
			o.Src = address([]string{clientAddr, otherClient}[i%2])
		}
		p.send("client0", fromClient(o, syn))
	}
}

// handshake establishes a TCP flow, which random flags hardly ever do.
func (p *pair) handshake(t *rapid.T) { p.handshakeOf(t, originals.Draw(t, "original")) }

func (p *pair) handshakeOf(t *rapid.T, o flow.Tuple) {
	count := func(link string, frame []byte) { p.send(link, p.talk.number(t, p.model, link, frame)) }
	count("client0", fromClient(o, syn))
	if e, ok, _ := p.model.Lookup(o); ok {
		count("backend0", fromBackend(e.Reply, syn|ack))
		count("client0", fromClient(o, ack))
		count("client0", fromClient(o, rapid.SampledFrom([]int{ack, fin | ack, rst}).Draw(t, "then")))
	}
}

func (p *pair) arp(t *rapid.T) {
	if inIPv6 {
		p.ndp(t)
		return
	}
	addresses := rapid.SampledFrom([]string{vipAddr, vipAddr, vipAddr, snatAddr, snatAddr, snatAddr, unknownVIP, "198.18.0.1", "198.18.1.1", clientAddr})
	link := rapid.SampledFrom([]string{"client0", "backend0"}).Draw(t, "link")
	operation := rapid.Uint16Range(1, 2).Draw(t, "operation")
	p.send(link, damage(t, arpFrame(operation, addresses.Draw(t, "sender"), addresses.Draw(t, "target"))))
	p.send("client0", arpFrame(1, clientAddr, vipAddr))
	p.send("backend0", arpFrame(1, backendAddr, snatAddr))
}

// protocol sends packets of protocols that are not balanced.
func (p *pair) protocol(t *rapid.T) {
	number := rapid.SampledFrom([]byte{1, 2, 47, 136, 58, 50, 59}).Draw(t, "number")
	p.send("client0", withProto(fromClient(originals.Draw(t, "original"), ack), number))
	p.send("backend0", withProto(fromBackend(replyTuples.Draw(t, "reply"), ack), number))
}
