package bfdio

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// ipOffsets are where an IP header holds what a filter reads. They count from its
// first byte, with which the data of a packet socket of type SOCK_DGRAM begins.
type ipOffsets struct{ protocol, destination uint32 }

var (
	ipv4Offsets = ipOffsets{protocol: 9, destination: 16}
	ipv6Offsets = ipOffsets{protocol: 6, destination: 24}
)

// keepAll is as much of a packet as there is.
const keepAll = 0xffff

// echoFilter returns a classic BPF program that keeps the UDP packets to the echo
// port of one of the addresses. All that the link carries runs through it, so the
// protocol, by which most is told apart, comes first.
func echoFilter(v6 bool, addresses []netip.Addr) (*unix.SockFprog, error) {
	offsets, port := ipv4Offsets, []bpf.Instruction{
		bpf.LoadAbsolute{Off: 6, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: ipv4Fragment, SkipTrue: 1},
		bpf.RetConstant{},
		bpf.LoadMemShift{Off: 0},
		bpf.LoadIndirect{Off: 2, Size: 2},
	}
	if v6 {
		offsets, port = ipv6Offsets, []bpf.Instruction{bpf.LoadAbsolute{Off: ipv6HeaderLen + 2, Size: 2}}
	}
	program := []bpf.Instruction{
		bpf.LoadAbsolute{Off: offsets.protocol, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_UDP, SkipTrue: 1},
		bpf.RetConstant{},
	}
	program = append(program, port...)
	program = append(program, bpf.JumpIf{Cond: bpf.JumpEqual, Val: EchoPort, SkipTrue: 1}, bpf.RetConstant{})
	for _, a := range addresses {
		program = append(program, keepDestination(offsets.destination, a.AsSlice())...)
	}
	return assemble(append(program, bpf.RetConstant{}))
}

// keepDestination keeps packets to one address, which it compares four bytes at a time.
func keepDestination(offset uint32, address []byte) (program []bpf.Instruction) {
	for ; len(address) > 0; address, offset = address[4:], offset+4 {
		rest := uint8(len(address)/4-1)*2 + 1 // instructions behind this comparison
		program = append(program, bpf.LoadAbsolute{Off: offset, Size: 4},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: binary.BigEndian.Uint32(address), SkipFalse: rest})
	}
	return append(program, bpf.RetConstant{Val: keepAll})
}

func assemble(program []bpf.Instruction) (*unix.SockFprog, error) {
	raw, err := bpf.Assemble(program)
	if err != nil {
		return nil, err
	}
	filter := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		filter[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	return &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}, nil
}
