// Package decap is a backend's end of a dsr-ipip tunnel as an eBPF program. Backends of a lab use it
// where the kernel has no tunnel devices; others have an ipip or ip6tnl device.
package decap

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
)

// Return codes of a tcx program, and the arguments of bpf_skb_adjust_room (linux/bpf.h).
const (
	tcxNext = -1
	tcxDrop = 2

	adjustMAC  = 1
	fixedGSO   = 1 << 0
	decapIPv4  = 1 << 7
	decapIPv6  = 1 << 8
	skbData    = 76
	skbDataEnd = 80
)

// Offsets in a frame with an IPv4 header without options (RFC 791), or an IPv6 header (RFC 8200).
const (
	ethType = 12
	ethLen  = 14

	ipVersion  = ethLen
	ipFragment = ethLen + 6
	ipProtocol = ethLen + 9
	ipTarget   = ethLen + 16
	ipLen      = 20

	ip6Next   = ethLen + 6
	ip6Target = ethLen + 24
	ip6Len    = 40
)

// Protocol numbers of a packet inside another.
const (
	ipv4Inside = 4
	ipv6Inside = 41
)

// Attach attaches the program to the ingress of a link, in the calling thread's network namespace. It
// takes packets to the host's own addresses out of their outer header. A packet to one of the vips
// without an outer header is dropped: a load balancer that sends it has not encapsulated it.
func Attach(ifindex int, own, vips []netip.Addr) (link.Link, error) {
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "decap", Type: ebpf.SchedCLS, License: "Apache-2.0", Instructions: instructions(own, vips),
	})
	if err != nil {
		return nil, fmt.Errorf("decap: load program: %w", err)
	}
	defer program.Close() // the link holds it
	l, err := link.AttachTCX(link.TCXOptions{Interface: ifindex, Program: program, Attach: ebpf.AttachTCXIngress})
	if err != nil {
		return nil, fmt.Errorf("decap: attach: %w", err)
	}
	return l, nil
}

// instructions: R6 is the context, R7 the frame, R8 its end, R9 the next protocol, R3 the length of
// the outer header, negative.
func instructions(own, vips []netip.Addr) asm.Instructions {
	program := asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.LoadMem(asm.R7, asm.R6, skbData, asm.Word),
		asm.LoadMem(asm.R8, asm.R6, skbDataEnd, asm.Word),
	}
	for _, f := range families {
		program = append(program, f.recognize(own, vips)...)
	}
	return append(program,
		asm.Ja.Label("next"),
		asm.Mov.Imm(asm.R4, decapIPv4|fixedGSO).WithSymbol("unpack"),
		asm.JEq.Imm(asm.R9, ipv4Inside, "adjust"),
		asm.Mov.Imm(asm.R4, decapIPv6|fixedGSO),
		asm.JNE.Imm(asm.R9, ipv6Inside, "next"),
		asm.Mov.Reg(asm.R1, asm.R6).WithSymbol("adjust"),
		asm.Mov.Reg(asm.R2, asm.R3),
		asm.Mov.Imm(asm.R3, adjustMAC),
		asm.FnSkbAdjustRoom.Call(),
		asm.JNE.Imm(asm.R0, 0, "drop"),
		asm.Mov.Imm(asm.R0, tcxNext).WithSymbol("next"),
		asm.Return(),
		asm.Mov.Imm(asm.R0, tcxDrop).WithSymbol("drop"),
		asm.Return(),
	)
}

// family has the offsets of an IP version.
type family struct {
	name             string
	is4              bool
	etherType        uint16
	protocol, target int16
	headerLen        int32
}

var families = []family{
	{name: "ipv4", is4: true, etherType: 0x0800, protocol: ipProtocol, target: ipTarget, headerLen: ipLen},
	{name: "ipv6", etherType: 0x86dd, protocol: ip6Next, target: ip6Target, headerLen: ip6Len},
}

// recognize jumps to unpack if an outer header of the family ends here, and to drop if the frame is
// a bare one to a VIP.
func (f family) recognize(own, vips []netip.Addr) asm.Instructions {
	of := func(all []netip.Addr) []netip.Addr {
		return slices.DeleteFunc(slices.Clone(all), func(a netip.Addr) bool { return a.Is4() != f.is4 })
	}
	own, vips = of(own), of(vips)
	if len(own) == 0 {
		return nil
	}
	after := f.name + "after"
	program := asm.Instructions{
		asm.Mov.Reg(asm.R2, asm.R7),
		asm.Add.Imm(asm.R2, ethLen+f.headerLen),
		asm.JGT.Reg(asm.R2, asm.R8, after),
		asm.LoadMem(asm.R2, asm.R7, ethType, asm.Half),
		asm.JNE.Imm(asm.R2, network(f.etherType), after),
	}
	program = append(program, f.compare(vips, "vip", "drop")...)
	program = append(program, f.compare(own, "own", f.name)...)
	program = append(program,
		asm.Ja.Label(after),
		asm.LoadMem(asm.R9, asm.R7, f.protocol, asm.Byte).WithSymbol(f.name),
		asm.Mov.Imm(asm.R3, -f.headerLen),
	)
	if f.is4 {
		program = append(program,
			asm.LoadMem(asm.R2, asm.R7, ipVersion, asm.Byte),
			asm.JNE.Imm(asm.R2, 0x45, after),
			asm.LoadMem(asm.R2, asm.R7, ipFragment, asm.Half),
			asm.And.Imm(asm.R2, network(0x3fff)),
			asm.JNE.Imm(asm.R2, 0, after),
		)
	}
	return append(program, asm.Ja.Label("unpack"), asm.Mov.Imm(asm.R2, 0).WithSymbol(after))
}

// compare jumps to found if the frame is for one of the addresses.
func (f family) compare(addrs []netip.Addr, name, found string) (all asm.Instructions) {
	for i, addr := range addrs {
		bytes, after := addr.AsSlice(), fmt.Sprintf("%s%s%d", f.name, name, i)
		for word := 0; word < len(bytes); word += 4 {
			all = append(all,
				asm.LoadMem(asm.R2, asm.R7, f.target+int16(word), asm.Word),
				asm.JNE.Imm32(asm.R2, int32(binary.NativeEndian.Uint32(bytes[word:])), after))
		}
		all = append(all, asm.Ja.Label(found), asm.Mov.Imm(asm.R2, 0).WithSymbol(after))
	}
	return all
}

// network returns a 16-bit number as a host-order load reads it from a frame.
func network(n uint16) int32 {
	return int32(binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, n)))
}
