package dpbench

import (
	"encoding/binary"
	"net"

	"baton/impl/flow"
	"baton/impl/sctp"
)

// TCP flags.
const (
	syn = 0x02
	ack = 0x10
)

// source describes the frames of a row. Each flow has its own source port; beyond 50,000
// flows each has its own source address.
type source struct {
	link    string // by which they come in
	from    flow.Addr
	to      flow.Addr
	proto   flow.Proto
	port    uint16 // of the service, or with replies of the backend
	flags   byte
	flows   uint32
	replies bool
}

const (
	frameLen     = 64
	dontFragment = 0x40 // set by TCP; without it TCX does the encapsulation
)

// pattern returns the frame common to all flows: without the flow's port, and with partial
// sums in place of the checksums. The CRC of SCTP is wrong and stays so, which costs the
// dataplane as much as a right one.
func (s source) pattern(mac net.HardwareAddr) (f [frameLen]byte) {
	copy(f[0:], mac)
	copy(f[6:], net.HardwareAddr{2, 0, 0, 0, 0, 99})
	copy(f[12:], []byte{8, 0, 0x45, 0, 0, frameLen - 14, 0, 7, dontFragment, 0, 64, byte(s.proto)})
	copy(f[26:], s.from.Bytes())
	copy(f[30:], s.to.Bytes())
	at := 36
	if s.replies {
		at = 34
	}
	binary.BigEndian.PutUint16(f[at:], s.port)
	copy(f[54:], "ten bytes.")
	if s.proto == flow.SCTP {
		copy(f[38:], []byte{0, 0, 0, 7, 1, 2, 3, 4, sctp.Data, 3, 0, frameLen - 46})
	} else {
		f[46], f[47], f[48] = 0x50, s.flags, 2
	}
	pseudo := sum(f[26:54]) + uint32(flow.TCP) + frameLen - 34 + sum(f[54:])
	binary.NativeEndian.PutUint16(f[50:], swapped(fold(pseudo)))
	binary.NativeEndian.PutUint16(f[24:], swapped(fold(sum(f[14:34]))))
	return f
}

func sum(b []byte) (total uint32) {
	for i := 0; i < len(b); i += 2 {
		total += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	return total
}

func fold(sum uint32) uint16 {
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return uint16(sum)
}

func swapped(v uint16) uint16 { return v<<8 | v>>8 }
