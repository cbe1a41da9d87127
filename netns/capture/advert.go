package capture

import (
	"encoding/binary"
	"fmt"
	"time"

	"baton/impl/flow"
)

// IP protocols of virtual router advertisements.
const (
	protoVRRP = 112 // and CARP's
	protoAH   = 51  // VRRPv2's authentication type 2 puts it in front
)

// advert is what a virtual router says of itself: a VRRP advertisement (RFC 3768 5.3.6,
// RFC 9568 5.2) or one of CARP, which has no standard and shares VRRP's number.
type advert struct {
	source   flow.Addr
	protocol string // VRRPv2, VRRPv3, CARP
	router   uint8  // VRID, or CARP's VHID
	priority uint8  // CARP: 255 minus its advskew, so that the higher wins
	auth     string // "" for none
	interval time.Duration
	resigns  bool // it stops being the MASTER
}

func (a *advert) String() string {
	text := fmt.Sprintf("%s advert of router %d, priority %d, every %s", a.protocol, a.router, a.priority, a.interval)
	if a.auth != "" {
		text += ", " + a.auth
	}
	return text
}

// virtualMAC is the address that frames of the virtual router may come from (RFC 9568 7.3).
func (a *advert) virtualMAC() mac { return mac{0x00, 0x00, 0x5e, 0x00, 0x01, a.router} }

const (
	advertTTL    = 255 // RFC 9568 5.1.1.3: others are discarded
	advertLen    = 8   // without addresses
	carpLen      = 36
	carpAuthLen  = 7 // in words, where VRRP counts addresses
	ahMinLen     = 12
	priorityStop = 0 // the MASTER stops (RFC 9568 6.4.3)
)

// vrrpAuth names the authentication types of version 2 (RFC 3768 5.3.6, RFC 2338 5.3.6).
var vrrpAuth = map[uint8]string{0: "", 1: "a password", 2: "an authentication header"}

// parseAdvert reads an advertisement behind its IPv4 header; nil if it is none.
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
	case version == 2 && len(b) >= advertLen+4*int(b[3]):
		a.protocol, a.interval = "VRRPv2", time.Duration(b[5])*time.Second
		auth, known := vrrpAuth[b[4]]
		if !known {
			auth = fmt.Sprintf("authentication type %d", b[4])
		}
		a.auth = auth
	case version == 3 && len(b) >= advertLen+4*int(b[3]):
		a.protocol = "VRRPv3"
		a.interval = time.Duration(binary.BigEndian.Uint16(b[4:])&0xfff) * 10 * time.Millisecond
	default:
		return nil
	}
	return a
}
