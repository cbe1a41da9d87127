package netns

import (
	"encoding/binary"
	"fmt"
	"slices"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"baton/netns/internal/ip"
	"baton/scenarios/lab"
)

// Return codes of a tcx program (linux/bpf.h).
const (
	tcxNext = -1
	tcxDrop = 2
)

// Offsets in struct __sk_buff.
const (
	skbMark    = 8
	skbData    = 76
	skbDataEnd = 80
)

// Offsets in a frame: Ethernet header, ARP for IPv4 (RFC 826), IPv4 header without
// options, ports, TCP flags.
const (
	ethSource   = 6
	ethType     = 12
	ethLen      = 14
	arpSender   = ethLen + 14
	arpTarget   = ethLen + 24
	arpEnd      = ethLen + 28
	ipVersion   = ethLen
	ipProtocol  = ethLen + 9
	ipSource    = ethLen + 12
	ipTarget    = ethLen + 16
	ipEnd       = ethLen + 20
	portSource  = ipEnd
	portTarget  = ipEnd + 2
	portsEnd    = ipEnd + 4
	udpEnd      = ipEnd + 8
	tcpOffset   = ipEnd + 12
	tcpFlags    = ipEnd + 13
	tcpFlagsEnd = ipEnd + 14
	tcpEnd      = ipEnd + 20
)

// Offsets in an IPv6 frame (RFC 8200) and in a neighbour solicitation or advertisement (RFC
// 4861) that follows its header directly. Of packets with extension headers only the
// addresses are compared.
const (
	ip6Protocol = ethLen + 6
	ip6Source   = ethLen + 8
	ip6Target   = ethLen + 24
	ip6End      = ethLen + 40
	ndpFlags    = ip6End + 4
	ndpTarget   = ip6End + 8
	ndpEnd      = ip6End + 24
)

// headers says where the header of each family has its fields.
var headers = [lab.Families]struct{ proto, source, target, end int16 }{
	lab.IPv4: {ipProtocol, ipSource, ipTarget, ipEnd},
	lab.IPv6: {ip6Protocol, ip6Source, ip6Target, ip6End},
}

const (
	ipv4NoOpts = 0x45
	tcpSYN     = 0x02
	tcpACK     = 0x10
)

// Stack layout of the program: the key, and the parsed packet in the order of lab.Packet,
// in network byte order.
const (
	atKey    = -8
	atClass  = -16
	atProto  = -12
	atSource = -32 // 16 bytes, as flow.Addr
	atTarget = -48
	atPorts  = -56 // source; the target's is 4 behind
	atTraits = -64
)

// Bits of an entry's Traits and of what the frame has.
const (
	traitOpens      = 1
	traitGratuitous = 2
)

// Offsets in a filterEntry.
const (
	entryShare   = int16(unsafe.Offsetof(filterEntry{}.Share))
	entryState   = int16(unsafe.Offsetof(filterEntry{}.State))
	entryDropped = int16(unsafe.Offsetof(filterEntry{}.Dropped))
	entryDivert  = int16(unsafe.Offsetof(filterEntry{}.Divert))
	entryClasses = int16(unsafe.Offsetof(filterEntry{}.Classes))
	entryProto   = int16(unsafe.Offsetof(filterEntry{}.Proto))
	entryPort    = int16(unsafe.Offsetof(filterEntry{}.Port))
	entryTraits  = int16(unsafe.Offsetof(filterEntry{}.Traits))
	entryAddrs   = int16(unsafe.Offsetof(filterEntry{}.Addrs))
)

