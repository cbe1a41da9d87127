package sim

import (
	"baton/impl/flow"
)

// A tag identifies a flow of a client. Connections have their id plus 1, datagram flows their id
// with the highest bit set; 0 is no flow.
const datagramTag = 1 << 31

func tcpFlow(tag uint32) (id uint32, ok bool) { return tag - 1, tag != 0 && tag < datagramTag }

// flowAt returns the connection or the datagram flow of a client that sends with a tuple. Both are
// nil if there is none.
func (w *World) flowAt(client uint8, t flow.Tuple) (*conn, *datagram) {
	tag := w.hosts[client].sources[familyOf(t.Src)].owner(t.Src, t.SrcPort)
	if id, ok := tcpFlow(tag); ok {
		if c := w.conns.at(id); c.tuple == t {
			return c, nil
		}
	} else if tag != 0 {
		if d := w.datagrams.at(tag &^ datagramTag); d.tuple == t {
			return nil, d
		}
	}
	return nil, nil
}

// receiveAtClient hands a packet to the connection or datagram flow of its tuple.
func (w *World) receiveAtClient(p *packet) {
	switch c, d := w.flowAt(p.to, p.tuple.Reverse()); {
	case c != nil:
		c.arrived(p)
	case d != nil:
		d.arrived(p)
	default:
		w.refuse(p)
	}
}

// refuse answers a TCP segment that belongs to no connection with a RST (RFC 9293 3.10.7.1), and
// an SCTP packet that belongs to no association with an ABORT.
func (w *World) refuse(p *packet) {
	switch p.tuple.Proto {
	case flow.TCP:
		w.refuseSegment(p)
	case flow.SCTP:
		w.refuseChunk(p)
	}
}

func (w *World) refuseSegment(p *packet) {
	if p.flags&rst != 0 {
		return
	}
	answer := packet{tuple: p.tuple.Reverse(), flags: rst, link: p.link, from: p.to, origin: p.to, seq: p.ack, tag: p.tag}
	if p.flags&ack == 0 {
		answer.flags, answer.seq = rst|ack, 0
		answer.ack = p.seq + uint32(p.length)
		if p.flags&(syn|fin) != 0 {
			answer.ack++
		}
	}
	w.sendBack(p, answer)
}

// sendBack sends a packet as the answer to another.
func (w *World) sendBack(p *packet, answer packet) {
	if p.link == onBackends {
		w.reply(answer)
		return
	}
	w.send(answer, w.wayBack(p))
}

// wayBack returns the VIP to which a client sends the answer to a packet.
func (w *World) wayBack(p *packet) uint8 {
	for i, v := range w.vips {
		if v.link == p.link && v.addr == p.tuple.Src {
			return uint8(i)
		}
	}
	return w.snat[familyOf(p.tuple.Dst)]
}
