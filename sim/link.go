package sim

import (
	"slices"
	"time"

	"baton/impl/clock"
	"baton/scenarios/lab"
	"baton/scenarios/link"
)

// Links of a pair, as indexes.
const (
	onClients = iota
	onBackends
	onSync
	linkCount
)

var linkNames = [linkCount]string{lab.Clients, lab.Backends, lab.Sync}

func linkIndex(name string) uint8 { return uint8(slices.Index(linkNames[:], name)) }

// lane is one sender's direction of a link: what a switch and two hosts' network
// stacks do to a packet, and where the link is impaired, what the shared model of
// package scenarios/link does on top of it. Without impairment the delay wanders around within its
// jitter, slowly enough that no packet overtakes one that was sent before it. All
// that it decides is a function of its seed and the instant of departure, and so
// does not depend on the order in which it is asked.
type lane struct {
	seed      uint64
	delay     time.Duration
	jitter    time.Duration
	loss      uint64 // of 2^32 packets
	duplicate uint64 // likewise

	since     clock.Instant // the beginning of the stretch for which low and high are known
	low, high int64         // jitter at its ends; 0 before any is known

	impaired *link.Model
}

// impair gives the lane the properties of an impaired link. Packets that are lost or
// doubled each for itself need no model that remembers the ones before.
func (l *lane) impair(p link.Params) (err error) {
	if p == (link.Params{Loss: p.Loss, Duplicate: p.Duplicate}) {
		l.loss, l.duplicate = uint64(p.Loss*(1<<32)), uint64(p.Duplicate*(1<<32))
		return nil
	}
	l.impaired, err = link.New(p, mix(l.seed^impairedSalt))
	return err
}

// impairedSalt makes the impairment's draws others than the lane's own.
const impairedSalt = 0x696d706169726564

// stretch is the time over which a lane's delay moves from one drawn value to the
// next. It is longer than any jitter, which keeps packets in order.
const stretch = clock.Instant(20 * time.Millisecond)

// maxJitter keeps packets in order: over one stretch the delay changes by less.
const maxJitter = time.Duration(stretch) / 2

// arrival is when a packet that leaves at an instant arrives.
func (l *lane) arrival(at clock.Instant) clock.Instant {
	within := at - l.since
	if within < 0 || within >= stretch || l.high == 0 {
		knot := at / stretch
		l.low, l.high = l.wander(knot), l.wander(knot+1)
		l.since = knot * stretch
		within = at - l.since
	}
	return at + clock.Instant(l.delay) + clock.Instant(l.low+(l.high-l.low)*int64(within)/int64(stretch))
}

// wander is the jitter at the beginning of a stretch; never zero.
func (l *lane) wander(knot clock.Instant) int64 {
	return 1 + int64(mix(l.seed^uint64(knot))>>11)%(int64(l.jitter)+1)
}

// fate is what becomes of a packet on a lane.
type fate uint8

const (
	arrives fate = iota
	isLost
	isDoubled
)

// fate decides what becomes of a packet that leaves at an instant. salt tells
// packets of one instant apart.
func (l *lane) fate(at clock.Instant, salt uint64) fate {
	if l.loss|l.duplicate == 0 {
		return arrives
	}
	switch draw := mix(l.seed^mix(uint64(at)^salt<<40)) >> 32; {
	case draw < l.loss:
		return isLost
	case draw < l.loss+l.duplicate:
		return isDoubled
	}
	return arrives
}

// crossing is what becomes of a packet: how often it arrives, and when.
type crossing struct {
	copies int
	at     [2]clock.Instant
}

// cross sends a packet of some bytes over the lane.
func (l *lane) cross(now clock.Instant, salt uint64, size int) crossing {
	var c crossing
	if l.impaired == nil {
		switch l.fate(now, salt) {
		case isLost:
		case isDoubled:
			c = crossing{2, [2]clock.Instant{l.arrival(now), l.arrival(now) + 1}}
		default:
			c = crossing{1, [2]clock.Instant{l.arrival(now)}}
		}
		return c
	}
	for _, d := range l.impaired.Fate(now, size) {
		if !d.Corrupt && c.copies < len(c.at) { // a checksum refuses what is damaged
			c.at[c.copies] = d.At.Add(l.delay)
			c.copies++
		}
	}
	return c
}

