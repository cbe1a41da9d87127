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

// lane is one sender's direction of a link. It models the switch and both hosts' network stacks;
// on an impaired link the model of package scenarios/link comes on top. Without impairment the
// delay varies within the jitter, slowly enough that packets stay in order. Delay, loss and
// duplication depend only on the lane's seed, the instant of departure and the packet, not on
// the order of calls.
type lane struct {
	seed      uint64
	delay     time.Duration
	jitter    time.Duration
	loss      uint64 // of 2^32 packets
	duplicate uint64 // likewise

	since     clock.Instant // start of the stretch for which low and high are cached
	low, high int64         // jitter at its start and end; 0 if nothing is cached

	impaired *link.Model
}

// impair sets the lane's impairment. Independent loss and duplication are handled by fate; only
// other impairments need a stateful model.
func (l *lane) impair(p link.Params) (err error) {
	if p == (link.Params{Loss: p.Loss, Duplicate: p.Duplicate}) {
		l.loss, l.duplicate = uint64(p.Loss*(1<<32)), uint64(p.Duplicate*(1<<32))
		return nil
	}
	l.impaired, err = link.New(p, mix(l.seed^impairedSalt))
	return err
}

// impairedSalt separates the impairment's random draws from the lane's own.
const impairedSalt = 0x696d706169726564

// stretch is the time over which a lane's delay moves from one drawn value to the
// next. It is longer than any jitter, which keeps packets in order.
const stretch = clock.Instant(20 * time.Millisecond)

// maxJitter keeps packets in order: over one stretch the delay changes by less.
const maxJitter = time.Duration(stretch) / 2

// arrival returns when a packet that leaves at an instant arrives.
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

// wander returns the jitter at the start of a stretch; never zero.
func (l *lane) wander(knot clock.Instant) int64 {
	return 1 + int64(mix(l.seed^uint64(knot))>>11)%(int64(l.jitter)+1)
}

// fate says whether a packet on a lane arrives, is lost or is duplicated.
type fate uint8

const (
	arrives fate = iota
	isLost
	isDoubled
)

// fate decides the fate of a packet that leaves at an instant. salt distinguishes packets of the
// same instant.
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

// crossing is the result of sending a packet: the number of copies and their arrival times.
type crossing struct {
	copies int
	at     [2]clock.Instant
}

// cross sends a packet of size bytes over the lane.
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
		if !d.Corrupt && c.copies < len(c.at) { // a corrupt packet fails its checksum
			c.at[c.copies] = d.At.Add(l.delay)
			c.copies++
		}
	}
	return c
}

// rule is a link fault on packets from one host to another: it drops or impairs them.
type rule struct {
	link, from, to uint8
	only           string // name of the packet filter, "" for all packets
	match          lab.Match
	share          float64     // share of packets that are dropped at random; 0 drops all (a cut)
	random         *Random     // draws for share
	verb           string      // the fault that imposed it
	model          *link.Model // impairment in addition to the lane's; nil for a rule that drops
	told           bool        // the sender has learned the path MTU
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

// clear reports whether both hosts have a carrier on the link and no rule concerns them.
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

// cross sends a packet over the sender's lane and through the rules that impair its direction.
func (w *World) cross(on, from, to uint8, salt uint64, size int, p lab.Packet) crossing {
	c := w.lanes[on][from].cross(w.now, salt, size)
	if w.isCut[on] {
		c.copies = w.impairs(&c, on, from, to, size, &p)
	}
	return c
}

// exceedsMTU reports whether a packet of size bytes exceeds the MTU of a direction.
func (w *World) exceedsMTU(on, from, to uint8, size int, p lab.Packet) bool {
	for i := range w.cuts {
		if r := &w.cuts[i]; r.model != nil && r.concerns(on, from, to, &p) && r.tooLong(size) {
			return true
		}
	}
	return false
}

// linkMTU is the MTU of every interface. TCP sends a frame of the sync stream that is longer in segments
// of that length.
const linkMTU = 1500

// tooLong reports whether a packet exceeds the rule's MTU. If the rule sends the ICMP error, only
// the first packet is lost: the sender sends shorter ones from then on.
func (r *rule) tooLong(size int) bool {
	if r.told || !r.model.TooLong(min(size-etherLen, linkMTU)) {
		return false
	}
	r.told = r.model.Params().Tell
	return true
}

// tunnelTooLong reports whether an encapsulated packet exceeds the MTU of its direction. The ICMP
// error goes to the node, which drops it, so the client keeps sending packets that are too long.
func (w *World) tunnelTooLong(p *packet, seen *lab.Packet) bool {
	for i := range w.cuts {
		if r := &w.cuts[i]; r.model != nil && r.concerns(p.link, p.from, p.to, seen) && r.model.TooLong(p.size()-etherLen) {
			return true
		}
	}
	return false
}

// impairs passes the copies of a packet through the models of its direction and returns how many
// copies arrive.
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
			if !d.Corrupt && out.copies < len(out.at) { // a corrupt packet fails its checksum
				out.at[out.copies] = d.At
				out.copies++
			}
		}
	}
	c.at = out.at
	return out.copies
}

// headerBytes is the length of an IPv4 TCP packet's headers.
const headerBytes = etherLen + ipLen + tcpLen

// transmit puts a packet on a link, from p.from to p.to.
func (w *World) transmit(p packet) {
	var seen lab.Packet
	if w.isCut[p.link] { // no rule looks at it otherwise
		seen = p.seen()
		if p.outer > 0 && w.tunnelTooLong(&p, &seen) {
			return
		}
	}
	c := w.cross(p.link, p.from, p.to, p.salt(), p.size(), seen)
	for _, at := range c.at[:c.copies] {
		w.queue.push(at, evPacket).packet = p
	}
}
