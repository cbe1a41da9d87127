package sim

import (
	"context"
	"fmt"
	"slices"
	"time"

	"baton/impl/bfd"
	"baton/impl/clock"
	"baton/impl/flow"
	"baton/impl/node"
	"baton/impl/trace"
	"baton/scenarios/fault"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// flooding is a flood under way.
type flooding struct {
	w    *World
	kind string
	from uint8
	node uint8    // target of a BFD flood
	to   *service // target of the other kinds
	// victim is the source address that a RST flood spoofs: that of another client, if there is one.
	victim flow.Addr
	random *Random
	sent   int
}

// flood makes a client send packets at a rate for a duration.
func (w *World) flood(_ context.Context, f plan.Fault) error {
	began := w.beginFault(trace.Fault{Verb: f.Verb, Target: f.Target(), Hosts: f.Hosts})
	fl := &flooding{w: w, kind: f.Flood, from: w.hostIndex(f.Hosts[0]), node: w.hostIndex(f.To),
		random: NewRandom(w.cfg.Seed, fmt.Sprintf("%s/%d", f.Verb, began.ID))}
	if i := slices.IndexFunc(w.services, func(s service) bool { return s.Name == f.To }); i >= 0 {
		fl.to = &w.services[i]
	}
	fl.victim = w.hosts[fl.from].addrs[fl.family()]
	for _, h := range w.hosts[2:w.firstBack] {
		if h.index != fl.from {
			fl.victim = h.addrs[fl.family()]
			break
		}
	}
	fl.next(w.now, w.now.Add(f.Time), time.Duration(float64(time.Second)/f.Rate()))
	w.endFault(began, "the first packet has left", true)
	return nil
}

// family is the address family of the flood's target. Heartbeats use IPv4.
func (f *flooding) family() lab.Family {
	if f.to == nil {
		return lab.IPv4
	}
	return familyOf(f.to.id.VIP)
}

// next sends a packet and schedules the next one.
func (f *flooding) next(at, end clock.Instant, every time.Duration) {
	f.send()
	f.sent++
	if at = at.Add(every); at < end {
		f.w.at(at, func() { f.next(at, end, every) })
	}
}

func (f *flooding) send() {
	switch f.kind {
	case fault.FloodSYN:
		f.segment(f.unusedAddress(), syn)
	case fault.FloodRST:
		f.segment(f.victim, rst)
	case fault.FloodUDP:
		f.w.send(packet{tuple: f.tuple(f.unusedAddress()), link: onClients, from: f.from, origin: f.from, length: requestLen}, f.to.vip)
	case fault.FloodGARP:
		f.w.claimVIP(f.from, f.to.vip)
	case fault.FloodBFD:
		f.heartbeat()
	}
}

func (f *flooding) segment(source flow.Addr, flags uint8) {
	f.w.send(packet{tuple: f.tuple(source), flags: flags, link: onClients, from: f.from, origin: f.from,
		seq: uint32(f.random.Uint64())}, f.to.vip)
}

func (f *flooding) tuple(source flow.Addr) flow.Tuple {
	port := firstPort + f.random.Below(plan.ClientPorts-1)
	if f.kind == fault.FloodRST { // clients use ports in ascending order, so guess near the first
		port = firstPort + f.random.Below(guessed)
	}
	return flow.Tuple{Src: source, Dst: f.to.id.VIP, SrcPort: uint16(port), DstPort: f.to.Port, Proto: f.to.id.Proto}
}

// guessed is the number of ports from which a blind RST flood picks.
const guessed = 4096

// unusedAddress returns a random address that no host has.
func (f *flooding) unusedAddress() flow.Addr {
	return flow.AddrFrom(f.family().Stranger(f.random.Below(lab.Strangers)))
}

// heartbeat sends a forged BFD packet that claims to come from the node's peer.
func (f *flooding) heartbeat() {
	forged := bfd.Packet{State: bfd.AdminDown, DetectMult: 3, MyDiscr: uint32(f.random.Uint64()) | 1, YourDiscr: uint32(f.random.Uint64()) | 1}
	w, data := f.w, forged.AppendTo(nil)
	c := w.cross(onClients, f.from, f.node, uint64(f.sent)<<8|bfdSalt, headerBytes+len(data), heartbeat)
	for _, at := range c.at[:c.copies] {
		w.at(at, func() {
			if p := w.processes[f.node]; p.powered && p.core != nil && !w.drops(onClients, f.from, f.node, heartbeat) {
				p.input(p.life, node.Packet{Path: clientPath, Data: data, TTL: 255})
			}
		})
	}
}

// clientPath is the index of the path of the clients' link.
var clientPath = slices.Index(pathLinks[:], onClients)

// claimVIP announces a VIP from a host outside the pair. The forwarding node detects the conflict
// and announces an IPv4 VIP again, at most once a second (RFC 5227 2.4). It does not detect
// foreign neighbour advertisements for an IPv6 VIP.
func (w *World) claimVIP(host, vip uint8) {
	v := w.vips[vip]
	w.at(w.now.Add(delayMin), func() {
		w.capture.announced(w, host, v)
		w.latchOn(host, vip)
		if familyOf(v.addr) == lab.IPv6 {
			return
		}
		for _, p := range w.processes {
			if w.drops(v.link, host, p.index, neighbourPacket(v.addr, v.addr)) || !p.answers(v.link, host, v.addr) || w.now < p.defended {
				continue
			}
			p.defended = w.now.Add(defendEvery)
			w.announceOne(p.index, vip)
		}
	})
}

// defendEvery is the minimum interval between defences of a VIP, as in impl/daemon/arpwatch.
const defendEvery = time.Second

// setDeaf returns the verb that makes hosts ignore gratuitous ARP, or heed it again.
func setDeaf(deaf bool) func(*World, context.Context, plan.Fault) error {
	return func(w *World, _ context.Context, f plan.Fault) error {
		for _, name := range f.Hosts {
			h := &w.hosts[w.hostIndex(name)]
			w.instantFault(f.Verb, name, func() (string, bool) {
				was := h.deaf
				h.deaf = deaf
				return fmt.Sprintf("ignores gratuitous ARP: %v", deaf), was != deaf
			})
		}
		return nil
	}
}
