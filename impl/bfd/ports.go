package bfd

// UDP ports (RFC 5881 section 4, RFC 5883 section 5).
const (
	ControlPort  = 3784 // destination of single-hop control packets
	EchoPort     = 3785 // destination of echo packets, unaffiliated ones too
	MultihopPort = 4784 // destination of multihop control packets

	// The source port of a session's control packets is in this range, never changes
	// during the session, and should be unique to it.
	FirstSourcePort = 49152
	LastSourcePort  = 65535

	// TransmitTTL is the TTL or hop limit of all transmitted packets (RFC 5881 section 5).
	TransmitTTL = maxTTL
)
