package bpf

import (
	"encoding/binary"
	"strings"

	"pgregory.net/rapid"

	"baton/impl/flow"
)

// icmpErrors sends ICMP errors about segments of flows or of no flow: segments that can be in
// flight and ones that cannot, truncated anywhere.
func (p *pair) icmpErrors(t *rapid.T) {
	for range 5 {
		p.icmpError(t)
	}
}

func (p *pair) icmpError(t *rapid.T) {
	link, mac, about := "client0", clientMAC, flow.Tuple{}
	e, ok := p.entry(t)
	switch toClient := rapid.Bool().Draw(t, "about one to the client"); {
	case ok && toClient:
		about = e.Original.Reverse()
	case ok:
		about = e.Reply.Reverse()
	case toClient:
		about = originals.Draw(t, "original").Reverse()
	default:
		about = replyTuples.Draw(t, "reply").Reverse()
	}
	if about.Src != address(vipAddr) {
		link, mac = "backend0", backendMAC
	}
	frame := frameTo(peerMAC, about, ack, payload)
	if about.Proto == flow.TCP {
		near := rapid.Uint32Range(0, 2*uint32(len(payload))).Draw(t, "behind")
		sender := e.Original
		if link == "client0" {
			sender = e.Reply
		}
		frame = withNumbers(frame, p.talk.next(sender, link == "backend0")-near+1, 0)
	}
	from := rapid.SampledFrom([]flow.Addr{about.Dst, address(routerAddr), address("127.0.0.1"), address(vipAddr)}).Draw(t, "from")
	kind := rapid.SampledFrom(errorTypes()).Draw(t, "type")
	more := rapid.SampledFrom([]int{8, 8, 20, 28, 28, 7, 0}).Draw(t, "quoted")
	p.send(link, damage(t, errorFrame(mac, from, kind, rapid.Uint8Range(0, 5).Draw(t, "code"), frame, more)))
}

func (p *pair) echo(t *rapid.T) {
	to := rapid.SampledFrom([]string{vipAddr, vipAddr, snatAddr, unknownVIP, "198.18.0.1", clientAddr}).Draw(t, "to")
	body := rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "body")
	from := rapid.SampledFrom([]string{clientAddr, clientAddr, clientAddr, vipAddr, "198.18.0.1", "198.18.0.255"}).Draw(t, "from")
	p.send("client0", damage(t, icmpFrame(clientMAC, address(from), address(to), echoRequestType(), 0, body)))
	p.send("backend0", damage(t, icmpFrame(backendMAC, address(backendAddr), address(to), echoRequestType(), 0, body)))
}

// headers sends packets of flows with unusual headers.
func (p *pair) headers(t *rapid.T) {
	for what := range 4 {
		p.header(t, what)
	}
}

func (p *pair) header(t *rapid.T, what int) {
	o := originals.Draw(t, "original")
	link, frame := "client0", fromClient(o, ack)
	if e, ok := p.entry(t); ok {
		link, frame = p.ofFlow(t, e, ack)
	}
	switch what {
	case 0:
		frame = withTTL(frame, rapid.Uint8Range(0, 2).Draw(t, "ttl"))
	case 1:
		src := rapid.SampledFrom([]string{"0.1.2.3", "127.0.0.1", "224.0.0.1", "255.255.255.255", vipAddr, "198.18.0.1", "198.18.0.255"}).Draw(t, "source")
		o.Src = address(src)
		link, frame = "client0", withTTL(fromClient(o, syn), rapid.SampledFrom([]uint8{64, 64, 1}).Draw(t, "ttl"))
	case 2:
		if inIPv6 {
			frame = extended(t, frame)
			break
		}
		frame = withOptions(frame)
		options := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 1, 2, 3, 4, 7, 68, 131, 137}), 8, 8).Draw(t, "options")
		copy(frame[34:42], options)
		frame = withIP(frame, 1, 0)
	case 3:
		if inIPv6 {
			frame = extended(t, frame)
			break
		}
		binary.BigEndian.PutUint16(frame[24:], rapid.Uint16().Draw(t, "checksum"))
	}
	p.send(link, frame)
}

// size sends packets around the links' MTU.
func (p *pair) size(t *rapid.T) {
	e, ok := p.entry(t)
	if !ok {
		t.Skip("no entries")
	}
	data := strings.Repeat("x", rapid.IntRange(1399, 1473).Draw(t, "payload"))
	if rapid.Bool().Draw(t, "of the backend") {
		p.send("backend0", p.talk.number(t, p.model, "backend0", frameTo(backendMAC, e.Reply, ack, data)))
		return
	}
	p.send("client0", p.talk.number(t, p.model, "client0", frameTo(clientMAC, e.Original, ack, data)))
}
