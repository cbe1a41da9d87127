package sim

import (
	"baton/impl/driver"
	"baton/scenarios/lab"
)

// peerEntry is what a load balancer's kernel knows of the other's hardware address on the
// link of a heartbeat. It follows Linux's neighbour table: the address is asked for by ARP,
// learnt from an answer or from a request of the other, kept for as long as heartbeats use
// it (MSG_CONFIRM), and lost with the carrier or the power.
type peerEntry struct {
	known   bool
	asking  bool
	tries   uint8
	stamp   uint64   // of the requests that are under way
	waiting [][]byte // heartbeats to a neighbour that is not resolved
}

// peerARPSalt tells an ARP packet between load balancers apart from what else leaves a
// host at its instant.
const peerARPSalt = 0xa2b

// followPeers has the kernel resolve the peer on each path, as the daemon's follower of
// neighbours does, and tells the driver what is known already.
func (p *process) followPeers() {
	for path := range uint8(len(p.peers)) {
		p.driver.Resolved(int(path), p.peers[path].known)
		p.resolvePeer(path)
	}
}

// resolvePeer begins to ask for the peer's address, unless it is known or asked for.
func (p *process) resolvePeer(path uint8) {
	e := &p.peers[path]
	if e.known || e.asking {
		return
	}
	e.asking, e.tries, e.stamp = true, 0, p.w.serial()
	p.askPeer(path, e.stamp)
}

// askPeer sends a request each second for as long as a daemon wants the address. After
// some in vain the kernel drops what waits for the answer, and the follower begins anew.
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
		other.learnPeer(path) // who is asked learns who asks
		other.sendARP(path, func() { p.learnPeer(path) })
	})
	p.w.at(p.w.now.Add(arpRetry), func() { p.askPeer(path, stamp) })
}

// sendARP sends a request or an answer to the other load balancer, where arrives is called
// if its kernel gets it. No daemon is needed for that.
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

// learnPeer takes the peer's address over and sends what has waited for it.
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

// forgetPeer drops an entry, as Linux does with the carrier of its link.
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

// forgetPeers drops the entries on a link whose carrier a load balancer has lost. A cable
// takes that of the other end with it.
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

// bfdSalt tells a heartbeat apart from what else leaves a host at its instant.
const bfdSalt = 0xbfd
