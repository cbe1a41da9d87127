package capture

import (
	"encoding/binary"
	"fmt"
	"time"

	"baton/impl/flow"
)

// IP protocols of virtual router advertisements.
const (
	protoVRRP = 112 // also CARP
	protoAH   = 51  // precedes VRRPv2 with authentication type 2
)

// advert is an advertisement of a virtual router: VRRP (RFC 3768 5.3.6, RFC 9568 5.2) or
// CARP, which has no standard and uses VRRP's protocol number.
type advert struct {
	source   flow.Addr
	protocol string // VRRPv2, VRRPv3, CARP
	router   uint8  // VRID, or CARP's VHID
	priority uint8  // for CARP 255 minus advskew, so that higher wins
	auth     string // "" for none
	interval time.Duration
	resigns  bool // the sender gives up the MASTER role
}

func (a *advert) String() string {
	text := fmt.Sprintf("%s advert of router %d, priority %d, every %s", a.protocol, a.router, a.priority, a.interval)
	if a.auth != "" {
		text += ", " + a.auth
	}
	return text
}

// virtualMAC is the virtual router's MAC address (RFC 9568 7.3).
func (a *advert) virtualMAC() mac {
	family := byte(1)
	if !a.source.Is4() {
		family = 2
	}
	return mac{0x00, 0x00, 0x5e, 0x00, family, a.router}
}

const (
	advertTTL    = 255 // RFC 9568 5.1.1.3: others are discarded
	advertLen    = 8   // without addresses
	carpLen      = 36
	carpAuthLen  = 7 // in words; VRRP has the number of addresses here
	ahMinLen     = 12
	priorityStop = 0 // the MASTER stops (RFC 9568 6.4.3)
)

// vrrpAuth names the authentication types of version 2 (RFC 3768 5.3.6, RFC 2338 5.3.6).
var vrrpAuth = map[uint8]string{0: "", 1: "a password", 2: "an authentication header"}

// parseAdvert parses an advertisement after its IPv4 or IPv6 header; nil if it is none.
// Over IPv6 there is no VRRPv2 (RFC 9568 1.2).
func parseAdvert(source flow.Addr, ttl, proto uint8, b []byte) *advert {
	if ttl != advertTTL {
		return nil
	}
	if proto == protoAH {
		if len(b) < ahMinLen || b[0] != protoVRRP {
			return nil
		}
		length := (int(b[1]) + 2) * 4
		if length < ahMinLen || len(b) < length {
			return nil
		}
		b = b[length:]
	}
	if len(b) < advertLen || b[0]&0xf != 1 {
		return nil
	}
	a := &advert{source: source, router: b[1], priority: b[2], resigns: b[2] == priorityStop}
	switch version := b[0] >> 4; {
	case version == 2 && b[3] == carpAuthLen && len(b) == carpLen:
		a.protocol, a.priority, a.auth = "CARP", 255-b[2], "an HMAC"
		a.interval = time.Duration(b[5])*time.Second + time.Duration(b[2])*time.Second/256
		a.resigns = b[2] == 255 && b[5] == 255
	case version == 2 && source.Is4() && len(b) >= advertLen+4*int(b[3]):
		a.protocol, a.interval = "VRRPv2", time.Duration(b[5])*time.Second
		auth, known := vrrpAuth[b[4]]
		if !known {
			auth = fmt.Sprintf("authentication type %d", b[4])
		}
		a.auth = auth
	case version == 3 && len(b) >= advertLen+source.Netip().BitLen()/8*int(b[3]):
		a.protocol = "VRRPv3"
		a.interval = time.Duration(binary.BigEndian.Uint16(b[4:])&0xfff) * 10 * time.Millisecond
	default:
		return nil
	}
	return a
}
