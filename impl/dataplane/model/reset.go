package model

import (
	"encoding/binary"
	"slices"

	"baton/impl/dataplane"
	"baton/impl/flow"
	"baton/impl/sctp"
)

// turnAway handles a flow whose service has no backend.
func (d *Dataplane) turnAway(l link, p *packet, s *service) Outcome {
	switch {
	case !s.Refuse || !p.opens():
		return d.drop(dataplane.DropNoBackend)
	case p.tuple.Proto == flow.UDP:
		return d.refuse(l, p, dataplane.DropNoBackend, 0)
	}
	return d.reset(l, p)
}

// reset drops a SYN and answers with the RST of a host without a listener (RFC 9293
// 3.10.7.1), or an INIT with an ABORT (RFC 9260 5.1). They count against the rate of ICMP errors.
func (d *Dataplane) reset(l link, p *packet) Outcome {
	out := d.drop(dataplane.DropNoBackend)
	if p.more || !d.errors[p.family()].allows(d.now, d.cfg.ICMPRate) {
		return out
	}
	d.counters.Resets++
	if p.tuple.Proto == flow.SCTP {
		return p.answerINIT(l)
	}
	return p.answerSYN(l, p.seq+p.payload+1, rst|ack) // a SYN counts as one byte
}

// answerSYN answers a SYN with a segment without data.
func (p *packet) answerSYN(l link, acknowledged uint32, flags byte) Outcome {
	f, tcp := p.family(), make([]byte, tcpMinLen)
	binary.BigEndian.PutUint16(tcp, p.tuple.DstPort)
	binary.BigEndian.PutUint16(tcp[2:], p.tuple.SrcPort)
	binary.BigEndian.PutUint32(tcp[8:], acknowledged)
	tcp[12], tcp[13] = tcpMinLen/4<<4, flags
	binary.BigEndian.PutUint16(tcp[16:], ^sum(append(f.pseudo(flow.TCP, p.tuple.Dst, p.tuple.Src, len(tcp)), tcp...)))
	frame := append(slices.Clone(p.frame[:ethLen]), f.header(flow.TCP, p.tuple.Dst, p.tuple.Src, len(tcp))...)
	return answer(l, append(frame, tcp...))
}

// answerINIT answers an INIT with an ABORT, which has the tag of the INIT's sender.
func (p *packet) answerINIT(l link) Outcome {
	abort := sctp.Packet{SrcPort: p.tuple.DstPort, DstPort: p.tuple.SrcPort, Tag: p.ack, Chunk: chunkAbort}.Marshal()
	frame := append(slices.Clone(p.frame[:ethLen]), p.family().header(flow.SCTP, p.tuple.Dst, p.tuple.Src, len(abort))...)
	return answer(l, append(frame, abort...))
}
