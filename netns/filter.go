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

// Offsets in struct __sk_buff.
const (
	skbMark    = 8
	skbData    = 76
	skbDataEnd = 80
)

// Offsets in a frame: Ethernet header, IPv4 header without options, UDP header.
const (
	ethSource   = 6
	ethType     = 12
	ethLen      = 14
	ipVersion   = ethLen
	ipProtocol  = ethLen + 9
	udpDestPort = ethLen + 20 + 2
	udpEnd      = ethLen + 20 + 8
)

const (
	etherIPv4   = 0x0800
	ipv4NoOpts  = 0x45
	protocolUDP = 17
	bfdPort     = 3784
)

// slot tells the entries of one sender in a filter apart.
type slot uint16

const (
	slotCut     slot = iota // everything
	slotCutBFD              // BFD packets alone
	slotLose                // a share of everything
	slotLoseBFD             // a share of the BFD packets
	slotLead                // everything, into a wire
	slotLeadBFD             // the BFD packets, into a wire
	slots
)

// filterKey is a sender, by its MAC address, and a slot.
type filterKey struct {
	MAC  [6]byte
	Slot uint16
}

// filterEntry says which share of a sender's frames are dropped, and counts those.
type filterEntry struct {
	Share   uint64 // of 2^32 frames
	OnlyBFD uint64 // 1: no others
	State   uint64 // of the random numbers
	Dropped uint64
	// Divert is the device to which frames are diverted instead of being dropped, 0 for none.
	Divert uint64
}

// all is the Share that drops every frame.
const all = 1 << 32

// filter is an attached tcx program that drops frames by their source, as its entries
// say. It stays attached: an entry takes hold, or is gone, within microseconds, whereas
// to attach or detach a program may take a loaded machine a tenth of a second.
type filter struct {
	place
	entries *ebpf.Map
	program *ebpf.Program
	link    link.Link
	id      uint32
	wire    *wire // nil until one is needed
}

// place is where a filter is attached.
type place struct {
	host    *Host
	ifindex int
	hook    ebpf.AttachType
}

