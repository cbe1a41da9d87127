package bfd

import (
	"encoding/binary"
	"time"
)

const (
	version      = 1
	headerLen    = 24 // the mandatory section
	maxAuthLen   = 28 // the longest authentication section, SHA1's
	maxPacketLen = headerLen + maxAuthLen

	// MaxInterval is the longest interval that the 32-bit microsecond fields hold.
	MaxInterval = (1<<32 - 1) * time.Microsecond
)

// Bits of the second byte, below the State field.
const (
	flagPoll         = 1 << 5
	flagFinal        = 1 << 4
	flagIndependent  = 1 << 3
	flagAuth         = 1 << 2
	flagDemand       = 1 << 1
	flagMultipoint   = 1 << 0
	stateShift       = 6
	diagMask         = 1<<5 - 1
	versionShift     = 5
	offsetFlags      = 1
	offsetDetectMult = 2
	offsetLength     = 3
	offsetMyDiscr    = 4
)

// Packet is a BFD control packet (RFC 5880 section 4.1). Intervals are whole
// microseconds of at most MaxInterval.
type Packet struct {
	Diag  Diag
	State State
	Poll  bool
	Final bool
	// ControlPlaneIndependent: the sender's BFD does not share fate with its control plane.
	ControlPlaneIndependent bool
	Demand                  bool
	DetectMult              uint8
	MyDiscr                 uint32
	YourDiscr               uint32

	DesiredMinTxInterval      time.Duration
	RequiredMinRxInterval     time.Duration
	RequiredMinEchoRxInterval time.Duration

	// Auth is the authentication section, nil where the A bit is clear. After
	// Parse it aliases the input.
	Auth []byte
}

// Parse decodes a control packet. It makes those checks of RFC 5880 section 6.8.6
// that need no session, in the RFC's order; its error is a *DropError. Bytes after
// the packet's Length are ignored, as the RFC requires.
func Parse(b []byte) (Packet, error) {
	var (
		p Packet
		e DropError
	)
	if !p.decode(b, &e) {
		return Packet{}, &e
	}
	return p, nil
}

// decode is Parse without allocation. If it returns false, it has filled in e.
func (p *Packet) decode(b []byte, e *DropError) bool {
	if len(b) <= offsetLength {
		return e.set(DropLength, len(b), headerLen)
	}
	if v := b[0] >> versionShift; v != version {
		return e.set(DropVersion, int(v), version)
	}
	flags, length := b[offsetFlags], int(b[offsetLength])
	shortest := headerLen
	if flags&flagAuth != 0 {
		shortest += 2 // Auth Type and Auth Len
	}
	if length < shortest {
		return e.set(DropLength, length, shortest)
	}
	if length > len(b) {
		return e.set(DropTruncated, length, len(b))
	}
	if b[offsetDetectMult] == 0 {
		return e.set(DropDetectMult, 0, 1)
	}
	if flags&flagMultipoint != 0 {
		return e.set(DropMultipoint, 1, 0)
	}
	*p = Packet{
		Diag:                      Diag(b[0] & diagMask),
		State:                     State(flags >> stateShift),
		Poll:                      flags&flagPoll != 0,
		Final:                     flags&flagFinal != 0,
		ControlPlaneIndependent:   flags&flagIndependent != 0,
		Demand:                    flags&flagDemand != 0,
		DetectMult:                b[offsetDetectMult],
		MyDiscr:                   binary.BigEndian.Uint32(b[4:]),
		YourDiscr:                 binary.BigEndian.Uint32(b[8:]),
		DesiredMinTxInterval:      microseconds(b[12:]),
		RequiredMinRxInterval:     microseconds(b[16:]),
		RequiredMinEchoRxInterval: microseconds(b[20:]),
	}
	if p.MyDiscr == 0 {
		return e.set(DropMyDiscr, 0, 1)
	}
	if flags&flagAuth != 0 {
		p.Auth = b[headerLen:length]
	}
	return true
}

// AppendTo appends the packet's encoding to b. Version, Length and the A bit
// follow from the rest.
func (p *Packet) AppendTo(b []byte) []byte {
	var h header
	p.header(&h)
	if p.Auth != nil {
		h[offsetFlags] |= flagAuth
		h[offsetLength] += byte(len(p.Auth))
	}
	return append(append(b, h[:]...), p.Auth...)
}

// header is the mandatory section of a control packet.
type header [headerLen]byte

// header encodes the mandatory section of a packet without authentication.
func (p *Packet) header(h *header) {
	flags := byte(p.State) << stateShift
	for _, f := range [...]struct {
		set bool
		bit byte
	}{
		{p.Poll, flagPoll},
		{p.Final, flagFinal},
		{p.ControlPlaneIndependent, flagIndependent},
		{p.Demand, flagDemand},
	} {
		if f.set {
			flags |= f.bit
		}
	}
	h[0] = version<<versionShift | byte(p.Diag)&diagMask
	h[offsetFlags] = flags
	h[offsetDetectMult] = p.DetectMult
	h[offsetLength] = headerLen
	binary.BigEndian.PutUint32(h[4:], p.MyDiscr)
	binary.BigEndian.PutUint32(h[8:], p.YourDiscr)
	binary.BigEndian.PutUint32(h[12:], uint32(p.DesiredMinTxInterval/time.Microsecond))
	binary.BigEndian.PutUint32(h[16:], uint32(p.RequiredMinRxInterval/time.Microsecond))
	binary.BigEndian.PutUint32(h[20:], uint32(p.RequiredMinEchoRxInterval/time.Microsecond))
}

func microseconds(b []byte) time.Duration {
	return time.Duration(binary.BigEndian.Uint32(b)) * time.Microsecond
}