// rule is what is done to what one host sends to another on one link.
type rule struct {
	link, from, to uint8
	only           string // the kind of packets that it concerns, "" for all
	match          lab.Match
	share          float64     // of the packets, at random; 0: all of them, by a cut
	random         *Random     // of a share
	verb           string      // what imposed it
	model          *link.Model // that packets cross besides their lane; nil for a rule that drops
	told           bool        // the sender knows the MTU
	dropped        int
}

func (r *rule) concerns(link, from, to uint8, p *lab.Packet) bool {
	return r.link == link && r.from == from && r.to == to && r.match.Has(*p)
}

// drops reports whether a cut or a loss drops a frame that arrives now, and counts it.
func (w *World) drops(link, from, to uint8, p lab.Packet) bool {
	if !w.isCut[link] {
		return false
	}
	if !w.carries(link, from) || !w.carries(link, to) {
		return true
	}
	for i := range w.cuts {
		if r := &w.cuts[i]; r.model == nil && r.concerns(link, from, to, &p) && (r.share == 0 || r.random.Chance(r.share)) {
			r.dropped++
			return true
		}
	}
	return false
}

// clear reports whether no rule stands between two hosts of a link, and both have a carrier.
func (w *World) clear(link, a, b uint8) bool {
	if !w.isCut[link] {
		return true
	}
	if !w.carries(link, a) || !w.carries(link, b) {
		return false
	}
	for i := range w.cuts {
		if r := &w.cuts[i]; r.link == link && (r.from == a && r.to == b || r.from == b && r.to == a) {
			return false
		}
	}
	return true
}

// cross sends a packet over a sender's lane, and over what impairs its way to a receiver.
func (w *World) cross(on, from, to uint8, salt uint64, size int, p lab.Packet) crossing {
	c := w.lanes[on][from].cross(w.now, salt, size)
	if w.isCut[on] {
		c.copies = w.impairs(&c, on, from, to, size, &p)
	}
	return c
}

// refuses reports whether a packet of some bytes is longer than a direction's MTU.
func (w *World) refuses(on, from, to uint8, size int, p lab.Packet) bool {
	for i := range w.cuts {
		if r := &w.cuts[i]; r.model != nil && r.concerns(on, from, to, &p) && r.tooLong(size) {
			return true
		}
	}
	return false
}

// tooLong reports whether a packet of some bytes does not pass. A sender that is told
// sends shorter ones from then on.
func (r *rule) tooLong(size int) bool {
	if r.told || !r.model.TooLong(size-etherLen) {
		return false
	}
	r.told = r.model.Params().Tell
	return true
}

// swallows reports whether a packet inside another is longer than its direction's MTU. The error is
// addressed to the node, which drops it: the sender goes on with packets that are too long.
func (w *World) swallows(p *packet, seen *lab.Packet) bool {
	for i := range w.cuts {
		if r := &w.cuts[i]; r.model != nil && r.concerns(p.link, p.from, p.to, seen) && r.model.TooLong(p.size()-etherLen) {
			return true
		}
	}
	return false
}

// impairs leads the copies of a packet through the models of its direction.
func (w *World) impairs(c *crossing, on, from, to uint8, size int, p *lab.Packet) int {
	var chain link.Chain
	for i := range w.cuts {
		r := &w.cuts[i]
		if r.model == nil || !r.concerns(on, from, to, p) {
			continue
		}
		if r.tooLong(size) {
			return 0
		}
		chain = append(chain, r.model)
	}
	if len(chain) == 0 {
		return c.copies
	}
	var out crossing
	for _, at := range c.at[:c.copies] {
		for _, d := range chain.Fate(at, size) {
			if !d.Corrupt && out.copies < len(out.at) { // a checksum refuses what is damaged
				out.at[out.copies] = d.At
				out.copies++
			}
		}
	}
	c.at = out.at
	return out.copies
}

// headerBytes is what an IPv4 packet has besides its payload.
const headerBytes = etherLen + ipLen + tcpLen

// transmit puts a packet on a link, from p.from to p.to.
func (w *World) transmit(p packet) {
	var seen lab.Packet
	if w.isCut[p.link] { // else nobody looks at it
		seen = p.seen()
		if p.outer > 0 && w.swallows(&p, &seen) {
			return
		}
	}
	c := w.cross(p.link, p.from, p.to, p.salt(), p.size(), seen)
	for _, at := range c.at[:c.copies] {
		w.queue.push(at, evPacket).packet = p
	}
}
