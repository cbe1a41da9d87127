package bfdio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"baton/impl/bfd"
)

// Filter drops in the kernel, before the socket's queue, packets that no session would
// accept and that anybody can send: of the wrong length or version, with too low a TTL, or
// with an unknown discriminator. So a flood of them neither wakes a loop nor displaces a
// peer's packets. It repeats checks of RFC 5880 section 6.8.6 that a session makes too, and
// counts by the same reasons. What passes is not yet authenticated. It is not safe for
// concurrent use.
type Filter struct {
	cfg     FilterConfig
	drops   dropCounters
	minTTLs *ebpf.Map // LocalDiscr of each session, or anySession, to its minimum TTL
	program *ebpf.Program
	least   uint8 // minimum of minTTLs
}

// FilterConfig configures a filter.
type FilterConfig struct {
	V6 bool
	// Peer is the only allowed sender; the zero Addr allows all.
	Peer netip.Addr
}

// anySession stands for the session of a packet without a discriminator: no session has the
// discriminator 0 (RFC 5880 section 6.8.1).
const anySession = 0

// maxSessions is the maximum number of sessions of a filter.
const maxSessions = 16384

// Offsets of the fields that a filter on a UDP socket reads: from the UDP header, with
// which the socket's data begins, and from the network header.
const (
	udpHeaderLen    = 8
	fromNetwork     = -0x100000 // SKF_NET_OFF
	offsetTTL       = fromNetwork + 8
	offsetHopLimit  = fromNetwork + 7
	offsetSource    = fromNetwork + 12
	offsetSource6   = fromNetwork + 8
	offsetVersion   = udpHeaderLen
	offsetState     = udpHeaderLen + 1
	offsetLength    = udpHeaderLen + 3
	offsetYourDiscr = udpHeaderLen + 8
	leastLength     = 24
)

// NewFilter loads a filter for a socket of one IP version. Nothing passes until Allow adds
// a session. It needs CAP_BPF or root; without them a system can run without the filter,
// since sessions make all checks themselves.
func NewFilter(cfg FilterConfig) (*Filter, error) {
	if cfg.Peer.IsValid() && cfg.Peer.Is6() != cfg.V6 {
		return nil, fmt.Errorf("bfdio: load the filter: the peer %v is of another IP version than the socket", cfg.Peer)
	}
	f := &Filter{cfg: cfg, least: bfd.TransmitTTL}
	if err := f.load(); err != nil {
		f.Close()
		return nil, fmt.Errorf("bfdio: load the filter: %w", err)
	}
	return f, nil
}

func (f *Filter) load() (err error) {
	if f.drops, err = newDropCounters(); err != nil {
		return err
	}
	f.minTTLs, err = ebpf.NewMap(&ebpf.MapSpec{Name: "bfd_min_ttls", Type: ebpf.Hash, KeySize: 4, ValueSize: 1, MaxEntries: maxSessions + 1, Flags: unix.BPF_F_NO_PREALLOC})
	if err != nil {
		return fmt.Errorf("sessions: %w", err)
	}
	f.program, err = ebpf.NewProgram(&ebpf.ProgramSpec{Name: "bfd_filter", Type: ebpf.SocketFilter, License: "Dual BSD/GPL", Instructions: f.instructions()})
	return err
}

