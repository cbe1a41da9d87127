package model

import (
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// open creates the entry for a packet in the original direction, replacing old if there is
// one. Either both directions exist afterwards, or neither.
func (d *Dataplane) open(p *packet, s *service, old *conn) (*conn, dataplane.Drop) {
	if !p.opens() && !(p.isMidFlow() && d.adopts(s)) {
		return nil, dataplane.DropMiss
	}
	if len(s.Backends) == 0 {
		return nil, dataplane.DropNoBackend
	}
	if reason := d.limit(p.tuple, s, old != nil); reason != noReason {
		return nil, reason
	}
	claim, reason := d.claim(p, s, d.choose(s, p.tuple))
	if reason != noReason {
		return nil, reason
	}
	if old == nil && len(d.conns) >= d.cfg.MaxFlows {
		delete(d.replies, claim)
		return nil, dataplane.DropTableFull
	}
	if old != nil && old.reply != claim {
		delete(d.replies, old.reply)
	}
	c := &conn{reply: claim, origin: flow.Opened, lastSeen: d.now}
	c.first(p)
	if p.opens() {
		d.counters.Created++
	} else {
		c.origin = flow.Adopted
		d.counters.Adopted++
	}
	d.countOpened(p.tuple, s, old != nil)
	d.conns[p.tuple] = c
	d.emit(p.tuple, c)
	d.rung = d.rung || d.cfg.Defer && !c.isDirect()
	return c, noReason
}

// adopts reports whether flows of a service may be adopted mid-flow.
func (d *Dataplane) adopts(s *service) bool {
	switch d.miss {
	case dataplane.MissAdopt:
		return s.Balance == dataplane.Maglev && (s.Mode != dataplane.FullNAT || d.cfg.SNATPeer.Len() > 0)
	case dataplane.MissGuess:
		return true
	}
	return false
}

// choose returns the backend of a new flow.
func (d *Dataplane) choose(s *service, t flow.Tuple) dataplane.Backend {
	if s.Affinity > 0 {
		return d.chooseByAffinity(s, t)
	}
	return s.choose(t)
}

// choose returns the backend of a new flow by the service's balance. The round-robin
// position advances even if the flow then finds no port.
func (s *service) choose(t flow.Tuple) dataplane.Backend {
	if s.slots == nil {
		s.slots = Slots(s.Service) // lazily: a BACKUP opens no flows
	}
	switch s.Balance {
	case dataplane.Maglev:
		return s.slots[Hash(t)%uint64(len(s.slots))]
	case dataplane.LeastConn:
		return s.least()
	}
	turn := s.next
	s.next++
	return s.slots[turn%uint32(len(s.slots))]
}

// claim reserves the reply tuple of a new flow; in fullnat mode this allocates its SNAT
// port.
func (d *Dataplane) claim(p *packet, s *service, b dataplane.Backend) (flow.Tuple, dataplane.Drop) {
	t := p.tuple
	if s.Mode.Direct() {
		return flow.DirectReply(t, b.Addr), noReason
	}
	claim := flow.Tuple{Src: b.Addr, SrcPort: b.At(t.DstPort), Dst: t.Src, DstPort: t.SrcPort, Proto: t.Proto}
	if s.Mode == dataplane.DNAT {
		return claim, d.tryClaim(claim, t)
	}
	addresses := s.SNATs()
	hash := Hash(t) ^ d.cfg.SNATSeed
	half := d.cfg.SNATPorts
	if !p.opens() && d.miss == dataplane.MissAdopt {
		half = d.cfg.SNATPeer // the peer opened it, and tried the ports in this order
	}
	turn := d.turnOf(s, &claim)
	for i := range PortAttempts {
		claim.DstPort = SNATPort(half, hash, i)
		claim.Dst = addresses[SNATAddress(len(addresses), hash, i)]
		if turn != nil && i < turnAttempts {
			claim.DstPort, claim.Dst = takeTurn(turn, half, addresses)
		}
		if reason := d.tryClaim(claim, t); reason != dataplane.DropNoPort {
			return claim, reason
		}
	}
	return claim, dataplane.DropNoPort
}

// tryClaim succeeds if the claim already belongs to the flow.
func (d *Dataplane) tryClaim(claim, t flow.Tuple) dataplane.Drop {
	if owner, taken := d.replies[claim]; taken {
		if owner == t {
			return noReason
		}
		return dataplane.DropNoPort
	}
	if len(d.replies) >= d.cfg.MaxFlows {
		return dataplane.DropTableFull
	}
	d.replies[claim] = t
	return noReason
}
