// Package bfdio moves BFD packets over UDP as RFC 5881 and 5883 want it: TTL 255 out
// and the received TTL reported, a source port for each session, with the instant at
// which the kernel took each packet from the link. It does not look into packets, apart
// from a filter that the kernel applies; that is the sessions' matter. The loops of the
// daemon and of the speaker own its sockets and call Receive when their descriptors are
// readable, so that no other goroutine's schedule stands between the wire and a session.
//
// Echo packets, which a system sends to itself by way of its peer, take a packet socket
// instead: EchoLink. So do control packets to a peer whose hardware address is not known:
// Broadcaster.
package bfdio

import "baton/impl/bfd"

// Values of RFC 5881 sections 4 and 5 and RFC 5883 section 5.
const (
	Port         = bfd.ControlPort
	MultihopPort = bfd.MultihopPort
	EchoPort     = bfd.EchoPort
	SendTTL      = bfd.TransmitTTL
	firstPort    = bfd.FirstSourcePort
	lastPort     = bfd.LastSourcePort
)

// tosCS6 is the class selector of network control (RFC 4594 3.1); prioControl is
// the queueing priority that goes with it (TC_PRIO_CONTROL).
const (
	tosCS6      = 0xc0
	prioControl = 7
)
