package checker

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/sctp"
)

// initiation is the INIT of a probe.
type initiation struct {
	port uint16 // its source port
	tag  uint32
	to   netip.AddrPort
}

// initiate sends an INIT (RFC 9260 5.1). An INIT ACK means success; the association is then aborted. An
// ABORT means refusal.
func initiate(ctx context.Context, at netip.AddrPort) error {
	network := "ip4:132"
	if at.Addr().Is6() {
		network = "ip6:132"
	}
	conn, err := net.DialIP(network, nil, &net.IPAddr{IP: at.Addr().AsSlice(), Zone: at.Addr().Zone()})
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(0, 1)) })
	defer stop()
	i := initiation{port: uint16(32768 + rand.IntN(28232)), tag: rand.Uint32() | 1, to: at}
	if _, err := conn.Write(i.packet(0, sctp.Init, i.parameters())); err != nil {
		return err
	}
	buf := make([]byte, 1<<16)
	for {
		n, _, err := conn.ReadFromIP(buf)
		if err != nil {
			return err
		}
		answer, ok := i.answeredBy(buf[:n])
		switch {
		case !ok:
		case answer.Chunk == sctp.Abort:
			return unix.ECONNREFUSED
		case answer.InitiateTag() != 0:
			_, err := conn.Write(i.packet(answer.InitiateTag(), sctp.Abort, nil))
			return err
		}
	}
}

func (i initiation) packet(tag uint32, chunk uint8, value []byte) []byte {
	return sctp.Packet{SrcPort: i.port, DstPort: i.to.Port(), Tag: tag, Chunk: chunk, Value: value}.Marshal()
}

// parameters returns the fixed parameters of an INIT: tag, window, one stream each way, initial TSN.
func (i initiation) parameters() []byte {
	be := binary.BigEndian
	b := be.AppendUint32(nil, i.tag)
	b = be.AppendUint32(b, 1<<16)
	b = be.AppendUint16(be.AppendUint16(b, 1), 1)
	return be.AppendUint32(b, i.tag)
}

// answeredBy parses a packet that answers the INIT by INIT ACK or ABORT; ok is false for any other, since
// the raw socket gets all SCTP packets of the host.
func (i initiation) answeredBy(packet []byte) (p sctp.Packet, ok bool) {
	p, ok = sctp.Parse(packet)
	return p, ok && sctp.Sound(packet) && p.SrcPort == i.to.Port() && p.DstPort == i.port && p.Tag == i.tag && (p.Chunk == sctp.InitAck || p.Chunk == sctp.Abort)
}
