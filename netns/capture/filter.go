package capture

import (
	"fmt"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// socketFilter is the classic BPF program of a capture socket: it accepts IP and ARP frames
// of the given interfaces (all if there are none), cut to snap bytes; received frames only
// if incoming is set.
func socketFilter(interfaces []int, incoming bool, snap int) ([]unix.SockFilter, error) {
	var program []bpf.Instruction
	if !incoming {
		program = append(program,
			bpf.LoadExtension{Num: bpf.ExtType},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.PACKET_OUTGOING, SkipTrue: 1},
			bpf.RetConstant{Val: 0})
	}
	if len(interfaces) > 0 {
		program = append(program, bpf.LoadExtension{Num: bpf.ExtInterfaceIndex})
		for i, index := range interfaces {
			// Jump over the rest of the list and the return after it.
			rest := uint8(len(interfaces) - i)
			program = append(program, bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(index), SkipTrue: rest})
		}
		program = append(program, bpf.RetConstant{Val: 0})
	}
	program = append(program,
		bpf.LoadAbsolute{Off: 12, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: etherIPv4, SkipTrue: 3},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: etherIPv6, SkipTrue: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: etherARP, SkipTrue: 1},
		bpf.RetConstant{Val: 0},
		bpf.RetConstant{Val: uint32(snap)})

	raw, err := bpf.Assemble(program)
	if err != nil {
		return nil, fmt.Errorf("capture: assemble socket filter: %w", err)
	}
	filter := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		filter[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	return filter, nil
}
