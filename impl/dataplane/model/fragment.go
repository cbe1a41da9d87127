package model

import (
	"encoding/binary"
	"maps"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// datagramKey identifies the fragments of a datagram (RFC 791 3.2, 8200 4.5).
type datagramKey struct {
	src, dst flow.Addr
	id       uint32
	proto    byte // IPv4 only
}

// datagram is a datagram whose first fragment was forwarded: how to translate the others,
// and which bytes have arrived.
type datagram struct {
	src, dst flow.Addr
	id       uint32 // id of the forwarded fragments
	dir      direction
	how      leaving // unless translated, dst is the backend
	expires  clock.Instant
	spans    [8]span // received bytes; adjacent fragments are merged
}

// span is the bytes from the first to before the last; empty if both are 0.
type span struct{ from, to int }

// datagramMax is the end of a last fragment's span: no byte may follow it.
const datagramMax = 65536

func (p *packet) datagramKey() datagramKey {
	f, ip := p.family(), p.ip()
	key := datagramKey{src: f.addr(ip, f.src), dst: f.addr(ip, f.dst)}
	if f == v6 {
		key.id = binary.BigEndian.Uint32(p.frame[p.fragmentAt+4:])
		return key
	}
	key.id, key.proto = uint32(be16(ip[4:])), ip[9]
	return key
}

// span returns the bytes of its datagram that a fragment has, and whether it is a valid
// fragment.
func (p *packet) span() (span, bool) {
	ip := p.ip()
	fragments, length := be16(ip[6:]), be16(ip[2:])-int(ip[0]&0xf)*4
	from, more := fragments&fragmentOffset*8, fragments&moreFragments != 0
	if p.family() == v6 {
		field := be16(p.frame[p.fragmentAt+2:])
		from, more = field&fragmentOffset6, field&moreFragments6 != 0
		length = ipv6Len + be16(ip[4:]) - (p.fragmentAt + fragmentHeaderLen - ethLen)
	}
	s := span{from: from, to: from + length}
	if length <= 0 || s.to > datagramMax-1 {
		return s, false
	}
	if !more {
		s.to = datagramMax
		return s, true
	}
	return s, length%8 == 0
}

// rename changes the id of a packet's datagram.
func (p *packet) rename(id uint32) {
	if p.family() == v6 {
		binary.BigEndian.PutUint32(p.frame[p.fragmentAt+4:], id)
		return
	}
	var c change
	c.replace(p.ip()[4:6], binary.BigEndian.AppendUint16(nil, uint16(id)))
	c.apply(p.frame[ipChecksum:])
}

// rememberDatagram stores how the datagram of a first fragment is translated. Datagrams of
// several senders that get the same source address must not share an id. It returns why the
// fragment is dropped.
func (d *Dataplane) rememberDatagram(p *packet, to flow.Tuple, dir direction, how leaving) dataplane.Drop {
	if !p.mayBeFragmented(to) {
		return dataplane.DropFragment
	}
	key := p.datagramKey()
	first, ok := p.span()
	old, known := d.fragments[key]
	switch {
	case known && d.now.Before(old.expires):
		return dataplane.DropFragmentOverlap
	case !ok || !known && len(d.fragments) >= dataplane.MaxFragmented:
		return dataplane.DropFragment
	}
	g := &datagram{src: to.Src, dst: to.Dst, id: key.id, dir: dir, how: how, expires: d.now.Add(dataplane.FragmentLife), spans: [8]span{first}}
	if to.Src != p.tuple.Src {
		g.id = d.newDatagramID(p.family())
	}
	d.fragments[key] = g
	p.rename(g.id)
	return noReason
}

// newDatagramID returns the next id; each family counts separately from the seed.
func (d *Dataplane) newDatagramID(f *family) uint32 {
	if f == v6 {
		d.fragmentIDs6++
		return uint32(d.cfg.DatagramSeed) + d.fragmentIDs6 - 1
	}
	d.fragmentIDs++
	return uint32(uint16(d.cfg.DatagramSeed) + d.fragmentIDs - 1)
}

// add adds a span to the received bytes.
func (g *datagram) add(s span) dataplane.Drop {
	var place *span
	for i := range g.spans {
		at := &g.spans[i]
		if at.from < s.to && s.from < at.to {
			return dataplane.DropFragmentOverlap
		}
		if place == nil && (at.to == s.from || at.from == s.to || at.to == 0) {
			place = at
		}
	}
	switch {
	case place == nil:
		return dataplane.DropFragment
	case place.to == 0:
		*place = s
	case place.to == s.from:
		place.to = s.to
	default:
		place.from = s.from
	}
	return noReason
}

// isWhole reports whether all bytes have arrived. No spans overlap.
func (g *datagram) isWhole() bool {
	bytes := 0
	for _, s := range g.spans {
		bytes += s.to - s.from
	}
	return bytes == datagramMax
}

func (d *Dataplane) findDatagram(p *packet, dir direction) *datagram {
	g := d.fragments[p.datagramKey()]
	if g == nil || g.dir != dir || !d.now.Before(g.expires) {
		return nil
	}
	return g
}

// laterFragment forwards a fragment other than the first.
func (d *Dataplane) laterFragment(p *packet, dir direction) Outcome {
	s, ok := p.span()
	if !ok {
		return d.drop(dataplane.DropMalformed)
	}
	g := d.findDatagram(p, dir)
	if g == nil {
		return d.drop(dataplane.DropFragment)
	}
	if reason := g.add(s); reason != noReason {
		return d.drop(reason)
	}
	if g.isWhole() { // room for another one
		delete(d.fragments, p.datagramKey())
	}
	if g.how == encapsulated && d.isTooBigInside(p, dataplane.Outer(g.dst)) {
		return d.drop(dataplane.DropTooBig)
	}
	d.counters.Fragments++
	if g.how != translated {
		return d.passDirect(p, g.dst, g.how)
	}
	p.readdress(g.src, g.dst)
	p.rename(g.id)
	return d.leave(p, g.dst, dir)
}

func (d *Dataplane) forgetDatagrams(now clock.Instant) {
	maps.DeleteFunc(d.fragments, func(_ datagramKey, g *datagram) bool { return !now.Before(g.expires) })
}
