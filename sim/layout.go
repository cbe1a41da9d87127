package sim

import (
	"fmt"
	"slices"
	"time"

	"baton/impl/clock"
	"baton/impl/dataplane/model"
	"baton/impl/flow"
	"baton/impl/node"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// host is a machine of the lab. World.hosts holds two load balancers, then clients, then backends.
type host struct {
	name string
	// addrs are its addresses on its first link, by family. For a load balancer's addresses on a
	// given link see addressOn.
	addrs   [lab.Families]flow.Addr
	index   uint8
	arp     []neighbour           // by VIP; clients and backends only
	sources [lab.Families]sources // of a client
	// sockets maps the tuple of received packets to a backend's connection.
	sockets map[flow.Tuple]uint32
	// backlogs are the backlogs of a backend's listening sockets, by port.
	backlogs map[uint16]*backlog
	condition
}

// link is the service link of a client or a backend.
func (h *host) link() uint8 {
	if h.sockets == nil {
		return onClients
	}
	return onBackends
}

// nobody is the host index of an unresolved address.
const nobody = 0xff

func (w *World) layout() {
	w.index = map[flow.Addr]uint8{}
	for i, h := range w.plan.Topo.Lab().Hosts() {
		m := host{name: h.Name, index: uint8(i)}
		for f := range lab.Family(lab.Families) {
			m.addrs[f] = flow.AddrFrom(h.Addr(h.Links()[0], f))
			if h.Kind != lab.Node {
				w.index[m.addrs[f]] = m.index
			}
		}
		switch h.Kind {
		case lab.Client:
			w.firstBack = uint8(i + 1)
			for f := range lab.Family(lab.Families) {
				guests := f.GuestsOf(h.Number-1, w.plan.Topo.Clients)
				m.sources[f] = newSources(m.addrs[f], guests)
				for _, guest := range guests {
					w.index[flow.AddrFrom(guest)] = m.index
				}
			}
		case lab.Backend:
			m.sockets, m.backlogs = map[flow.Tuple]uint32{}, map[uint16]*backlog{}
		}
		w.hosts = append(w.hosts, m)
	}
	for link := range w.ports {
		w.ports[link] = make([]port, len(w.hosts))
	}
}

// hostIndex finds a host by its name, nobody if there is none.
func (w *World) hostIndex(name string) uint8 {
	i := slices.IndexFunc(w.hosts, func(h host) bool { return h.name == name })
	if i < 0 {
		return nobody
	}
	return uint8(i)
}

// Delays of the lab's links: switch plus the host's network stack.
const (
	delayMin  = 15 * time.Microsecond
	delayMax  = 60 * time.Microsecond
	jitterMax = 20 * time.Microsecond
)

// wire draws the delay, jitter and impairment of each sender's direction of each link.
func (w *World) wire() (err error) {
	for link := range w.lanes {
		draw := NewRandom(w.cfg.Seed, "links/"+linkNames[link])
		w.lanes[link] = make([]lane, len(w.hosts))
		for i := range w.lanes[link] {
			l := &w.lanes[link][i]
			l.seed = draw.Uint64()
			l.delay = draw.Between(delayMin, delayMax)
			l.jitter = draw.Between(0, jitterMax) + min(w.plan.Wander(plan.Sim, linkNames[link], w.hosts[i].name), maxJitter)
			if err = l.impair(w.plan.Impairment(plan.Sim, linkNames[link], w.hosts[i].name)); err != nil {
				return fmt.Errorf("sim: link %s: %w", linkNames[link], err)
			}
		}
	}
	return nil
}

// deliver hands a packet to the host at which it arrives.
func (w *World) deliver(p *packet) {
	if w.isCut[p.link] && w.drops(p.link, p.from, p.to, p.seen()) || w.hosts[p.to].dark {
		return
	}
	w.capture.see(w, p)
	if p.to >= 2 && !w.owns(p.to, p.tuple.Dst) {
		return // the packet is for another host, and this host does not forward
	}
	switch {
	case p.to < 2:
		w.processes[p.to].receive(p)
	case p.to < w.firstBack:
		w.receiveAtClient(p)
	default:
		w.receiveAtBackend(p)
	}
}

// hostOf returns the client or backend with an address, nobody if there is none.
func (w *World) hostOf(a flow.Addr) uint8 {
	if i, ok := w.index[a]; ok {
		return i
	}
	return nobody
}

// macOf is the hardware address of a host on a link.
func macOf(link, host uint8) model.MAC { return model.MAC{0x02, 0xba, 0x70, link, 0, host} }

// neighbour is a host's neighbour entry for a VIP: the load balancer to which it sends. It follows
// Linux's neighbour table, which is the same for ARP and IPv6 neighbour discovery. The last
// gratuitous ARP, unsolicited advertisement or answer wins. TCP progress confirms the entry; an
// entry that has not been confirmed for a while is probed.
type neighbour struct {
	lb        uint8 // nobody if unresolved; may be a client that has claimed the VIP
	asking    bool  // requests are out
	tries     uint8
	confirmed clock.Instant
	fresh     time.Duration // how long a confirmation is valid
	stamp     uint64        // of the latest round of requests
	waiting   []packet      // queued until the entry is resolved
}

const (
	arpRetry    = time.Second
	arpTries    = 3
	arpQueue    = 100
	arpFreshMin = 15 * time.Second // 0.5 to 1.5 times base_reachable_time (30 s)
	arpFreshMax = 45 * time.Second
	arpDelay    = 5 * time.Second // delay_first_probe_time: before a stale entry in use is probed
)

// send sends a packet of a host to a VIP.
func (w *World) send(p packet, vip uint8) {
	n := &w.hosts[p.from].arp[vip]
	if n.lb == nobody {
		if len(n.waiting) < arpQueue {
			n.waiting = append(n.waiting, p)
		}
		w.resolve(p.from, vip)
		return
	}
	if w.now.Sub(n.confirmed) > n.fresh+arpDelay {
		w.resolve(p.from, vip)
	}
	p.to = n.lb
	w.transmit(p)
}

// resolve starts a round of requests for a VIP unless one is under way.
func (w *World) resolve(host, vip uint8) {
	n := &w.hosts[host].arp[vip]
	if n.asking {
		return
	}
	n.asking, n.tries, n.stamp = true, 0, w.serial()
	w.ask(host, vip, n.stamp)
}

// ask sends one request: to both load balancers while the entry is unresolved, otherwise only to
// the one to be confirmed.
func (w *World) ask(host, vip uint8, stamp uint64) {
	n := &w.hosts[host].arp[vip]
	if !n.asking || n.stamp != stamp {
		return
	}
	if n.tries++; n.tries > arpTries {
		n.asking = false
		if n.lb != nobody {
			n.lb = nobody // not confirmed: ask both
			w.resolve(host, vip)
			return
		}
		n.waiting = nil
		return
	}
	link, question := w.vips[vip].link, w.question(host, vip)
	for lb := range uint8(2) {
		if n.lb != nobody && n.lb != lb {
			continue
		}
		c := w.cross(link, host, lb, uint64(lb), headerBytes, question)
		for _, at := range c.at[:c.copies] {
			w.at(at, func() { w.answer(host, lb, vip) })
		}
	}
	w.at(w.now.Add(arpRetry), func() { w.ask(host, vip, stamp) })
}

// question is a host's request for a VIP.
func (w *World) question(host, vip uint8) lab.Packet {
	addr := w.vips[vip].addr
	return neighbourPacket(w.hosts[host].addrs[familyOf(addr)], addr)
}

// told is the answer to a host's request for a VIP.
func (w *World) told(host, vip uint8) lab.Packet {
	addr := w.vips[vip].addr
	return neighbourPacket(addr, w.hosts[host].addrs[familyOf(addr)])
}

// answer delivers a host's request to a load balancer, whose dataplane may answer it.
func (w *World) answer(host, lb, vip uint8) {
	link := w.vips[vip].link
	question := w.question(host, vip)
	if w.drops(link, host, lb, question) || !w.processes[lb].answers(link, host, w.vips[vip].addr) {
		return
	}
	c := w.cross(link, lb, host, uint64(host), headerBytes, w.told(host, vip))
	for _, at := range c.at[:c.copies] {
		w.at(at, func() { w.learn(host, lb, vip) })
	}
}

// learn delivers a load balancer's answer to the host.
func (w *World) learn(host, lb, vip uint8) {
	if !w.drops(w.vips[vip].link, lb, host, w.told(host, vip)) && !w.hosts[host].dark {
		w.hosts[host].arp[vip].asking = false
		w.setNeighbour(host, vip, lb)
		w.sendWaiting(host, vip)
	}
}

// sendWaiting sends the packets queued for a resolved VIP.
func (w *World) sendWaiting(host, vip uint8) {
	n := &w.hosts[host].arp[vip]
	waiting := n.waiting
	n.waiting = nil
	for _, p := range waiting {
		w.send(p, vip)
	}
}

func (w *World) setNeighbour(host, vip, lb uint8) {
	n := &w.hosts[host].arp[vip]
	n.lb, n.confirmed = lb, w.now
	if n.fresh == 0 {
		n.fresh = w.random.Between(arpFreshMin, arpFreshMax)
	}
}

// announce sends the gratuitous ARPs of one announcement at one instant.
func (w *World) announce(lb uint8, a node.Announce, lost func() bool) {
	for i := range a.VIPs {
		if !lost() {
			w.announceOne(lb, uint8((a.First+i)%len(w.vips)))
		}
	}
}

// announceOne sends a gratuitous ARP for a VIP.
func (w *World) announceOne(lb, vip uint8) {
	c := w.lanes[w.vips[vip].link][lb].cross(w.now, uint64(vip)<<8|garpSalt, headerBytes)
	for _, at := range c.at[:min(c.copies, 1)] {
		e := w.queue.push(at, evGARP)
		e.who, e.path = lb, vip
	}
}

// garpSalt distinguishes an announcement from other packets that leave a host at the same instant.
const garpSalt = 0xa9

// latch delivers a load balancer's gratuitous ARP and records it.
func (w *World) latch(e *event) {
	w.capture.announced(w, e.who, w.vips[e.path])
	w.latchOn(e.who, e.path)
}

// latchOn delivers a gratuitous ARP to the hosts of the VIP's link.
func (w *World) latchOn(sender, vip uint8) {
	v := w.vips[vip]
	announcement := neighbourPacket(v.addr, v.addr)
	for i := range w.hosts {
		h := &w.hosts[i]
		if i < 2 || h.index == sender || (h.index < w.firstBack) != (v.link == onClients) {
			continue
		}
		if w.drops(v.link, sender, h.index, announcement) || h.dark {
			continue
		}
		c := crossing{1, [2]clock.Instant{w.now}}
		c.copies = w.impairs(&c, v.link, sender, h.index, headerBytes, &announcement)
		for _, at := range c.at[:c.copies] {
			if at == w.now {
				w.heed(h.index, sender, vip)
			} else {
				w.at(at, func() { w.heed(h.index, sender, vip) })
			}
		}
	}
}

// heed updates a host's neighbour entry from a gratuitous ARP. Only an existing entry or one being
// resolved changes, as in Linux (arp_accept=0).
func (w *World) heed(host, sender, vip uint8) {
	n := &w.hosts[host].arp[vip]
	switch {
	case w.hosts[host].deaf:
	case n.lb != nobody:
		w.setNeighbour(host, vip, sender)
	case n.asking:
		n.asking = false
		w.setNeighbour(host, vip, sender)
		w.sendWaiting(host, vip)
	}
}
