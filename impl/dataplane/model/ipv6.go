package model

import (
	"encoding/binary"

	"baton/impl/dataplane"
	"baton/impl/flow"
)

// Header lengths, and the protocol numbers of extension headers (RFC 8200 4).
const (
	ipv6Len           = 40
	extensionUnit     = 8
	extensionsMax     = 64 // bytes of all extension headers
	fragmentHeaderLen = 8

	hopByHop           = 0
	routing            = 43
	fragmentHeader     = 44
	destinationOptions = 60

	moreFragments6  = 1
	fragmentOffset6 = 0xfff8
)

// icmpv6 is ICMPv6's protocol number (RFC 4443).
const icmpv6 flow.Proto = 58

// ICMPv6 message types. All types from unreachable6 to parameterProblem6 are errors.
const (
	unreachable6      = 1
	portUnreachable6  = 4 // a code of unreachable6
	tooBig6           = 2
	timeExceeded6     = 3
	parameterProblem6 = 4
	echoRequest6      = 128
	echoReply6        = 129
)

// chain is the result of walking the headers after an IPv6 header.
type chain struct {
	next        byte // protocol at offset at
	at          int
	fragmentAt  int
	later, more bool // a fragment other than the first; one with successors
}

func isExtension(next byte) bool {
	return next == hopByHop || next == routing || next == fragmentHeader || next == destinationOptions
}

// pass skips the extension headers. Their options are for the receiver.
func (c *chain) pass(frame []byte) dataplane.Drop {
	for start, first := c.at, true; isExtension(c.next) && !c.later; first = false {
		if c.at-start >= extensionsMax || len(frame) < c.at+extensionUnit {
			return dataplane.DropMalformed
		}
		ext := frame[c.at:]
		length := (int(ext[1]) + 1) * extensionUnit
		switch {
		case c.next == hopByHop && !first, c.next == fragmentHeader && c.fragmentAt != 0:
			return dataplane.DropMalformed
		case c.next == routing && ext[3] != 0: // RFC 5095: a source route
			return dataplane.DropSourceRoute
		case c.next == fragmentHeader:
			length, c.fragmentAt = fragmentHeaderLen, c.at
			c.later, c.more = be16(ext[2:])&fragmentOffset6 != 0, be16(ext[2:])&moreFragments6 != 0
		}
		c.next = ext[0]
		if c.at += length; c.at-start > extensionsMax {
			return dataplane.DropMalformed
		}
	}
	return noReason
}

// parseTransport6 parses the rest of the tuple.
func (p *packet) parseTransport6(dropEcho bool) dataplane.Drop {
	ip := p.ip()
	end := ethLen + ipv6Len + be16(ip[4:])
	if end > len(p.frame) {
		return dataplane.DropMalformed
	}
	c := chain{next: ip[6], at: ethLen + ipv6Len}
	if reason := c.pass(p.frame); reason != noReason {
		return reason
	}
	p.l4, p.fragmentAt = c.at, c.fragmentAt
	proto := flow.Proto(c.next)
	switch {
	case c.at > end:
		return dataplane.DropMalformed
	case c.later:
		p.kind = fragment
		return noReason
	case proto == icmpv6 && c.more:
		return dataplane.DropFragment
	case proto == icmpv6:
		return p.parseICMP6(p.frame[c.at:end], dropEcho)
	case !proto.Balanced():
		return dataplane.DropOtherProto
	}
	p.more = c.more
	return p.parseSegment(proto, p.frame[c.at:end])
}

func (p *packet) parseICMP6(message []byte, dropEcho bool) dataplane.Drop {
	switch {
	case len(message) < icmpLen:
		return dataplane.DropMalformed
	case message[0] == echoRequest6:
		p.kind = icmpEcho
		if dropEcho {
			return dataplane.DropICMP
		}
		return noReason
	case message[0] < unreachable6 || message[0] > parameterProblem6:
		return dataplane.DropICMP
	}
	p.kind = icmpError
	return p.parseError6(p.frame[:p.l4+len(message)])
}

// parseError6 parses the packet that an error quotes. The error goes to that packet's
// sender.
func (p *packet) parseError6(frame []byte) dataplane.Drop {
	at := p.l4 + icmpLen
	if len(p.frame) < at+ipv6Len || p.frame[at]>>4 != 6 {
		return dataplane.DropMalformed
	}
	inner := p.frame[at:]
	c := chain{next: inner[6], at: at + ipv6Len}
	if c.pass(p.frame) != noReason || len(frame) < c.at+udpQuoted {
		return dataplane.DropMalformed
	}
	proto := flow.Proto(c.next)
	if v6.addr(inner, v6.src) != p.tuple.Dst || c.later || !proto.Balanced() {
		return dataplane.DropICMP
	}
	p.tuple.Src, p.tuple.Proto = v6.addr(inner, v6.dst), proto
	return p.quoted(c.at)
}

// header returns the IP header of an ICMP message.
func (f *family) header(proto flow.Proto, src, dst flow.Addr, length int) []byte {
	ip := make([]byte, f.minLen)
	if f == v6 {
		ip[0], ip[6], ip[7] = 0x60, byte(proto), defaultTTL
		binary.BigEndian.PutUint16(ip[4:], uint16(length))
	} else {
		copy(ip, []byte{0x45, 0, 0, 0, 0, 0, 0, 0, defaultTTL, byte(proto)})
		binary.BigEndian.PutUint16(ip[2:], uint16(ipMinLen+length))
	}
	copy(ip[f.src:], src.Bytes())
	copy(ip[f.dst:], dst.Bytes())
	if f == v4 {
		binary.BigEndian.PutUint16(ip[10:], ^sum(ip))
	}
	return ip
}

// pseudo returns the pseudo header of a checksum (RFC 9293 3.1, RFC 8200 8.1). ICMP for
// IPv4 has none.
func (f *family) pseudo(proto flow.Proto, src, dst flow.Addr, length int) []byte {
	switch {
	case proto == icmp:
		return nil
	case f == v4:
		b := append(src.Bytes(), dst.Bytes()...)
		return append(b, 0, byte(proto), byte(length>>8), byte(length))
	}
	b := append(append([]byte{}, src[:]...), dst[:]...)
	return append(b, 0, 0, byte(length>>8), byte(length), 0, 0, 0, byte(proto))
}
