package capture

import (
	"net/netip"
	"slices"
	"strconv"

	"baton/impl/clock"
	"baton/impl/flow"
	"baton/impl/trace"
	"baton/netns/internal/hostclock"
	"baton/scenarios/lab"
)

// edge is an Edge that is being captured.
type edge struct {
	Edge
	ring        *ring
	stamps      hostclock.Translator
	floods      flood
	closes      closes
	late        int // RSTs of connections that had ended
	challenges  lab.Challenges
	answers     int               // RSTs that answered challenges
	lost        uint64            // frames lost because the ring was full
	lossUnknown error             // why the number of lost frames is unknown
	tracks      []*forwarderTrack // one for each VIP, then one for the forwarded prefixes

	history history
	ports   map[int]int // interface index to port number in the history
	names   []string    // of the ports
}

// open opens the socket of an edge inside its namespace.
func (c *Capture) open(config Edge) (*edge, error) {
	e := &edge{Edge: config, closes: closes{}, history: history{budget: config.Keep}, ports: map[int]int{}}
	for _, vip := range e.VIPs {
		e.tracks = append(e.tracks, &forwarderTrack{edge: e.Name, vip: vip.String()})
	}
	e.tracks = append(e.tracks, &forwarderTrack{edge: e.Name})
	indexes := make([]int, 0, len(e.Interfaces))
	for index := range e.Interfaces {
		indexes = append(indexes, index)
	}
	slices.Sort(indexes)
	for _, index := range indexes {
		e.port(index, e.Interfaces[index])
	}
	filter, err := socketFilter(indexes, e.Cable, c.cfg.Snap)
	if err != nil {
		return nil, err
	}
	err = e.Host.Do(func() (err error) {
		e.ring, err = openRing(filter)
		return err
	})
	return e, err
}

// port returns the number of a port of the edge, after adding it if it is new.
func (e *edge) port(ifindex int, name string) int {
	e.ports[ifindex] = len(e.names)
	e.names = append(e.names, e.Name+"/"+name)
	return e.ports[ifindex]
}

// readEdge handles the frames of an edge that are in its ring.
func (c *Capture) readEdge(e *edge) {
	e.history.mu.Lock()
	defer e.history.mu.Unlock()
	frames := uint64(0)
	e.ring.read(func(p packet) {
		at := e.stamps.Instant(p.realtime)
		frames++
		port, known := e.ports[p.ifindex]
		if !known {
			port = e.port(p.ifindex, strconv.Itoa(p.ifindex))
		}
		e.history.keep(at, port, p.length, p.data)
		if f, ok := parseFrame(p.data); ok {
			c.look(e, &f, p.ifindex, at)
		}
	})
	c.frames.Add(frames)
	dropped, err := e.ring.dropped()
	if err != nil {
		e.lossUnknown = err
	}
	e.lost += uint64(dropped)
	c.lost.Add(uint64(dropped))
}

// look records what a frame reveals.
func (c *Capture) look(e *edge, f *frame, ifindex int, at clock.Instant) {
	if f.kind == frameNeighbours {
		c.lookNeighbours(e, f, at)
	}
	switch {
	case f.kind == frameAdvert:
		c.lookAdvert(e, f.advert, at)
	case f.gratuitous():
		if slices.Contains(e.VIPs, addrOf(f.senderIP)) && !e.floods.copied(f, ifindex, at) {
			c.cfg.Record(trace.Event{At: at, Node: c.owner(f.src), Kind: trace.KindGARP,
				GARP: &trace.GARP{Edge: e.Name, VIP: f.senderIP.String()}})
		}
	case f.rst():
		if c.ofService(f.tuple) && !c.isProbe(e, f.tuple) && !e.floods.copied(f, ifindex, at) {
			if e.closes.over(f.tuple) {
				e.late++
				return
			}
			if e.Name == lab.Clients && e.challenges.Answers(c.segment(f)) {
				e.answers++
				return
			}
			c.pairing.add(c.sighting(e, f, at))
		}
	case f.kind == frameTCP || f.kind == frameUDP || f.kind == frameSCTP:
		switch f.kind {
		case frameTCP:
			e.closes.follow(f)
			if e.Name == lab.Clients {
				e.challenges.Sees(c.segment(f), at)
			}
		case frameSCTP:
			e.closes.followChunk(f)
		}
		node := c.owner(f.src)
		if l := e.track(f.tuple.Src); l != nil && c.lbs[node] {
			if event, changed := l.carried(node, at); changed {
				c.cfg.Record(event)
				if c.roles != nil && l.vip != "" && e.Name == lab.Clients {
					c.roles.carries(node, l.vip, at)
				}
			}
		}
	}
}

