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

// echoFilter stands before the queue of an EchoLink. All that its interface carries
// runs through it: what is not UDP to the echo port of an address of ours it passes
// over without a word, the echo packets of the peer among it, which the kernel
// forwards back. Of the rest it discards and counts what no session would take, so
// that a flood wakes no loop; what it lets pass has proved nothing yet.
type echoFilter struct {
	drops    dropCounters
	locals   *ebpf.Map // echoLocal of each address of ours
	sessions *ebpf.Map // LocalDiscr of each session
	program  *ebpf.Program
}

// echoLocal is an address as the program makes it of a packet: words of four bytes,
// most significant first, and zeros behind those of IPv4.
type echoLocal [4]uint32

func echoLocalOf(a netip.Addr) (l echoLocal) {
	for i, rest := 0, a.AsSlice(); len(rest) > 0; i, rest = i+1, rest[4:] {
		l[i] = binary.BigEndian.Uint32(rest)
	}
	return l
}

const (
	maxLocals = 1024

	// echoLeastTTL is what a forwarder leaves of 255. Less comes from farther away.
	echoLeastTTL = bfd.TransmitTTL - 1

	ipv4NoOptions = 0x45 // version and header length, as we send it
)

// Where an IP packet holds what the program reads. The data of a packet socket of type
// SOCK_DGRAM begins with it.
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

// newEchoFilter loads a filter for a socket of one protocol. It lets nothing pass until
// allow names a session.
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

// instructions is the filter. R6 holds the packet, as its loads require, and R7 the
// reason. A load beyond the packet's end ends the program like the label "other".
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

		asm.LoadImm(asm.R0, 0xffff, asm.DWord), // as much of it as there is
		asm.Return(),

		asm.Mov.Imm(asm.R0, 0).WithSymbol("other"),
		asm.Return(),
	)
	return append(program, f.drops.drop(key)...)
}

// isUDP passes over what is not.
func isUDP(offset int32) asm.Instructions {
	return asm.Instructions{
		asm.LoadAbs(offset, asm.Byte),
		asm.JNE.Imm(asm.R0, unix.IPPROTO_UDP, "other"),
	}
}

// loadAddress puts an address of some words on the stack, as an echoLocal.
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

// allow lets packets for a session pass that come to one of our addresses.
func (f *echoFilter) allow(localDiscr uint32, local netip.Addr) error {
	return errors.Join(f.locals.Put(echoLocalOf(local), uint8(1)), f.sessions.Put(localDiscr, uint8(1)))
}

// close lets go of the filter, if there is one. A socket that it is attached to keeps it.
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
