package sim

import (
	"baton/impl/flow"
)

// A tag names a flow of a client: connections from 1 up, datagram flows with the
// highest bit.
const datagramTag = 1 << 31

func tcpFlow(tag uint32) (id uint32, ok bool) { return tag - 1, tag != 0 && tag < datagramTag }

// flowAt is the connection or the datagram flow of a client with a tuple, as it sends; nil
// for both where its port has another owner.
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

// receiveAtClient hands a packet to what owns its port.
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

// refuse answers a TCP segment of no connection with a RST (RFC 9293 3.10.7.1), and a packet of
// no association with an ABORT.
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

// wayBack is the VIP to which the answer to a packet at a client goes.
func (w *World) wayBack(p *packet) uint8 {
	for i, v := range w.vips {
		if v.link == p.link && v.addr == p.tuple.Src {
			return uint8(i)
		}
	}
	return w.snat[familyOf(p.tuple.Dst)]
}