// filterInstructions looks up each used slot of the sender and checks whether the frame
// matches the entry. R6 is the frame, R7 its end, R8 the mask of used slots, R9 the mark. A frame
// that has already crossed a wire passes, and a test frame is not diverted.
func filterInstructions(entries *ebpf.Map) asm.Instructions {
	program := asm.Instructions{
		asm.LoadMem(asm.R9, asm.R1, skbMark, asm.Word),
		asm.JEq.Imm(asm.R9, wireMark, "next"),
		asm.LoadMem(asm.R6, asm.R1, skbData, asm.Word),
		asm.LoadMem(asm.R7, asm.R1, skbDataEnd, asm.Word),
	}
	program = append(program, within(ethLen, "next")...)
	program = append(program,
		asm.LoadMem(asm.R2, asm.R6, ethSource, asm.Word),
		asm.StoreMem(asm.RFP, atKey, asm.R2, asm.Word),
		asm.LoadMem(asm.R2, asm.R6, ethSource+4, asm.Half),
		asm.StoreMem(asm.RFP, atKey+4, asm.R2, asm.Half),
	)
	program = append(program, lookUp(entries, slotUsed)...)
	program = append(program,
		asm.JEq.Imm(asm.R0, 0, "next"),
		asm.LoadMem(asm.R8, asm.R0, entryShare, asm.DWord),
	)
	program = append(program, readFrame()...)
	for s := range slots {
		if s == divertFrom {
			program = append(program, asm.JEq.Imm(asm.R9, testMark, "next"))
		}
		program = append(program, tryEntry(entries, s)...)
	}
	return append(program,
		asm.Mov.Imm(asm.R0, tcxNext).WithSymbol("next"),
		asm.Return(),
		asm.Mov.Imm(asm.R1, 1).WithSymbol("drop"),
		asm.Mov.Reg(asm.R2, asm.R0),
		asm.Add.Imm(asm.R2, int32(entryDropped)),
		asm.StoreXAdd(asm.R2, asm.R1, asm.DWord),
		asm.LoadMem(asm.R1, asm.R0, entryDivert, asm.Word),
		asm.JNE.Imm(asm.R1, 0, "divert"),
		asm.Mov.Imm(asm.R0, tcxDrop),
		asm.Return(),
		asm.Mov.Imm(asm.R2, 0).WithSymbol("divert"),
		asm.FnRedirect.Call(),
		asm.Return(),
	)
}

// within jumps away if the frame is shorter.
func within(length int32, otherwise string) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Reg(asm.R2, asm.R6),
		asm.Add.Imm(asm.R2, length),
		asm.JGT.Reg(asm.R2, asm.R7, otherwise),
	}
}

// keep copies a field of the frame to the stack.
func keep(from int16, to int16, size asm.Size) asm.Instructions {
	return asm.Instructions{asm.LoadMem(asm.R2, asm.R6, from, size), asm.StoreMem(asm.RFP, to, asm.R2, asm.Word)}
}

// keepAddr copies an IPv4 or IPv6 address to the stack.
func keepAddr(f lab.Family, from, to int16) asm.Instructions {
	if f == lab.IPv4 {
		return append(asm.Instructions{
			asm.StoreImm(asm.RFP, to, 0, asm.Word), asm.StoreImm(asm.RFP, to+4, 0, asm.Word), asm.StoreImm(asm.RFP, to+8, int64(mapped), asm.Word),
		}, keep(from, to+12, asm.Word)...)
	}
	var copied asm.Instructions
	for at := int16(0); at < 16; at += 4 {
		copied = append(copied, keep(from+at, to+at, asm.Word)...)
	}
	return copied
}

// mapped is the prefix of an IPv4-mapped IPv6 address.
var mapped = int32(binary.NativeEndian.Uint32([]byte{0, 0, 0xff, 0xff}))

// readFrame parses the fields that entries match.
func readFrame() asm.Instructions {
	read := asm.Instructions{asm.Mov.Imm(asm.R2, 0)}
	for at := int16(atTraits); at < atKey; at += 8 {
		read = append(read, asm.StoreMem(asm.RFP, at, asm.R2, asm.DWord))
	}
	read = append(read,
		asm.LoadMem(asm.R2, asm.R6, ethType, asm.Half),
		asm.JEq.Imm(asm.R2, network(ip.EtherARP), "arp"),
		asm.JEq.Imm(asm.R2, network(ip.EtherIPv4), "ipv4"),
		asm.JEq.Imm(asm.R2, network(ip.EtherIPv6), "ipv6"),
		asm.Ja.Label("known"),
	)
	read = append(read, readARP()...)
	read = append(read, readIPv4()...)
	read = append(read, readIPv6()...)
	read = append(read, readInside(lab.IPv4)...)
	read = append(read, readInside(lab.IPv6)...)
	return append(read, asm.Mov.Imm(asm.R2, 0).WithSymbol("known"))
}

