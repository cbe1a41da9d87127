package netns

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"baton/scenarios/lab"
)

// What a tcx program returns (linux/bpf.h): hand the frame to the next program,
// or drop it.
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

const (
	ipv4NoOpts = 0x45
	tcpSYN     = 0x02
	tcpACK     = 0x10
)

// Where the program keeps on its stack what it has read of the frame: the key, and the
// packet as lab.Packet has it, in network byte order.
const (
	atKey    = -8
	atEther  = -16
	atProto  = -12
	atSource = -24
	atTarget = -20
	atPorts  = -32 // source; the target's is 4 behind
	atTraits = -40
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
	entryEther   = int16(unsafe.Offsetof(filterEntry{}.Ether))
	entryProto   = int16(unsafe.Offsetof(filterEntry{}.Proto))
	entryPort    = int16(unsafe.Offsetof(filterEntry{}.Port))
	entryTraits  = int16(unsafe.Offsetof(filterEntry{}.Traits))
	entryAddrs   = int16(unsafe.Offsetof(filterEntry{}.Addrs))
)

// filterInstructions look the sender's slots up, and in each that is used whether the
// frame is of the entry's kind. R6 is the frame, R7 its end, R8 the slots in use. What has
// crossed a wire already passes.
func filterInstructions(entries *ebpf.Map) asm.Instructions {
	program := asm.Instructions{
		asm.LoadMem(asm.R2, asm.R1, skbMark, asm.Word),
		asm.JEq.Imm(asm.R2, wireMark, "next"),
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

// readFrame reads what kinds of packets are told by.
func readFrame() asm.Instructions {
	read := asm.Instructions{
		asm.Mov.Imm(asm.R2, 0),
		asm.StoreMem(asm.RFP, atEther, asm.R2, asm.DWord),
		asm.StoreMem(asm.RFP, atSource, asm.R2, asm.DWord),
		asm.StoreMem(asm.RFP, atPorts, asm.R2, asm.DWord),
		asm.StoreMem(asm.RFP, atTraits, asm.R2, asm.DWord),
	}
	part := func(more ...asm.Instructions) {
		for _, m := range more {
			read = append(read, m...)
		}
	}
	part(keep(ethType, atEther, asm.Half),
		asm.Instructions{asm.JNE.Imm(asm.R2, network(lab.EtherARP), "ipv4")},
		within(arpEnd, "known"), keep(arpTarget, atTarget, asm.Word), keep(arpSender, atSource, asm.Word),
		asm.Instructions{
			asm.LoadMem(asm.R3, asm.RFP, atTarget, asm.Word),
			asm.JNE.Reg(asm.R2, asm.R3, "known"),
			asm.StoreImm(asm.RFP, atTraits, traitGratuitous, asm.Word),
			asm.Ja.Label("known"),
			asm.LoadMem(asm.R2, asm.RFP, atEther, asm.Word).WithSymbol("ipv4"),
			asm.JNE.Imm(asm.R2, network(lab.EtherIPv4), "known"),
		},
		within(ipEnd, "known"), keep(ipProtocol, atProto, asm.Byte), keep(ipSource, atSource, asm.Word), keep(ipTarget, atTarget, asm.Word),
		asm.Instructions{
			asm.LoadMem(asm.R2, asm.R6, ipVersion, asm.Byte),
			asm.JNE.Imm(asm.R2, ipv4NoOpts, "known"),
			asm.LoadMem(asm.R2, asm.RFP, atProto, asm.Word),
			asm.JEq.Imm(asm.R2, lab.ProtoUDP, "ports"),
			asm.JNE.Imm(asm.R2, lab.ProtoTCP, "known"),
			asm.Mov.Imm(asm.R2, 0).WithSymbol("ports"),
		},
		within(portsEnd, "known"), keep(portSource, atPorts, asm.Half), keep(portTarget, atPorts+4, asm.Half),
		asm.Instructions{
			asm.LoadMem(asm.R2, asm.RFP, atProto, asm.Word),
			asm.JNE.Imm(asm.R2, lab.ProtoTCP, "known"),
		},
		within(tcpFlagsEnd, "known"),
		asm.Instructions{
			asm.LoadMem(asm.R2, asm.R6, tcpFlags, asm.Byte),
			asm.And.Imm(asm.R2, tcpSYN|tcpACK),
			asm.JNE.Imm(asm.R2, tcpSYN, "known"),
			asm.StoreImm(asm.RFP, atTraits, traitOpens, asm.Word),
			asm.Mov.Imm(asm.R2, 0).WithSymbol("known"),
		})
	return read
}

// lookUp leaves in R0 the entry of the sender in a slot, 0 if there is none.
func lookUp(entries *ebpf.Map, s slot) asm.Instructions {
	return asm.Instructions{
		asm.StoreImm(asm.RFP, atKey+6, int64(s), asm.Half),
		asm.LoadMapPtr(asm.R1, entries.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, atKey),
		asm.FnMapLookupElem.Call(),
	}
}

// tryEntry jumps to drop, with R0 at the entry, if that of a slot concerns the frame and
// chance wants it.
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
	// Knuth's MMIX congruence, of which the upper half is used.
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

// isOfKind jumps away unless the frame is of the kind of the entry in R0: lab.Match.Has.
func isOfKind(s slot, otherwise string) asm.Instructions {
	label := func(what string) string { return fmt.Sprintf("%s%d", what, s) }
	var is asm.Instructions
	for _, field := range []struct {
		name   string
		entry  int16
		packet int16
	}{{"ether", entryEther, atEther}, {"proto", entryProto, atProto}} {
		is = append(is,
			asm.LoadMem(asm.R1, asm.R0, field.entry, asm.Word),
			asm.JEq.Imm(asm.R1, 0, label(field.name)),
			asm.LoadMem(asm.R2, asm.RFP, field.packet, asm.Word),
			asm.JNE.Reg(asm.R1, asm.R2, otherwise),
			asm.Mov.Imm(asm.R1, 0).WithSymbol(label(field.name)),
		)
	}
	is = append(is,
		asm.LoadMem(asm.R1, asm.R0, entryTraits, asm.Word),
		asm.LoadMem(asm.R2, asm.RFP, atTraits, asm.Word),
		asm.And.Reg(asm.R2, asm.R1),
		asm.JNE.Reg(asm.R1, asm.R2, otherwise),
		asm.LoadMem(asm.R1, asm.R0, entryPort, asm.Word),
		asm.JEq.Imm(asm.R1, 0, label("port")),
		asm.LoadMem(asm.R2, asm.RFP, atPorts, asm.Word),
		asm.JEq.Reg(asm.R1, asm.R2, label("port")),
		asm.LoadMem(asm.R2, asm.RFP, atPorts+4, asm.Word),
		asm.JNE.Reg(asm.R1, asm.R2, otherwise),
		asm.LoadMem(asm.R1, asm.R0, entryAddrs, asm.Word).WithSymbol(label("port")),
		asm.JEq.Imm(asm.R1, 0, label("draw")), // no address decides
		asm.LoadMem(asm.R2, asm.RFP, atSource, asm.Word),
		asm.LoadMem(asm.R3, asm.RFP, atTarget, asm.Word),
	)
	for i := range int16(lab.MaxAddrs) {
		is = append(is,
			asm.LoadMem(asm.R1, asm.R0, entryAddrs+4*i, asm.Word),
			asm.JEq.Imm(asm.R1, 0, otherwise),
			asm.JEq.Reg(asm.R1, asm.R2, label("draw")),
			asm.JEq.Reg(asm.R1, asm.R3, label("draw")),
		)
	}
	return append(is, asm.Ja.Label(otherwise))
}

// network is a number of two bytes as a load in host byte order reads it from a frame.
func network(n uint16) int32 {
	return int32(binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, n)))
}

// packetOf reads of a frame what kinds of packets are told by, as the program does.
func packetOf(frame []byte) (p lab.Packet) {
	port := func(at int) uint16 { return binary.BigEndian.Uint16(frame[at:]) }
	p.Ether = port(ethType)
	switch {
	case p.Ether == lab.EtherARP && len(frame) >= arpEnd:
		p.Src, p.Dst = [4]byte(frame[arpSender:]), [4]byte(frame[arpTarget:])
		return p
	case p.Ether != lab.EtherIPv4 || len(frame) < ipEnd:
		return p
	}
	p.Proto, p.Src, p.Dst = frame[ipProtocol], [4]byte(frame[ipSource:]), [4]byte(frame[ipTarget:])
	if frame[ipVersion] != ipv4NoOpts || p.Proto != lab.ProtoTCP && p.Proto != lab.ProtoUDP || len(frame) < portsEnd {
		return p
	}
	p.SrcPort, p.DstPort = port(portSource), port(portTarget)
	p.Opens = p.Proto == lab.ProtoTCP && len(frame) >= tcpFlagsEnd && frame[tcpFlags]&(tcpSYN|tcpACK) == tcpSYN
	return p
}
