package sim

import (
	"baton/impl/dataplane/model"
	"baton/impl/flow"
)

// receive passes a packet that arrives on a service link to the dataplane and executes the verdict.
func (p *process) receive(in *packet) {
	if p.dataplane == nil || !p.powered {
		return
	}
	frame := in.frame(&p.buf, macOf(in.link, p.index))
	name := clientSide
	if in.link == onBackends {
		name = backendSide
	}
	out := p.dataplane.Packet(p.clock.local(p.w.now), name, frame)
	p.wantPoll()
	sent := *in
	switch out.Verdict {
	case model.Forward:
	case model.Relay:
		sent.from, sent.to, sent.relayed = p.index, 1-p.index, true
		p.w.transmit(sent)
		return
	case model.Defer:
		sent.relayed = false
		p.deferred[out.Deferred] = sent
		return
	default:
		return
	}
	sent.relayed = false
	if out.Link == name {
		if !sent.answers(out.Frame) {
			return
		}
		sent.origin = p.index
	}
	p.forward(sent, &out)
}

// release forwards a packet that was deferred.
func (p *process) release(out model.Outcome) {
	sent, ok := p.deferred[out.Deferred]
	delete(p.deferred, out.Deferred)
	if ok && p.powered {
		p.forward(sent, &out)
	}
}

// forward transmits a packet as rewritten by the dataplane.
func (p *process) forward(sent packet, out *model.Outcome) {
	sent.tuple, sent.outer = translated(out.Frame), outerLen(out.Frame)
	sent.link = onClients
	if out.Link == backendSide {
		sent.link = onBackends
	}
	next := sent.tuple.Dst
	if out.NextHop != (flow.Addr{}) {
		next = out.NextHop
	}
	sent.from, sent.to = p.index, p.w.hostOf(next)
	if sent.to != nobody {
		p.w.transmit(sent)
	}
}

// answers reports whether the dataplane answers a host's ARP request or neighbour solicitation.
func (p *process) answers(link, host uint8, target flow.Addr) bool {
	if p.dataplane == nil || !p.powered {
		return false
	}
	name := clientSide
	if link == onBackends {
		name = backendSide
	}
	frame := question(&p.buf, macOf(link, host), p.w.hosts[host].addrs[familyOf(target)], target)
	return p.dataplane.Packet(p.clock.local(p.w.now), name, frame).Verdict == model.Forward
}

// entryOf returns the origin of a flow's entry in the dataplane, "none" without an entry.
func (p *process) entryOf(t flow.Tuple) string {
	if p.dataplane == nil {
		return "none"
	}
	if e, ok, err := p.dataplane.Lookup(t); err == nil && ok {
		return e.Origin.String()
	}
	return "none"
}