// classIs stores the packet's class, at a label.
func classIs(c lab.Class, label string) asm.Instruction {
	return asm.StoreImm(asm.RFP, atClass, int64(c), asm.Word).WithSymbol(label)
}

func readARP() asm.Instructions {
	return slices.Concat(
		asm.Instructions{classIs(lab.ClassARP, "arp")},
		within(arpEnd, "known"), keepAddr(lab.IPv4, arpTarget, atTarget), keepAddr(lab.IPv4, arpSender, atSource),
		asm.Instructions{
			asm.LoadMem(asm.R2, asm.RFP, atSource+12, asm.Word),
			asm.LoadMem(asm.R3, asm.RFP, atTarget+12, asm.Word),
			asm.JNE.Reg(asm.R2, asm.R3, "known"),
			asm.StoreImm(asm.RFP, atTraits, traitGratuitous, asm.Word),
			asm.Ja.Label("known"),
		})
}

func readIPv4() asm.Instructions {
	return slices.Concat(asm.Instructions{classIs(lab.ClassIPv4, "ipv4")}, readIP(lab.IPv4, "ipv4", lookInside(ip.Len4, "ipv4")))
}

func readIPv6() asm.Instructions {
	return slices.Concat(
		asm.Instructions{classIs(lab.ClassIPv6, "ipv6")},
		readIP(lab.IPv6, "ipv6", slices.Concat(asm.Instructions{
			asm.LoadMem(asm.R2, asm.RFP, atProto, asm.Word),
			asm.JEq.Imm(asm.R2, lab.ProtoICMPv6, "icmp6"),
		}, lookInside(ip.Len6, "ipv6"))),
		asm.Instructions{asm.Mov.Imm(asm.R2, 0).WithSymbol("icmp6")},
		within(ndpEnd, "known"),
		asm.Instructions{
			asm.LoadMem(asm.R2, asm.R6, ip6End, asm.Byte),
			asm.JEq.Imm(asm.R2, ip.NeighbourSolicitation, "solicitation"),
			asm.JNE.Imm(asm.R2, ip.NeighbourAdvertisement, "known"),
			asm.StoreImm(asm.RFP, atClass, int64(lab.ClassNDP), asm.Word),
		},
		keepAddr(lab.IPv6, ndpTarget, atSource),
		asm.Instructions{
			asm.LoadMem(asm.R2, asm.R6, ndpFlags, asm.Byte),
			asm.And.Imm(asm.R2, ip.FlagSolicited),
			asm.JNE.Imm(asm.R2, 0, "known"),
			asm.StoreImm(asm.RFP, atTraits, traitGratuitous, asm.Word),
			asm.Ja.Label("target"),
			classIs(lab.ClassNDP, "solicitation"),
			asm.Mov.Imm(asm.R2, 0).WithSymbol("target"),
		},
		keepAddr(lab.IPv6, ndpTarget, atTarget),
		asm.Instructions{asm.Ja.Label("known")})
}

// readIP parses an IP header, and what follows it unless other instructions jump away.
func readIP(f lab.Family, name string, other asm.Instructions) asm.Instructions {
	at := headers[f]
	read := slices.Concat(within(int32(at.end), "known"),
		keep(at.proto, atProto, asm.Byte), keepAddr(f, at.source, atSource), keepAddr(f, at.target, atTarget))
	if f == lab.IPv4 {
		read = append(read,
			asm.LoadMem(asm.R2, asm.R6, ipVersion, asm.Byte),
			asm.JNE.Imm(asm.R2, ipv4NoOpts, "known"))
	}
	return slices.Concat(read, other, readPorts(at.end, name), asm.Instructions{asm.Ja.Label("known")})
}

// lookInside jumps to the parser of the inner packet if there is one (IP in IP). It advances the
// frame by the length of the outer header, so that the offsets in headers locate the inner one.
func lookInside(header int32, family string) asm.Instructions {
	within4, plain := family+"with4", family+"plain"
	return asm.Instructions{
		asm.LoadMem(asm.R2, asm.RFP, atProto, asm.Word),
		asm.JEq.Imm(asm.R2, lab.ProtoIPv4, within4),
		asm.JNE.Imm(asm.R2, lab.ProtoIPv6, plain),
		asm.Add.Imm(asm.R6, header),
		asm.Ja.Label(innerLabels[lab.IPv6]),
		asm.Add.Imm(asm.R6, header).WithSymbol(within4),
		asm.Ja.Label(innerLabels[lab.IPv4]),
		asm.Mov.Imm(asm.R2, 0).WithSymbol(plain),
	}
}