// segment returns the fields by which lab.Challenges recognises a challenge ACK and its answer.
func (c *Capture) segment(f *frame) lab.Segment {
	s := lab.Segment{Tuple: f.tuple, ByNode: c.lbs[c.owner(f.src)], SYN: f.flags&tcpSYN != 0, ACK: f.flags&tcpACK != 0, FIN: f.flags&tcpFIN != 0, Seq: f.seq, Ack: f.ack}
	s.Payload = !s.SYN && !s.FIN && f.next != f.seq
	return s
}

// lookNeighbours records who announces a VIP on the clients' side.
func (c *Capture) lookNeighbours(e *edge, f *frame, at clock.Instant) {
	if c.roles != nil && e.Name == lab.Clients && slices.Contains(e.VIPs, addrOf(f.senderIP)) {
		c.roles.announces(c.owner(f.src), f.senderIP.String(), at)
	}
}

// lookAdvert learns who owns a virtual MAC address and, on the clients' side, who is the
// MASTER. Towards the backends a pair may have another virtual router.
func (c *Capture) lookAdvert(e *edge, a *advert, at clock.Instant) {
	node, known := c.cfg.Addresses[addrOf(a.source)]
	if !known {
		return
	}
	if !a.resigns {
		c.virtual[a.virtualMAC()] = node
	}
	if c.roles != nil && e.Name == lab.Clients {
		c.roles.advert(node, a, at)
	}
}

// track returns the track of frames from a source address, nil if they do not show a
// forwarder.
func (e *edge) track(src flow.Addr) *forwarderTrack {
	addr := addrOf(src)
	if i := slices.Index(e.VIPs, addr); i >= 0 {
		return e.tracks[i]
	}
	if slices.ContainsFunc(e.Forwarded, func(p netip.Prefix) bool { return p.Contains(addr) }) {
		return e.tracks[len(e.VIPs)]
	}
	return nil
}

// owner returns the host that has a MAC address, or that last advertised its virtual
// router; else the address itself.
func (c *Capture) owner(m mac) string {
	if name, ok := c.owners[m]; ok {
		return name
	}
	if name, ok := c.virtual[m]; ok {
		return name
	}
	return m.String()
}

func (c *Capture) ofService(t flow.Tuple) bool {
	return len(c.cfg.Ports) == 0 || slices.Contains(c.cfg.Ports, t.SrcPort) || slices.Contains(c.cfg.Ports, t.DstPort)
}

// isProbe reports whether a connection at the backend edge is a load balancer's own health
// check: clients' flows come from a VIP or from the client.
func (c *Capture) isProbe(e *edge, t flow.Tuple) bool {
	return e.Name == lab.Backends && (c.lbs[c.cfg.Addresses[addrOf(t.Src)]] || c.lbs[c.cfg.Addresses[addrOf(t.Dst)]])
}

// sighting describes a RST at an edge.
func (c *Capture) sighting(e *edge, f *frame, at clock.Instant) *sighting {
	s := &sighting{at: at, edge: e.Name, sender: c.owner(f.src), receiver: c.owner(f.dst),
		tuple: f.tuple, seq: f.seq, ack: f.ack, flags: f.flags, original: f.tuple}
	s.relayed = c.lbs[s.sender]
	fromVIP := slices.Contains(e.VIPs, addrOf(f.tuple.Src))
	if (e.Name == lab.Clients && fromVIP) || (e.Name == lab.Backends && s.relayed) {
		s.original = f.tuple.Reverse()
	}
	return s
}
