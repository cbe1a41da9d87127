package bfdio

import (
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"baton/impl/bfd"
)

// Drops counts the packets that a filter has discarded.
type Drops struct {
	Reasons   [bfd.DropKinds]uint64 // by bfd.Drop
	Strangers uint64                // of other senders than the peer
}

// stranger is where packets of other senders are counted, behind the reasons of a session.
const stranger = bfd.DropKinds

// dropCounters are a filter's Drops, where its program counts them.
type dropCounters struct{ counters *ebpf.Map }

func newDropCounters() (c dropCounters, err error) {
	c.counters, err = ebpf.NewMap(&ebpf.MapSpec{Name: "bfd_drops", Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: uint32(stranger) + 1})
	if err != nil {
		return c, fmt.Errorf("counters: %w", err)
	}
	return c, nil
}

// drop is where a program jumps to, by the label "drop", to discard a packet for the
// reason in R7. It uses the stack at key.
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

// lookUp leaves in R0 what a map has for the key on the stack, 0 for nothing.
func lookUp(m *ebpf.Map, key int16) asm.Instructions {
	return asm.Instructions{
		asm.LoadMapPtr(asm.R1, m.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, int32(key)),
		asm.FnMapLookupElem.Call(),
	}
}

// read returns what has been counted.
func (c dropCounters) read() (drops Drops, err error) {
	for i := range stranger + 1 {
		n := &drops.Strangers
		if i < stranger {
			n = &drops.Reasons[i]
		}
		if err := c.counters.Lookup(uint32(i), n); err != nil {
			return Drops{}, fmt.Errorf("bfdio: read the filter's counters: %w", err)
		}
	}
	return drops, nil
}
