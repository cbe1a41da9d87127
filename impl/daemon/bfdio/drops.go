package bfdio

import (
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"baton/impl/bfd"
)

// Drops counts the packets that a filter has discarded.
type Drops struct {
	Reasons          [bfd.DropKinds]uint64 // by bfd.Drop
	UnexpectedSource uint64                // from another address than the peer's
}

// unexpectedSource is the counter of packets from other senders; it follows a session's
// drop reasons.
const unexpectedSource = bfd.DropKinds

// dropCounters are a filter's Drops, counted by its program.
type dropCounters struct{ counters *ebpf.Map }

func newDropCounters() (c dropCounters, err error) {
	c.counters, err = ebpf.NewMap(&ebpf.MapSpec{Name: "bfd_drops", Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: uint32(unexpectedSource) + 1})
	if err != nil {
		return c, fmt.Errorf("counters: %w", err)
	}
	return c, nil
}

// drop is the target of the jumps to the label "drop": it counts the packet by the reason
// in R7 and discards it. It uses the stack at key.
func (c dropCounters) drop(key int16) asm.Instructions {
	program := append(asm.Instructions{
		asm.StoreMem(asm.RFP, key, asm.R7, asm.Word).WithSymbol("drop"),
	}, lookUp(c.counters, key)...)
	return append(program,
		asm.JEq.Imm(asm.R0, 0, "counted"),
		asm.Mov.Imm(asm.R1, 1),
		asm.StoreXAdd(asm.R0, asm.R1, asm.DWord),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("counted"),
		asm.Return(),
	)
}

// lookUp leaves in R0 the map's value for the key on the stack, 0 if there is none.
func lookUp(m *ebpf.Map, key int16) asm.Instructions {
	return asm.Instructions{
		asm.LoadMapPtr(asm.R1, m.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, int32(key)),
		asm.FnMapLookupElem.Call(),
	}
}

// read returns the counters.
func (c dropCounters) read() (drops Drops, err error) {
	for i := range unexpectedSource + 1 {
		n := &drops.UnexpectedSource
		if i < unexpectedSource {
			n = &drops.Reasons[i]
		}
		if err := c.counters.Lookup(uint32(i), n); err != nil {
			return Drops{}, fmt.Errorf("bfdio: read the filter's counters: %w", err)
		}
	}
	return drops, nil
}
