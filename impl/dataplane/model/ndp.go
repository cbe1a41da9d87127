package model

import (
	"bytes"
	"encoding/binary"

	"baton/impl/dataplane"
	"baton/impl/flow"
)

// Neighbour discovery (RFC 4861).
const (
	neighbourSolicitation  = 135
	neighbourAdvertisement = 136

	ndpHopLimit      = 255
	solicitationLen  = 24
	solicitationMax  = 64 // options included
	advertisementLen = 32

	flagRouter    = 0x80
	flagSolicited = 0x40
	flagOverride  = 0x20

	optionTargetAddress = 2
)

// allNodes is the destination of an answer to a host without an address.
var (
	allNodes    = flow.Addr{0: 0xff, 1: 2, 15: 1}
	allNodesMAC = MAC{0x33, 0x33, 0, 0, 0, 1}
)

// solicitedNode begins the addresses of the groups that are solicited (RFC 4291 2.7.1).
var solicitedNode = []byte{0: 0xff, 1: 2, 11: 1, 12: 0xff}

func isSolicitation(frame []byte) bool {
	ip := frame[ethLen:]
	return len(ip) > ipv6Len && ip[6] == byte(icmpv6) && ip[ipv6Len] == neighbourSolicitation
}

// isValidSolicitation makes the receiver's checks (7.1.1), except for the options, which
// are not parsed.
func isValidSolicitation(ip []byte) bool {
	length := be16(ip[4:])
	if ip[7] != ndpHopLimit || length < solicitationLen || length > solicitationMax || len(ip) < ipv6Len+length {
		return false
	}
	if v6.addr(ip, v6.src) == (flow.Addr{}) && !bytes.HasPrefix(ip[v6.dst:], solicitedNode) {
		return false
	}
	message := ip[ipv6Len : ipv6Len+length]
	return message[1] == 0 && sum(append(v6.pseudo(icmpv6, v6.addr(ip, v6.src), v6.addr(ip, v6.dst), length), message...)) == 0xffff
}

// solicitation answers for the VIPs of a link while the lease is valid. A solicitation
// without a source address asks whether the VIP is free: the answer goes to all nodes (RFC
// 4862 5.4).
func (d *Dataplane) solicitation(l link, frame []byte) Outcome {
	ip := frame[ethLen:]
	if len(ip) < ipv6Len+solicitationLen {
		return pass
	}
	vip := flow.Addr(ip[ipv6Len+8:])
	if d.roles[vip]&l.answers == 0 || !isValidSolicitation(ip) {
		return pass
	}
	if !d.leaseHolds() {
		return d.drop(dataplane.DropNoLease)
	}
	asked, to, toMAC := v6.addr(ip, v6.src), v6.addr(ip, v6.src), MAC(frame[6:12])
	flags := byte(flagRouter | flagOverride | flagSolicited)
	if asked == (flow.Addr{}) {
		to, toMAC, flags = allNodes, allNodesMAC, flagRouter|flagOverride
	}
	message := make([]byte, advertisementLen)
	message[0], message[4] = neighbourAdvertisement, flags
	copy(message[8:], vip[:])
	message[24], message[25] = optionTargetAddress, 1
	copy(message[26:], l.mac[:])
	binary.BigEndian.PutUint16(message[2:], ^sum(append(v6.pseudo(icmpv6, vip, to, advertisementLen), message...)))

	out := make([]byte, ethLen, ethLen+ipv6Len+advertisementLen)
	copy(out, toMAC[:])
	copy(out[6:], l.mac[:])
	binary.BigEndian.PutUint16(out[12:], etherTypeIPv6)
	out = append(out, v6.header(icmpv6, vip, to, advertisementLen)...)
	out[ethLen+v6.ttl] = ndpHopLimit
	d.counters.ARPReplies++
	return Outcome{Verdict: Forward, Link: l.name, Frame: append(out, message...)}
}