// innerLabels are the labels of the parsers of inner packets.
var innerLabels = [lab.Families]string{lab.IPv4: "inside4", lab.IPv6: "inside6"}

// readInside parses the inner packet. If it is incomplete, the outer packet's fields remain.
func readInside(f lab.Family) asm.Instructions {
	return slices.Concat(
		asm.Instructions{asm.Mov.Imm(asm.R2, 0).WithSymbol(innerLabels[f])},
		within(int32(headers[f].end), "known"),
		asm.Instructions{asm.StoreImm(asm.RFP, atClass, int64(lab.IPOf(f)), asm.Word)},
		readIP(f, innerLabels[f], nil))
}

// readPorts parses the ports and flags behind an IP header that ends at end.
func readPorts(end int16, family string) asm.Instructions {
	ports := family + "ports"
	return slices.Concat(
		asm.Instructions{
			asm.LoadMem(asm.R2, asm.RFP, atProto, asm.Word),
			asm.JEq.Imm(asm.R2, lab.ProtoUDP, ports),
			asm.JEq.Imm(asm.R2, lab.ProtoSCTP, ports),
			asm.JNE.Imm(asm.R2, lab.ProtoTCP, "known"),
			asm.Mov.Imm(asm.R2, 0).WithSymbol(ports),
		},
		within(int32(end+portsEnd-ipEnd), "known"),
		keep(end+portSource-ipEnd, atPorts, asm.Half), keep(end+portTarget-ipEnd, atPorts+4, asm.Half),
		asm.Instructions{
			asm.LoadMem(asm.R2, asm.RFP, atProto, asm.Word),
			asm.JNE.Imm(asm.R2, lab.ProtoTCP, "known"),
		},
		within(int32(end+tcpFlagsEnd-ipEnd), "known"),
		asm.Instructions{
			asm.LoadMem(asm.R2, asm.R6, end+tcpFlags-ipEnd, asm.Byte),
			asm.And.Imm(asm.R2, tcpSYN|tcpACK),
			asm.JNE.Imm(asm.R2, tcpSYN, "known"),
			asm.StoreImm(asm.RFP, atTraits, traitOpens, asm.Word),
		})
}

// lookUp leaves the sender's entry of a slot in R0; 0 if there is none.
func lookUp(entries *ebpf.Map, s slot) asm.Instructions {
	return asm.Instructions{
		asm.StoreImm(asm.RFP, atKey+6, int64(s), asm.Half),
		asm.LoadMapPtr(asm.R1, entries.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, atKey),
		asm.FnMapLookupElem.Call(),
	}
}

// tryEntry jumps to drop, with the entry in R0, if the slot's entry matches the frame and
// the random draw hits.
func tryEntry(entries *ebpf.Map, s slot) asm.Instructions {
	after := fmt.Sprintf("after%d", s)
	try := asm.Instructions{
		asm.Mov.Reg(asm.R1, asm.R8),
		asm.And.Imm(asm.R1, 1<<s),
		asm.JEq.Imm(asm.R1, 0, after),
	}
	try = append(try, lookUp(entries, s)...)
	try = append(try, asm.JEq.Imm(asm.R0, 0, after))
	try = append(try, isOfKind(s, after)...)
	// Knuth's MMIX LCG; the upper half is used.
	return append(try,
		asm.LoadMem(asm.R1, asm.R0, entryState, asm.DWord).WithSymbol(fmt.Sprintf("draw%d", s)),
		asm.LoadImm(asm.R2, 6364136223846793005, asm.DWord),
		asm.Mul.Reg(asm.R1, asm.R2),
		asm.LoadImm(asm.R2, 1442695040888963407, asm.DWord),
		asm.Add.Reg(asm.R1, asm.R2),
		asm.StoreMem(asm.R0, entryState, asm.R1, asm.DWord),
		asm.RSh.Imm(asm.R1, 32),
		asm.LoadMem(asm.R2, asm.R0, entryShare, asm.DWord),
		asm.JGE.Reg(asm.R1, asm.R2, after),
		asm.Ja.Label("drop"),
		asm.Mov.Imm(asm.R1, 0).WithSymbol(after),
	)
}

