package netns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
)

// What a tcx program returns (linux/bpf.h): hand the frame to the next program,
// or drop it.
const (
	tcxNext = -1
	tcxDrop = 2
)

// Offsets in struct __sk_buff of the pointers to the frame.
const (
	skbData    = 76
	skbDataEnd = 80
)

// Ethernet header.
const (
	ethSource = 6
	ethLen    = 14
)

// dropper is an attached tcx program that drops the frames of one source MAC and
// counts them.
type dropper struct {
	counter *ebpf.Map
	program *ebpf.Program
	link    link.Link
	id      uint32
}

// attachDropper must run inside the namespace of the interface. The program goes
// before all others: a cut cable is cut for the dataplane's programs too.
func attachDropper(ifindex int, hook ebpf.AttachType, source net.HardwareAddr) (_ *dropper, err error) {
	d := &dropper{}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	d.counter, err = ebpf.NewMap(&ebpf.MapSpec{Name: "baton_cut", Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	if err != nil {
		return nil, fmt.Errorf("create drop counter: %w", err)
	}
	d.program, err = ebpf.NewProgram(&ebpf.ProgramSpec{Name: "baton_cut", Type: ebpf.SchedCLS,
		License: "Apache-2.0", Instructions: dropInstructions(d.counter, source)})
	if err != nil {
		return nil, fmt.Errorf("load drop program: %w", err)
	}
	info, err := d.program.Info()
	if err != nil {
		return nil, fmt.Errorf("read the id of the drop program: %w", err)
	}
	id, _ := info.ID()
	d.id = uint32(id)
	d.link, err = link.AttachTCX(link.TCXOptions{Interface: ifindex, Program: d.program, Attach: hook, Anchor: link.Head()})
	if err != nil {
		return nil, fmt.Errorf("attach drop program: %w", err)
	}
	return d, nil
}

// dropInstructions drop and count a frame whose source MAC is the given one.
func dropInstructions(counter *ebpf.Map, source net.HardwareAddr) asm.Instructions {
	// The program compares what a load in host byte order gives.
	high := int32(binary.NativeEndian.Uint32(source[0:4]))
	low := int32(binary.NativeEndian.Uint16(source[4:6]))
	return asm.Instructions{
		asm.LoadMem(asm.R2, asm.R1, skbData, asm.Word),
		asm.LoadMem(asm.R3, asm.R1, skbDataEnd, asm.Word),
		asm.Mov.Reg(asm.R4, asm.R2),
		asm.Add.Imm(asm.R4, ethLen),
		asm.JGT.Reg(asm.R4, asm.R3, "next"),
		asm.LoadMem(asm.R5, asm.R2, ethSource, asm.Word),
		asm.JNE.Imm32(asm.R5, high, "next"),
		asm.LoadMem(asm.R5, asm.R2, ethSource+4, asm.Half),
		asm.JNE.Imm32(asm.R5, low, "next"),
		asm.LoadMapValue(asm.R1, counter.FD(), 0),
		asm.Mov.Imm(asm.R2, 1),
		asm.StoreXAdd(asm.R1, asm.R2, asm.DWord),
		asm.Mov.Imm(asm.R0, tcxDrop),
		asm.Return(),
		asm.Mov.Imm(asm.R0, tcxNext).WithSymbol("next"),
		asm.Return(),
	}
}

// dropped is the number of frames that were dropped so far.
func (d *dropper) dropped() (uint64, error) {
	var n uint64
	if err := d.counter.Lookup(uint32(0), &n); err != nil {
		return 0, fmt.Errorf("read drop counter: %w", err)
	}
	return n, nil
}

func (d *dropper) close() error {
	var errs []error
	if d.link != nil {
		errs = append(errs, d.link.Close())
	}
	if d.program != nil {
		errs = append(errs, d.program.Close())
	}
	if d.counter != nil {
		errs = append(errs, d.counter.Close())
	}
	return errors.Join(errs...)
}