// attachFilter attaches a filter before all other programs: a cut cable is cut for the
// dataplane's programs too.
func attachFilter(at place) (_ *filter, err error) {
	f := &filter{place: at}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	f.entries, err = ebpf.NewMap(&ebpf.MapSpec{Name: "baton_filter", Type: ebpf.Hash, KeySize: 8, ValueSize: 40, MaxEntries: 1024})
	if err != nil {
		return nil, fmt.Errorf("create the entries of a filter: %w", err)
	}
	f.program, err = ebpf.NewProgram(&ebpf.ProgramSpec{Name: "baton_filter", Type: ebpf.SchedCLS,
		License: "Apache-2.0", Instructions: filterInstructions(f.entries)})
	if err != nil {
		return nil, fmt.Errorf("load a filter: %w", err)
	}
	info, err := f.program.Info()
	if err != nil {
		return nil, fmt.Errorf("read the id of a filter: %w", err)
	}
	id, _ := info.ID()
	f.id = uint32(id)
	err = at.host.Do(func() (err error) {
		f.link, err = link.AttachTCX(link.TCXOptions{Interface: at.ifindex, Program: f.program, Attach: at.hook, Anchor: link.Head()})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("attach a filter: %w", err)
	}
	return f, nil
}

// needWire makes the filter's wire, if it has none.
func (f *filter) needWire() (err error) {
	if f.wire == nil {
		f.wire, err = newWire(f.host, f.ifindex)
	}
	return err
}

// filterInstructions look the frame's source up in each slot. R6 is the frame, R7 its
// end, R8 whether it is a BFD packet. What has crossed a wire already passes.
func filterInstructions(entries *ebpf.Map) asm.Instructions {
	program := asm.Instructions{
		asm.LoadMem(asm.R2, asm.R1, skbMark, asm.Word),
		asm.JEq.Imm(asm.R2, wireMark, "next"),
		asm.LoadMem(asm.R6, asm.R1, skbData, asm.Word),
		asm.LoadMem(asm.R7, asm.R1, skbDataEnd, asm.Word),
		asm.Mov.Reg(asm.R2, asm.R6),
		asm.Add.Imm(asm.R2, ethLen),
		asm.JGT.Reg(asm.R2, asm.R7, "next"),
		asm.LoadMem(asm.R2, asm.R6, ethSource, asm.Word),
		asm.StoreMem(asm.RFP, -8, asm.R2, asm.Word),
		asm.LoadMem(asm.R2, asm.R6, ethSource+4, asm.Half),
		asm.StoreMem(asm.RFP, -4, asm.R2, asm.Half),

		asm.Mov.Imm(asm.R8, 0),
		asm.Mov.Reg(asm.R2, asm.R6),
		asm.Add.Imm(asm.R2, udpEnd),
		asm.JGT.Reg(asm.R2, asm.R7, "known"),
		asm.LoadMem(asm.R2, asm.R6, ethType, asm.Half),
		asm.JNE.Imm(asm.R2, network(etherIPv4), "known"),
		asm.LoadMem(asm.R2, asm.R6, ipVersion, asm.Byte),
		asm.JNE.Imm(asm.R2, ipv4NoOpts, "known"),
		asm.LoadMem(asm.R2, asm.R6, ipProtocol, asm.Byte),
		asm.JNE.Imm(asm.R2, protocolUDP, "known"),
		asm.LoadMem(asm.R2, asm.R6, udpDestPort, asm.Half),
		asm.JNE.Imm(asm.R2, network(bfdPort), "known"),
		asm.Mov.Imm(asm.R8, 1),
		asm.Mov.Imm(asm.R2, 0).WithSymbol("known"),
	}
	for s := range slots {
		program = append(program, lookIn(entries, s)...)
	}
	return append(program,
		asm.Mov.Imm(asm.R0, tcxNext).WithSymbol("next"),
		asm.Return(),
		asm.Mov.Imm(asm.R1, 1).WithSymbol("drop"),
		asm.StoreXAdd(asm.R0, asm.R1, asm.DWord),
		asm.LoadMem(asm.R1, asm.R0, 8, asm.DWord), // Divert
		asm.JNE.Imm(asm.R1, 0, "divert"),
		asm.Mov.Imm(asm.R0, tcxDrop),
		asm.Return(),
		asm.Mov.Imm(asm.R2, 0).WithSymbol("divert"),
		asm.FnRedirect.Call(),
		asm.Return(),
	)
}

// lookIn jumps to drop, with R0 at the counter, if the entry of a slot says so. The random
// numbers are Knuth's MMIX congruence, of which the upper half is used.
func lookIn(entries *ebpf.Map, s slot) asm.Instructions {
	after := fmt.Sprintf("after%d", s)
	return asm.Instructions{
		asm.StoreImm(asm.RFP, -2, int64(s), asm.Half),
		asm.LoadMapPtr(asm.R1, entries.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, -8),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, after),
		asm.LoadMem(asm.R1, asm.R0, 8, asm.DWord),
		asm.JGT.Reg(asm.R1, asm.R8, after), // only BFD, and this is none
		asm.LoadMem(asm.R1, asm.R0, 16, asm.DWord),
		asm.LoadImm(asm.R2, 6364136223846793005, asm.DWord),
		asm.Mul.Reg(asm.R1, asm.R2),
		asm.LoadImm(asm.R2, 1442695040888963407, asm.DWord),
		asm.Add.Reg(asm.R1, asm.R2),
		asm.StoreMem(asm.R0, 16, asm.R1, asm.DWord),
		asm.RSh.Imm(asm.R1, 32),
		asm.LoadMem(asm.R2, asm.R0, 0, asm.DWord),
		asm.JGE.Reg(asm.R1, asm.R2, after),
		asm.Add.Imm(asm.R0, 24),
		asm.Ja.Label("drop"),
		asm.Mov.Imm(asm.R1, 0).WithSymbol(after),
	}
}

// network is a number of two bytes as a load in host byte order reads it from a frame.
func network(n uint16) int32 {
	return int32(binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, n)))
}

func keyOf(mac net.HardwareAddr, s slot) filterKey { return filterKey{[6]byte(mac), uint16(s)} }

// set makes an entry hold.
func (f *filter) set(key filterKey, entry filterEntry) error {
	if err := f.entries.Put(key, entry); err != nil {
		return fmt.Errorf("write the entry of a filter: %w", err)
	}
	return nil
}

// dropped is the number of frames that an entry has dropped.
func (f *filter) dropped(key filterKey) (uint64, error) {
	var entry filterEntry
	if err := f.entries.Lookup(key, &entry); err != nil {
		return 0, fmt.Errorf("read the entry of a filter: %w", err)
	}
	return entry.Dropped, nil
}

func (f *filter) unset(key filterKey) error {
	if err := f.entries.Delete(key); err != nil {
		return fmt.Errorf("delete the entry of a filter: %w", err)
	}
	return nil
}

// attached says why the program is not at its place, nil if it is.
func (f *filter) attached() error {
	return f.host.Do(func() error {
		there, err := link.QueryPrograms(link.QueryOptions{Target: f.ifindex, Attach: f.hook})
		if err != nil {
			return err
		}
		for _, program := range there.Programs {
			if uint32(program.ID) == f.id {
				return nil
			}
		}
		return fmt.Errorf("program %d is not among the %d attached", f.id, len(there.Programs))
	})
}

func (f *filter) close() error {
	var errs []error
	if f.wire != nil {
		errs = append(errs, f.wire.close())
	}
	if f.link != nil {
		errs = append(errs, f.link.Close())
	}
	if f.program != nil {
		errs = append(errs, f.program.Close())
	}
	if f.entries != nil {
		errs = append(errs, f.entries.Close())
	}
	return errors.Join(errs...)
}
