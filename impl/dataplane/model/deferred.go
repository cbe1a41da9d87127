package model

import (
	"slices"

	"baton/impl/flow"
)

// maxDeferred is the maximum length of a deferred packet, without Ethernet's header.
const maxDeferred = 2048

// deferred is a reply that is held back.
type deferred struct {
	original flow.Tuple
	frame    []byte // translated
}

// tellsClient reports whether a reply tells the client that its flow is established: a SYN-ACK,
// an INIT ACK, or the first reply of a UDP flow.
func (c *conn) tellsClient(p *packet) bool {
	if p.tuple.Proto == flow.UDP {
		return c.state == flow.Unreplied
	}
	return c.state == flow.SynSent && p.flags&(syn|ack|rst) == syn|ack
}

// deferReply holds a reply back, or forwards it if that is not possible. Only a UDP reply that is sent
// moves its flow.
func (d *Dataplane) deferReply(c *conn, originalTuple flow.Tuple, p *packet) Outcome {
	udp := p.tuple.Proto == flow.UDP
	if !udp {
		d.track(c, originalTuple, p, reply)
	}
	room := len(p.frame)-ethLen <= maxDeferred && len(d.events) < d.host.MaxEvents/2
	if p.more {
		if reason := d.rememberDatagram(p, originalTuple.Reverse(), reply, translated); reason != noReason {
			return d.drop(reason)
		}
		d.counters.Fragments++
	}
	p.translate(originalTuple.Reverse())
	if !room {
		d.counters.Undeferred++
		if udp {
			d.track(c, originalTuple, p, reply)
		}
		return d.leave(p, originalTuple.Src, reply)
	}
	d.counters.Deferred++
	d.rung = true
	d.lastDeferred++
	id := d.lastDeferred
	d.deferred[id] = deferred{originalTuple, slices.Clone(p.frame)}
	d.events = append(d.events, flow.Event{
		Entry: d.fresh(&originalTuple, c), Deferred: flow.Deferred{ID: id, Bytes: p.ipLen()},
	})
	return Outcome{Verdict: Defer, Deferred: id}
}

// fresh returns the entry as it is right after a packet.
func (d *Dataplane) fresh(original *flow.Tuple, c *conn) flow.Entry {
	return flow.Entry{
		Original: *original, Reply: c.reply, State: c.state, Origin: c.origin, Remaining: d.lifetimes.Of(original, &c.reply, c.state),
	}
}

// ipLen returns the length of the packet without Ethernet's header and padding.
func (p *packet) ipLen() int {
	ip, n := p.ip(), 0
	if p.family() == v6 {
		n = ipv6Len + be16(ip[4:])
	} else {
		n = be16(ip[2:])
	}
	return min(n, len(ip))
}

// Deferred returns the frames that are held back, by id.
func (d *Dataplane) Deferred() map[uint64][]byte {
	frames := make(map[uint64][]byte, len(d.deferred))
	for id, r := range d.deferred {
		frames[id] = r.frame
	}
	return frames
}

// Doorbell implements dataplane.Dataplane: the model has no descriptors.
func (d *Dataplane) Doorbell() int { return -1 }

// Rung implements dataplane.Dataplane.
func (d *Dataplane) Rung() bool {
	rung := d.rung
	d.rung = false
	return rung
}

// Release implements dataplane.Dataplane. Host.Send gets the frames.
func (d *Dataplane) Release(ids []uint64) error {
	for _, id := range ids {
		r, ok := d.deferred[id]
		if !ok {
			continue
		}
		delete(d.deferred, id)
		d.counters.Forwarded[reply]++
		d.counters.Bytes[reply] += uint64(len(r.frame))
		if d.host.Send != nil {
			d.host.Send(Outcome{Verdict: Forward, Link: d.cfg.ClientLink, Frame: r.frame, Deferred: id})
		}
		if c := d.conns[r.original]; c != nil && c.state == flow.Unreplied {
			c.state, c.lastSeen = flow.Assured, d.now
			d.emit(r.original, c)
		}
	}
	return nil
}

// Discard implements dataplane.Dataplane.
func (d *Dataplane) Discard(ids []uint64) {
	for _, id := range ids {
		delete(d.deferred, id)
	}
}
