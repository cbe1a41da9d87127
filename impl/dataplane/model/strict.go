package model

import (
	"encoding/binary"

	"baton/impl/dataplane"
)

// IP options (RFC 791).
const (
	optionEnd       = 0
	optionNOP       = 1
	looseSourceAndR = 131
	strictSourceR   = 137
)

// checkHeader finds packets of any protocol that a router must not forward: with an invalid
// source (RFC 1812 5.3.7), a wrong header checksum (5.2.2), or a source route (RFC 7126
// 4.3, 4.4).
func (p *packet) checkHeader() dataplane.Drop {
	header := p.ip()[:int(p.ip()[0]&0xf)*4]
	if first := header[12]; first == 0 || first == 127 || first >= 224 {
		return dataplane.DropSource
	}
	if total := sum(header); total != 0xffff {
		return dataplane.DropChecksum
	}
	return checkRouting(header[ipMinLen:])
}

// checkHeader6 finds invalid sources and those only valid on their link: ::/96 with
// loopback and unspecified address, IPv4-mapped, link-local, multicast.
func (p *packet) checkHeader6() dataplane.Drop {
	a := p.ip()[v6.src:]
	low := binary.BigEndian.Uint32(a[8:])
	if binary.BigEndian.Uint64(a) == 0 && (low == 0 || low == 0xffff) || a[0] == 0xfe && a[1]>>6 == 2 || a[0] == 0xff {
		return dataplane.DropSource
	}
	return noReason
}

func checkRouting(options []byte) dataplane.Drop {
	for at := 0; at < len(options) && options[at] != optionEnd; {
		switch options[at] {
		case looseSourceAndR, strictSourceR:
			return dataplane.DropSourceRoute
		case optionNOP:
			at++
			continue
		}
		if at+1 >= len(options) || options[at+1] < 2 {
			return dataplane.DropMalformed
		}
		at += int(options[at+1])
	}
	return noReason
}

// sum returns the ones' complement sum of bytes.
func sum(b []byte) uint16 {
	var total uint64
	for i := 0; i+1 < len(b); i += 2 {
		total += uint64(be16(b[i:]))
	}
	if len(b)%2 == 1 {
		total += uint64(b[len(b)-1]) << 8
	}
	for total>>16 != 0 {
		total = total&0xffff + total>>16
	}
	return uint16(total)
}
