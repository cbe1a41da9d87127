package sim

import (
	"baton/impl/clock"
	"baton/impl/flow"
	"baton/impl/trace"
	"baton/scenarios/lab"
)

// capture watches the client and backend edges, as package netns/capture does. It records which
// load balancer forwards a VIP's packets, every gratuitous ARP and every RST.
type capture struct {
	// lanes are indexed by VIP. The last one is for packets of dnat services at the backend
	// edge, which keep the client's address.
	lanes      []edgeLane
	challenges lab.Challenges
	answers    int // RSTs that answer a challenge ACK; not recorded one by one
}

type edgeLane struct {
	node   uint8  // the current forwarder
	frames uint64 // since it became the forwarder
	last   clock.Instant
}

// see records what a delivered packet shows.
func (c *capture) see(w *World, p *packet) {
	if p.from < 2 && !p.relayed {
		c.carried(w, c.laneOf(w, p), p.from, w.now)
	}
	segment := lab.Segment{Tuple: p.tuple, ByNode: p.from < 2, SYN: p.flags&syn != 0, ACK: p.flags&ack != 0, FIN: p.flags&fin != 0,
		Seq: p.seq, Ack: p.ack, Payload: p.length > 0}
	mayChallenge := p.tuple.Proto == flow.TCP && p.link == onClients
	switch {
	case p.flags&rst != 0 && mayChallenge && c.challenges.Answers(segment):
		c.answers++
	case p.flags&rst != 0:
		c.reset(w, p)
	case mayChallenge:
		c.challenges.Sees(segment, w.now)
	}
}

// laneOf returns the lane of a packet sent by a load balancer.
func (c *capture) laneOf(w *World, p *packet) int {
	for i, v := range w.vips {
		if v.link == p.link && v.addr == p.tuple.Src {
			return i
		}
	}
	return len(w.vips)
}

func (c *capture) carried(w *World, lane int, node uint8, at clock.Instant) {
	l := &c.lanes[lane]
	if l.frames == 0 || l.node != node {
		c.turn(w, lane, node, at)
		l.node, l.frames = node, 0
	}
	l.frames++
	l.last = at
}

// turn records that a node has become the forwarder of a lane.
func (c *capture) turn(w *World, lane int, node uint8, at clock.Instant) {
	l := &c.lanes[lane]
	f := &trace.Forwarder{Edge: linkNames[onBackends], Last: l.last, Frames: l.frames}
	if lane < len(w.vips) {
		f.Edge, f.VIP = linkNames[w.vips[lane].link], w.vips[lane].addr.String()
	}
	if l.frames > 0 {
		f.From = w.hosts[l.node].name
	}
	w.record(trace.Event{At: at, Node: w.hosts[node].name, Kind: trace.KindForwarder, Forwarder: f})
}

// end records the final state of each lane, and how many RSTs only answered challenges.
func (c *capture) end(w *World) {
	if c.answers > 0 {
		w.record(trace.Event{At: w.now, Kind: trace.KindNote, Note: lab.ChallengesAnswered(c.answers)})
	}
	for i, l := range c.lanes {
		if l.frames > 0 {
			c.turn(w, i, l.node, l.last)
		}
	}
}

func (c *capture) announced(w *World, host uint8, v vip) {
	w.record(trace.Event{At: w.now, Node: w.hosts[host].name, Kind: trace.KindGARP,
		GARP: &trace.GARP{Edge: linkNames[v.link], VIP: v.addr.String()}})
}

// reset records a RST with its sender, its origin and what the load balancer knew of the flow.
func (c *capture) reset(w *World, p *packet) {
	r := &trace.RST{Edge: linkNames[p.link], Tuple: p.tuple, Flow: p.tuple.String(), Sender: w.hosts[p.from].name,
		Origin: w.hosts[p.origin].name, Entry: "unknown", Fault: w.lastFault, Seq: p.seq}
	lb := p.from
	if lb >= 2 {
		lb = p.to
	}
	if lb < 2 {
		r.LB, r.Role = w.hosts[lb].name, w.processes[lb].role
		r.Entry = w.processes[lb].entryOf(w.originalOf(p))
	}
	w.record(trace.Event{At: w.now, Node: r.Origin, Kind: trace.KindRST, RST: r})
}

// originalOf returns the original-direction tuple of a packet's flow.
func (w *World) originalOf(p *packet) flow.Tuple {
	switch {
	case p.link == onClients && p.from < 2:
		return p.tuple.Reverse()
	case p.link == onClients:
		return p.tuple
	}
	if id, ok := tcpFlow(p.tag); ok && id < w.conns.used {
		return w.conns.at(id).tuple
	}
	return p.tuple
}
