package dataplane

// Drop is the reason of a dropped packet.
type Drop uint8

const (
	DropNoLease         Drop = iota // to a VIP without a valid lease
	DropMiss                        // mid-flow segment without an entry
	DropNoService                   // to a VIP, but not to a service
	DropNoBackend                   // the service has no backends
	DropNoPort                      // no free SNAT port
	DropTableFull                   // the connection table is full
	DropMalformed                   // truncated or inconsistent headers
	DropFragment                    // a fragment whose first one was not seen, or without room in the table
	DropOtherProto                  // to a VIP, neither TCP, UDP, SCTP nor ICMP nor ARP
	DropICMP                        // ICMP without a flow, or of a kind that is not forwarded
	DropICMPForged                  // an ICMP error about a segment that cannot be in flight (RFC 5927)
	DropTTL                         // the TTL has expired
	DropTooBig                      // larger than the egress link's MTU
	DropSource                      // invalid source, or the address of this node or of the VIP
	DropChecksum                    // the IP header's checksum is wrong
	DropSourceRoute                 // source-routed (LSRR, SSRR)
	DropUnconfirmed                 // a RST to an adopted flow that no backend has confirmed
	DropFragmentOverlap             // overlaps an earlier fragment
	DropServiceLimit                // the service has reached its limit of flows
	DropSourceLimit                 // the source has reached its limit of the service's flows
	DropRelayed                     // relayed by the peer, and would change the table
	DropChallenged                  // a SYN of a source that has to answer a challenge first
	DropValidated                   // a RST that answered a challenge
	DropNoChallenge                 // a RST without an entry, and not the answer to a challenge
	DropTunnel                      // could not be encapsulated, or an ICMP error about an encapsulated packet
	DropKinds                       // the number of reasons
)

var dropNames = [DropKinds]string{"no-lease", "miss", "no-service", "no-backend", "no-port", "table-full",
	"malformed", "fragment", "other-proto", "icmp", "icmp-forged", "ttl", "too-big", "source", "checksum",
	"source-route", "unconfirmed", "fragment-overlap", "service-limit", "source-limit", "relayed",
	"challenged", "validated", "no-challenge", "tunnel"}

func (d Drop) String() string { return dropNames[d] }
