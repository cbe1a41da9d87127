package netns

import (
	"errors"
	"fmt"
	"net"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"baton/impl/flow"
	"baton/scenarios/lab"
)

// slot distinguishes the entries of one sender in a filter.
type slot uint16

const (
	slots      slot = 16 // per sender
	divertFrom slot = 10 // first slot that diverts into a wire; the slots before it drop, and are checked first
	// Of the dropping slots cuts take the first free one and losses the last free one, so that a loss
	// cannot take the test frame of a cut.
	slotUsed slot = 0xffff // pseudo slot; its Share is the bit mask of the slots in use
)

// filterKey is a sender's MAC address and a slot.
type filterKey struct {
	MAC  [6]byte
	Slot uint16
}

// filterEntry selects the frames of a sender to drop or divert, and counts them. Frame
// fields are in network byte order, as the program reads them; 0 matches any.
type filterEntry struct {
	Share   uint64 // dropped of 2^32 frames
	State   uint64 // of the random number generator
	Dropped uint64
	// Divert is the ifindex to which frames are diverted instead of dropped; 0 drops.
	Divert  uint32
	Classes uint32 // bit mask; 0 matches any class
	Proto   uint32
	Port    uint32 // source or destination
	Traits  uint32
	_       uint32
	Addrs   [lab.MaxAddrs]flow.Addr
}

// entryOf returns the entry that drops all packets of a kind.
func entryOf(m lab.Match) filterEntry {
	e := filterEntry{Share: all, Classes: uint32(m.Class), Proto: uint32(m.Proto), Port: uint32(network(m.Port)), Addrs: m.Addrs}
	if m.Opens {
		e.Traits |= traitOpens
	}
	if m.Gratuitous {
		e.Traits |= traitGratuitous
	}
	return e
}

// all is the Share that drops every frame.
const all = 1 << 32

// filter is an attached tcx program that drops or diverts frames by their sender, as its
// entries say. It stays attached: changing an entry takes microseconds, attaching or
// detaching a program up to a tenth of a second on a loaded machine.
type filter struct {
	attachPoint
	entries *ebpf.Map
	program *ebpf.Program
	link    link.Link
	id      uint32
	wire    *wire              // nil until one is needed
	used    map[[6]byte]uint64 // bit mask of the slots in use, by sender
}

// attachPoint is where a filter is attached.
type attachPoint struct {
	host    *Host
	ifindex int
	hook    ebpf.AttachType
}

// attachFilter attaches a filter before all other programs, so that a cut also hides frames
// from the dataplane's programs.
func attachFilter(at attachPoint) (_ *filter, err error) {
	f := &filter{attachPoint: at, used: map[[6]byte]uint64{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	f.entries, err = ebpf.NewMap(filterEntries())
	if err != nil {
		return nil, fmt.Errorf("create the entries of a filter: %w", err)
	}
	f.program, err = ebpf.NewProgram(filterProgram(f.entries))
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

func filterEntries() *ebpf.MapSpec {
	return &ebpf.MapSpec{Name: "baton_filter", Type: ebpf.Hash, KeySize: 8, ValueSize: uint32(unsafe.Sizeof(filterEntry{})), MaxEntries: 1024}
}

func filterProgram(entries *ebpf.Map) *ebpf.ProgramSpec {
	return &ebpf.ProgramSpec{Name: "baton_filter", Type: ebpf.SchedCLS, License: "Apache-2.0", Instructions: filterInstructions(entries)}
}

// needWire makes the filter's wire if it has none.
func (f *filter) needWire() (err error) {
	if f.wire == nil {
		f.wire, err = newWire(f.host, f.ifindex)
	}
	return err
}

// claim allocates a slot of a sender for a rule.
func (f *filter) claim(sender net.HardwareAddr, r *rule) (filterKey, error) {
	mac := [6]byte(sender)
	from, to := slot(0), divertFrom
	if r.params != nil {
		from, to = divertFrom, slots
	}
	for i := range to - from {
		s := from + i
		if r.share > 0 {
			s = to - 1 - i
		}
		if f.used[mac]&(1<<s) == 0 {
			return filterKey{mac, uint16(s)}, nil
		}
	}
	return filterKey{}, fmt.Errorf("%s already has %d rules", sender, to-from)
}

// set writes an entry.
func (f *filter) set(key filterKey, entry filterEntry) error {
	if err := f.entries.Put(key, entry); err != nil {
		return fmt.Errorf("write the entry of a filter: %w", err)
	}
	return f.use(key.MAC, f.used[key.MAC]|1<<key.Slot)
}

// use tells the program which slots of a sender are in use.
func (f *filter) use(mac [6]byte, used uint64) error {
	f.used[mac] = used
	if err := f.entries.Put(filterKey{mac, uint16(slotUsed)}, filterEntry{Share: used}); err != nil {
		return fmt.Errorf("write the slots of a filter: %w", err)
	}
	return nil
}

func (f *filter) dropped(key filterKey) (uint64, error) {
	var entry filterEntry
	if err := f.entries.Lookup(key, &entry); err != nil {
		return 0, fmt.Errorf("read the entry of a filter: %w", err)
	}
	return entry.Dropped, nil
}

func (f *filter) unset(key filterKey) error {
	if err := f.use(key.MAC, f.used[key.MAC]&^(1<<key.Slot)); err != nil {
		return err
	}
	if err := f.entries.Delete(key); err != nil {
		return fmt.Errorf("delete the entry of a filter: %w", err)
	}
	return nil
}

// attached returns an error if the program is not attached at its attach point.
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
