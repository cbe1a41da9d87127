package model

import (
	"encoding/binary"
	"maps"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// datagramKey is what the fragments of a datagram have in common (RFC 791 3.2).
type datagramKey struct {
	src, dst flow.Addr
	id       uint16
	proto    byte
}

// datagram is one of which the first fragment has gone by: how the others are translated,
// and what of it has come.
type datagram struct {
	src, dst flow.Addr
	id       uint16 // under which they leave
	dir      direction
	expires  clock.Instant
	spans    [8]span // each of one fragment or of several that met
}

// span is the bytes from the first to before the last; none if both are 0.
type span struct{ from, to int }

// datagramMax is where a last fragment's span ends: nothing comes behind it.
const datagramMax = 65536

func (p *packet) datagramKey() datagramKey {
	ip := p.ip()
	return datagramKey{ipv4At(ip[12:]), ipv4At(ip[16:]), uint16(be16(ip[4:])), ip[9]}
}

// span returns the bytes of its datagram that a packet holds, and whether a router could
// have made such a fragment.
func (p *packet) span() (span, bool) {
	ip := p.ip()
	fragments, length := be16(ip[6:]), be16(ip[2:])-int(ip[0]&0xf)*4
	s := span{from: fragments & fragmentOffset * 8}
	s.to = s.from + length
	if length == 0 || s.to > datagramMax-1 {
		return s, false
	}
	if fragments&moreFragments == 0 {
		s.to = datagramMax
		return s, true
	}
	return s, length%8 == 0
}

// rename gives a packet's datagram another id.
func (p *packet) rename(id uint16) {
	var c change
	c.replace(p.ip()[4:6], binary.BigEndian.AppendUint16(nil, id))
	c.apply(p.frame[ipChecksum:])
}

// rememberDatagram remembers how the datagram of a first fragment is translated. Datagrams
// of several senders that leave under one address must not share an id.
func (d *Dataplane) rememberDatagram(p *packet, to flow.Tuple, dir direction) bool {
	key := p.datagramKey()
	first, ok := p.span()
	if _, known := d.fragments[key]; !ok || !known && len(d.fragments) >= dataplane.MaxFragmented {
		return false
	}
	g := &datagram{src: to.Src, dst: to.Dst, id: key.id, dir: dir, expires: d.now.Add(dataplane.FragmentLife), spans: [8]span{first}}
	if to.Src != p.tuple.Src {
		g.id = uint16(d.cfg.SNATSeed) + d.fragmentIDs
		d.fragmentIDs++
	}
	d.fragments[key] = g
	p.rename(g.id)
	return true
}

// add adds a span to those that have come.
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

func (d *Dataplane) findDatagram(p *packet, dir direction) *datagram {
	g := d.fragments[p.datagramKey()]
	if g == nil || g.dir != dir || !d.now.Before(g.expires) {
		return nil
	}
	return g
}

// laterFragment takes one other than the first.
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
	ip := p.ip()
	var header change
	header.replace(ip[12:16], g.src.Bytes())
	header.replace(ip[16:20], g.dst.Bytes())
	header.hop(ip)
	header.apply(p.frame[ipChecksum:])
	p.rename(g.id)
	d.counters.Fragments++
	return d.leave(p, dir)
}

func (d *Dataplane) forgetDatagrams(now clock.Instant) {
	maps.DeleteFunc(d.fragments, func(_ datagramKey, g *datagram) bool { return !now.Before(g.expires) })
}
