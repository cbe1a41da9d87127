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

// echoFilter filters an EchoLink's packets before they are queued. Its socket receives
// everything that the interface carries. The filter drops without counting what is not UDP
// to the echo port of a local address, such as the peer's echo packets, which the kernel
// forwards back. Of the rest it discards and counts what no session would accept, so that a
// flood wakes no loop. What passes is not yet authenticated.
type echoFilter struct {
	drops    dropCounters
	locals   *ebpf.Map // echoLocal of each local address
	sessions *ebpf.Map // LocalDiscr of each session
	program  *ebpf.Program
}

// echoLocal is an address as the program reads it from a packet: four-byte words,
// big-endian; IPv4 is followed by zeros.
type echoLocal [4]uint32

func echoLocalOf(a netip.Addr) (l echoLocal) {
	for i, rest := 0, a.AsSlice(); len(rest) > 0; i, rest = i+1, rest[4:] {
		l[i] = binary.BigEndian.Uint32(rest)
	}
	return l
}

const (
	maxLocals = 1024

	// echoLeastTTL is the TTL after one forwarding hop. A lower one comes from farther
	// away.
	echoLeastTTL = bfd.TransmitTTL - 1

	ipv4NoOptions = 0x45 // version and header length, as we send it
)

// Offsets in the IP packet, with which the data of a SOCK_DGRAM packet socket begins.
const (
	ipv4OffsetProtocol = 9
	ipv4OffsetFragment = 6
	ipv4OffsetTTL      = 8
	ipv4OffsetTo       = 16
	ipv6OffsetNext     = 6
	ipv6OffsetHops     = 7
	ipv6OffsetTo       = 24
	udpOffsetTo        = 2
)

// newEchoFilter loads a filter for a socket of one IP version. Nothing passes until allow
// adds a session.
func newEchoFilter(v6 bool) (*echoFilter, error) {
	f := &echoFilter{}
	if err := f.load(v6); err != nil {
		f.close()
		return nil, fmt.Errorf("load the filter: %w", err)
	}
	return f, nil
}

func (f *echoFilter) load(v6 bool) (err error) {
	if f.drops, err = newDropCounters(); err != nil {
		return err
	}
	f.locals, err = ebpf.NewMap(&ebpf.MapSpec{Name: "echo_locals", Type: ebpf.Hash, KeySize: 16, ValueSize: 1, MaxEntries: maxLocals, Flags: unix.BPF_F_NO_PREALLOC})
	if err != nil {
		return fmt.Errorf("addresses: %w", err)
	}
	f.sessions, err = ebpf.NewMap(&ebpf.MapSpec{Name: "echo_sessions", Type: ebpf.Hash, KeySize: 4, ValueSize: 1, MaxEntries: maxSessions, Flags: unix.BPF_F_NO_PREALLOC})
	if err != nil {
		return fmt.Errorf("sessions: %w", err)
	}
	f.program, err = ebpf.NewProgram(&ebpf.ProgramSpec{Name: "echo_filter", Type: ebpf.SocketFilter, License: "Dual BSD/GPL", Instructions: f.instructions(v6)})
	return err
}

// instructions is the filter. R6 is the packet, as its loads require, and R7 the drop
// reason. A load beyond the packet's end ends the program as the label "other" does.
func (f *echoFilter) instructions(v6 bool) asm.Instructions {
	const (
		local = -16 // the stack: key of locals,
		key   = -20 // of sessions, and of the counters
	)
	program := asm.Instructions{asm.Mov.Reg(asm.R6, asm.R1)}
	header, ttl := int32(ipv4HeaderLen), int32(ipv4OffsetTTL)
	if v6 {
		header, ttl = ipv6HeaderLen, ipv6OffsetHops
		program = append(program, isUDP(ipv6OffsetNext)...)
		program = append(program, loadAddress(local, ipv6OffsetTo, 4)...)
	} else {
		program = append(program, isUDP(ipv4OffsetProtocol)...)
		program = append(program,
			asm.LoadAbs(0, asm.Byte),
			asm.JNE.Imm(asm.R0, ipv4NoOptions, "other"),
			asm.LoadAbs(ipv4OffsetFragment, asm.Half),
			asm.And.Imm(asm.R0, ipv4Fragment),
			asm.JNE.Imm(asm.R0, 0, "other"))
		program = append(program, loadAddress(local, ipv4OffsetTo, 1)...)
	}
	payload := header + udpHeaderLen
	program = append(program,
		asm.LoadAbs(header+udpOffsetTo, asm.Half),
		asm.JNE.Imm(asm.R0, EchoPort, "other"))
	program = append(program, lookUp(f.locals, local)...)
	program = append(program,
		asm.JEq.Imm(asm.R0, 0, "other"),

		asm.LoadMem(asm.R0, asm.R6, 0, asm.Word), // the length
		asm.Mov.Imm(asm.R7, int32(bfd.DropLength)),
		asm.JLT.Imm(asm.R0, payload+leastLength, "drop"),

		asm.LoadAbs(payload+4, asm.Word), // see bfd.UnaffiliatedDiscr
		asm.JNE.Imm(asm.R0, 0, "named"),
		asm.LoadAbs(payload, asm.Word), // see bfd.EchoDiscr
		asm.StoreMem(asm.RFP, key, asm.R0, asm.Word).WithSymbol("named"))
	program = append(program, lookUp(f.sessions, key)...)
	program = append(program,
		asm.Mov.Imm(asm.R7, int32(bfd.DropEchoForged)),
		asm.JEq.Imm(asm.R0, 0, "drop"),

		asm.LoadAbs(ttl, asm.Byte),
		asm.Mov.Imm(asm.R7, int32(bfd.DropTTL)),
		asm.JLT.Imm(asm.R0, echoLeastTTL, "drop"),

		asm.LoadImm(asm.R0, 0xffff, asm.DWord), // accept the whole packet
		asm.Return(),

		asm.Mov.Imm(asm.R0, 0).WithSymbol("other"),
		asm.Return(),
	)
	return append(program, f.drops.drop(key)...)
}

// isUDP jumps to "other" for other protocols.
func isUDP(offset int32) asm.Instructions {
	return asm.Instructions{
		asm.LoadAbs(offset, asm.Byte),
		asm.JNE.Imm(asm.R0, unix.IPPROTO_UDP, "other"),
	}
}

// loadAddress stores an address of some words on the stack, as an echoLocal.
func loadAddress(at int16, offset int32, words int) (program asm.Instructions) {
	for i := range len(echoLocal{}) {
		load := asm.Mov.Imm(asm.R0, 0)
		if i < words {
			load = asm.LoadAbs(offset+int32(4*i), asm.Word)
		}
		program = append(program, load, asm.StoreMem(asm.RFP, at+int16(4*i), asm.R0, asm.Word))
	}
	return program
}

// allow lets packets of a session to a local address pass.
func (f *echoFilter) allow(localDiscr uint32, local netip.Addr) error {
	return errors.Join(f.locals.Put(echoLocalOf(local), uint8(1)), f.sessions.Put(localDiscr, uint8(1)))
}

// close releases the filter, if there is one. A socket that it is attached to keeps it.
func (f *echoFilter) close() {
	if f == nil {
		return
	}
	if f.program != nil {
		f.program.Close()
	}
	for _, m := range []*ebpf.Map{f.drops.counters, f.locals, f.sessions} {
		if m != nil {
			m.Close()
		}
	}
}
