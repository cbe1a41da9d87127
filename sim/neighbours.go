package sim

import (
	"baton/impl/driver"
	"baton/scenarios/lab"
)

// peerEntry is a load balancer's neighbour entry for its peer on a heartbeat's link. It follows
// Linux's neighbour table: the kernel asks by ARP, learns from an answer or from the peer's own
// request, keeps the entry while heartbeats confirm it (MSG_CONFIRM), and loses it with the
// carrier or the power.
type peerEntry struct {
	known   bool
	asking  bool
	tries   uint8
	stamp   uint64   // of the round of requests under way
	waiting [][]byte // heartbeats queued until the entry is resolved
}

// peerARPSalt distinguishes an ARP packet between load balancers from other packets that leave a
// host at the same instant.
const peerARPSalt = 0xa2b

// followPeers resolves the peer on each path, as the daemon does, and tells the driver which paths
// are already resolved.
func (p *process) followPeers() {
	for path := range uint8(len(p.peers)) {
		p.driver.Resolved(int(path), p.peers[path].known)
		p.resolvePeer(path)
	}
}

// resolvePeer starts ARP requests for the peer unless it is resolved or requests are under way.
func (p *process) resolvePeer(path uint8) {
	e := &p.peers[path]
	if e.known || e.asking {
		return
	}
	e.asking, e.tries, e.stamp = true, 0, p.w.serial()
	p.askPeer(path, e.stamp)
}

// askPeer sends a request each second while a daemon runs. After arpTries requests without an
// answer the kernel drops the queued heartbeats, and the daemon starts a new round.
func (p *process) askPeer(path uint8, stamp uint64) {
	e := &p.peers[path]
	if !e.asking || e.stamp != stamp {
		return
	}
	if p.life == 0 {
		e.asking, e.waiting = false, nil
		return
	}
	if e.tries++; e.tries > arpTries {
		e.tries, e.waiting = 1, nil
	}
	other := p.w.processes[1-p.index]
	p.sendARP(path, func() {
		other.learnPeer(path) // a request also teaches the peer our address
		other.sendARP(path, func() { p.learnPeer(path) })
	})
	p.w.at(p.w.now.Add(arpRetry), func() { p.askPeer(path, stamp) })
}

// sendARP sends a request or an answer to the other load balancer and calls arrives when its
// kernel gets it. The kernel does so without a daemon.
func (p *process) sendARP(path uint8, arrives func()) {
	w, link, other := p.w, pathLinks[path], p.w.processes[1-p.index]
	frame := neighbourPacket(p.addressOn(link, lab.IPv4), other.addressOn(link, lab.IPv4))
	c := w.cross(link, p.index, other.index, uint64(path)<<8|peerARPSalt, headerBytes, frame)
	for _, at := range c.at[:c.copies] {
		w.at(at, func() {
			if p.powered && other.powered && !w.drops(link, p.index, other.index, frame) {
				arrives()
			}
		})
	}
}

// learnPeer resolves the entry and sends the queued heartbeats.
func (p *process) learnPeer(path uint8) {
	e := &p.peers[path]
	if e.known {
		return
	}
	waiting := e.waiting
	*e = peerEntry{known: true}
	for _, packet := range waiting {
		p.transmitBFD(path, packet)
	}
	p.tellPeer(path)
}

// forgetPeer drops an entry, as Linux does when the link loses its carrier.
func (p *process) forgetPeer(path uint8) {
	p.peers[path] = peerEntry{}
	p.tellPeer(path)
	if p.life != 0 {
		p.resolvePeer(path)
	}
}

func (p *process) tellPeer(path uint8) {
	if p.driver != nil {
		p.driver.Resolved(int(path), p.peers[path].known)
	}
}

// forgetPeers drops a load balancer's entries on a link that has lost its carrier. On the sync
// cable both ends lose the carrier.
func (w *World) forgetPeers(link, host uint8) {
	for path, on := range pathLinks {
		if on != link {
			continue
		}
		w.processes[host].forgetPeer(uint8(path))
		if link == onSync {
			w.processes[1-host].forgetPeer(uint8(path))
		}
	}
}

// SendBFD implements driver.Heartbeat.
func (p *ports) SendBFD(path int, to driver.Cast, packet []byte) error {
	own, on := (*process)(p), uint8(path)
	if e := &p.peers[on]; to == driver.Unicast && !e.known {
		if len(e.waiting) < arpQueue {
			e.waiting = append(e.waiting, append([]byte(nil), packet...))
		}
		own.resolvePeer(on)
		return nil
	}
	own.transmitBFD(on, packet)
	return nil
}

// transmitBFD puts a heartbeat on the link of its path.
func (p *process) transmitBFD(path uint8, packet []byte) {
	link := pathLinks[path]
	c := p.w.cross(link, p.index, 1-p.index, uint64(path)<<8|bfdSalt, headerBytes+len(packet), heartbeat)
	if c.copies > 0 {
		packet = append([]byte(nil), packet...)
	}
	for _, at := range c.at[:c.copies] {
		event := p.w.queue.push(at, evBFD)
		event.who, event.path, event.data = 1-p.index, path, packet
	}
}

// bfdSalt distinguishes a heartbeat from other packets that leave a host at the same instant.
const bfdSalt = 0xbfd
