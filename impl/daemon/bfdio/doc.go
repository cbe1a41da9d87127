// Package bfdio sends and receives BFD packets over UDP as RFC 5881 and 5883 require: sent
// with TTL 255, received with the TTL reported, one source port per session, and with the
// kernel's receive timestamp. It does not parse packets, except in a kernel filter;
// sessions do. The loops of the daemon and the speaker own its sockets and call Receive
// when a descriptor is readable, so that no other goroutine delays a packet.
//
// Echo packets, which a system sends to itself through its peer, use a packet socket
// instead: EchoLink. So do control packets to a peer whose hardware address is unknown:
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

// tosCS6 is the class selector of network control (RFC 4594 3.1); prioControl is the
// matching queueing priority (TC_PRIO_CONTROL).
const (
	tosCS6      = 0xc0
	prioControl = 7
)