// isOfKind jumps to otherwise unless the frame matches the entry in R0; it implements
// lab.Match.Has.
func isOfKind(s slot, otherwise string) asm.Instructions {
	label := func(what string) string { return fmt.Sprintf("%s%d", what, s) }
	is := asm.Instructions{
		asm.LoadMem(asm.R1, asm.R0, entryClasses, asm.Word),
		asm.JEq.Imm(asm.R1, 0, label("class")),
		asm.LoadMem(asm.R2, asm.RFP, atClass, asm.Word),
		asm.And.Reg(asm.R1, asm.R2),
		asm.JEq.Imm(asm.R1, 0, otherwise),
		asm.LoadMem(asm.R1, asm.R0, entryProto, asm.Word).WithSymbol(label("class")),
		asm.JEq.Imm(asm.R1, 0, label("proto")),
		asm.LoadMem(asm.R2, asm.RFP, atProto, asm.Word),
		asm.JNE.Reg(asm.R1, asm.R2, otherwise),
		asm.LoadMem(asm.R1, asm.R0, entryTraits, asm.Word).WithSymbol(label("proto")),
		asm.LoadMem(asm.R2, asm.RFP, atTraits, asm.Word),
		asm.And.Reg(asm.R2, asm.R1),
		asm.JNE.Reg(asm.R1, asm.R2, otherwise),
		asm.LoadMem(asm.R1, asm.R0, entryPort, asm.Word),
		asm.JEq.Imm(asm.R1, 0, label("port")),
		asm.LoadMem(asm.R2, asm.RFP, atPorts, asm.Word),
		asm.JEq.Reg(asm.R1, asm.R2, label("port")),
		asm.LoadMem(asm.R2, asm.RFP, atPorts+4, asm.Word),
		asm.JNE.Reg(asm.R1, asm.R2, otherwise),
		asm.LoadMem(asm.R1, asm.R0, entryAddrs+8, asm.DWord).WithSymbol(label("port")),
		asm.JEq.Imm(asm.R1, 0, label("draw")), // the entry matches any address
		asm.LoadMem(asm.R2, asm.RFP, atSource, asm.DWord),
		asm.LoadMem(asm.R3, asm.RFP, atSource+8, asm.DWord),
		asm.LoadMem(asm.R4, asm.RFP, atTarget, asm.DWord),
		asm.LoadMem(asm.R5, asm.RFP, atTarget+8, asm.DWord),
	}
	for i := range int16(lab.MaxAddrs) {
		is = append(is, isAddr(entryAddrs+16*i, label(fmt.Sprintf("addr%d-", i)), label("draw"), otherwise)...)
	}
	return append(is, asm.Ja.Label(otherwise))
}

// isAddr jumps to found if the packet's source (R2, R3) or target (R4, R5) equals the
// entry's address, and to otherwise if not or if the entry has none (second half 0).
func isAddr(at int16, name, found, otherwise string) asm.Instructions {
	return asm.Instructions{
		asm.LoadMem(asm.R1, asm.R0, at+8, asm.DWord),
		asm.JEq.Imm(asm.R1, 0, otherwise),
		asm.JNE.Reg(asm.R1, asm.R3, name+"target"),
		asm.LoadMem(asm.R1, asm.R0, at, asm.DWord),
		asm.JEq.Reg(asm.R1, asm.R2, found),
		asm.LoadMem(asm.R1, asm.R0, at+8, asm.DWord).WithSymbol(name + "target"),
		asm.JNE.Reg(asm.R1, asm.R5, name+"next"),
		asm.LoadMem(asm.R1, asm.R0, at, asm.DWord),
		asm.JEq.Reg(asm.R1, asm.R4, found),
		asm.Mov.Imm(asm.R1, 0).WithSymbol(name + "next"),
	}
}

// network returns a 16-bit number as a host-order load reads it from a frame.
func network(n uint16) int32 {
	return int32(binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, n)))
}