// instructions is the filter: the checks in the order of section 6.8.6; each jumps to the
// counter of its reason. R6 is the packet, as its loads require, R7 the reason, R8 the
// discriminator and R9 its session's minimum TTL.
func (f *Filter) instructions() asm.Instructions {
	ttl := int32(offsetTTL)
	if f.cfg.V6 {
		ttl = offsetHopLimit
	}
	const key = -4 // of both maps, on the stack
	program := append(asm.Instructions{asm.Mov.Reg(asm.R6, asm.R1)}, f.checkSource()...)
	program = append(program,
		asm.LoadMem(asm.R0, asm.R6, 0, asm.Word), // the length
		asm.Mov.Imm(asm.R7, int32(bfd.DropLength)),
		asm.JLE.Imm(asm.R0, offsetLength, "drop"),

		asm.LoadAbs(offsetVersion, asm.Byte),
		asm.RSh.Imm(asm.R0, 5),
		asm.Mov.Imm(asm.R7, int32(bfd.DropVersion)),
		asm.JNE.Imm(asm.R0, 1, "drop"),

		asm.LoadAbs(offsetLength, asm.Byte),
		asm.Mov.Imm(asm.R7, int32(bfd.DropLength)),
		asm.JLT.Imm(asm.R0, leastLength, "drop"),
		asm.Add.Imm(asm.R0, udpHeaderLen),
		asm.LoadMem(asm.R1, asm.R6, 0, asm.Word),
		asm.Mov.Imm(asm.R7, int32(bfd.DropTruncated)),
		asm.JGT.Reg(asm.R0, asm.R1, "drop"),

		asm.LoadAbs(offsetYourDiscr, asm.Word),
		asm.Mov.Reg(asm.R8, asm.R0),
		asm.StoreMem(asm.RFP, key, asm.R0, asm.Word))
	program = append(program, lookUp(f.minTTLs, key)...)
	program = append(program,
		asm.Mov.Imm(asm.R7, int32(bfd.DropYourDiscr)),
		asm.JEq.Imm(asm.R0, 0, "drop"),
		asm.LoadMem(asm.R9, asm.R0, 0, asm.Byte),
		asm.JNE.Imm(asm.R8, anySession, "ttl"),

		// A peer that does not know our discriminator must be Down or AdminDown.
		asm.LoadAbs(offsetState, asm.Byte),
		asm.RSh.Imm(asm.R0, 6),
		asm.Mov.Imm(asm.R7, int32(bfd.DropState)),
		asm.JGT.Imm(asm.R0, int32(bfd.Down), "drop"),

		asm.LoadAbs(ttl, asm.Byte).WithSymbol("ttl"),
		asm.Mov.Imm(asm.R7, int32(bfd.DropTTL)),
		asm.JLT.Reg(asm.R0, asm.R9, "drop"),

		asm.LoadImm(asm.R0, 0xffff, asm.DWord), // accept the whole packet
		asm.Return(),
	)
	return append(program, f.drops.drop(key)...)
}

// checkSource compares the source address with the peer's, four bytes at a time.
func (f *Filter) checkSource() (checks asm.Instructions) {
	if !f.cfg.Peer.IsValid() {
		return nil
	}
	offset := int32(offsetSource)
	if f.cfg.V6 {
		offset = offsetSource6
	}
	checks = asm.Instructions{asm.Mov.Imm(asm.R7, int32(unexpectedSource))}
	for rest := f.cfg.Peer.AsSlice(); len(rest) > 0; rest = rest[4:] {
		checks = append(checks,
			asm.LoadAbs(offset, asm.Word),
			asm.LoadImm(asm.R1, int64(binary.BigEndian.Uint32(rest)), asm.DWord),
			asm.JNE.Reg(asm.R0, asm.R1, "drop"))
		offset += 4
	}
	return checks
}

// Allow lets a session's packets pass with at least this TTL or hop limit. Packets without
// a discriminator pass with the minimum over all sessions.
func (f *Filter) Allow(localDiscr uint32, minTTL uint8) error {
	f.least = min(f.least, minTTL)
	if err := errors.Join(f.minTTLs.Put(localDiscr, minTTL), f.minTTLs.Put(uint32(anySession), f.least)); err != nil {
		return fmt.Errorf("bfdio: let packets for session %d pass: %w", localDiscr, err)
	}
	return nil
}

// attach attaches the filter to a socket.
func (f *Filter) attach(fd int) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ATTACH_BPF, f.program.FD()); err != nil {
		return fmt.Errorf("attach the filter: %w", err)
	}
	return nil
}

// Drops returns the filter's drop counters.
func (f *Filter) Drops() (Drops, error) { return f.drops.read() }

// Close releases the filter, if there is one. A socket that it is attached to keeps it.
func (f *Filter) Close() {
	if f == nil {
		return
	}
	if f.program != nil {
		f.program.Close()
	}
	for _, m := range []*ebpf.Map{f.drops.counters, f.minTTLs} {
		if m != nil {
			m.Close()
		}
	}
}
