package bpf

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// pins are a node's files in a bpffs, which keep its table and its programs in the kernel
// when its process ends. The record is written last. Without a record the files are left
// from a process that did not complete Open, and are removed. All methods accept nil, which
// pins nothing.
type pins struct {
	dir      string
	specs    []familySpec
	lock     *os.File // locks the folder for one process at a time
	record   *ebpf.Map
	value    pinRecord
	taken    map[string]*ebpf.Map // adopted maps by file name, until release
	adoption dataplane.Adoption
}

// Files of the folder. There is one file per family for each table and each link.
const (
	pinnedRecord  = "record"
	pinnedControl = lbMapControl
)

// pinnedTables returns the maps of the connection table of a family.
func pinnedTables(suffix string) []string {
	if suffix == suffix4 {
		return []string{lbMapConns, lbMapReplies, lbMapTunnelEnds}
	}
	return []string{lbMapConns, lbMapReplies}
}

// openPins locks the configured folder and adopts its contents if they fit.
func openPins(cfg dataplane.Config, specs []familySpec) (*pins, error) {
	if cfg.Pin == "" {
		return nil, nil
	}
	p := &pins{dir: cfg.Pin, specs: specs, value: pinRecord{Layout: layoutOf(specs), MaxFlows: uint32(cfg.MaxFlows), Families: uint32(len(specs))}}
	if err := p.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("bpf: pin: %w", err), p.close())
	}
	return p, nil
}

func (p *pins) open() (err error) {
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return err
	}
	var in unix.Statfs_t
	if err := unix.Statfs(p.dir, &in); err != nil {
		return fmt.Errorf("%s: %w", p.dir, err)
	}
	if in.Type != unix.BPF_FS_MAGIC {
		return fmt.Errorf("%s is not in a bpffs (mount -t bpf bpf /sys/fs/bpf)", p.dir)
	}
	if p.lock, err = os.Open(p.dir); err != nil {
		return err
	}
	if err := unix.Flock(int(p.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("%s is another process's: %w", p.dir, err)
	}
	if err := p.adopt(); err == nil {
		return nil
	}
	return p.begin()
}

// adopt adopts the pinned maps if they fit. It first ends the earlier process's lease,
// because from now on this process is responsible for forwarding.
func (p *pins) adopt() error {
	p.taken = map[string]*ebpf.Map{}
	ended, err := p.endLease()
	if err == nil {
		err = p.read()
	}
	if err == nil {
		err = p.loadTables()
	}
	switch {
	case err == nil:
		p.adoption.Taken, p.adoption.Pedigree = true, p.value.pedigree()
		p.adoption.Pedigree.Ended = ended
	case !errors.Is(err, fs.ErrNotExist):
		p.adoption.Refused = err.Error()
	}
	return err
}

// endLease ends the earlier process's lease, and returns when it would have expired.
func (p *pins) endLease() (clock.Instant, error) {
	control, err := p.load(pinnedControl)
	if err != nil {
		return 0, err
	}
	var left lbControl
	if err := control.Lookup(uint32(0), &left); err != nil {
		return 0, fmt.Errorf("read its lease: %w", err)
	}
	if err := control.Put(uint32(0), lbControl{}); err != nil {
		return 0, fmt.Errorf("end its lease: %w", err)
	}
	return clock.Instant(left.LeaseExpiry), nil
}

// read reads the record and checks that the pinned maps fit.
func (p *pins) read() (err error) {
	if p.record, err = ebpf.LoadPinnedMap(p.path(pinnedRecord), nil); err != nil {
		return err
	}
	var found pinRecord
	if p.record.ValueSize() != recordBytes {
		return fmt.Errorf("its record has %d bytes, not %d", p.record.ValueSize(), recordBytes)
	}
	if err := p.record.Lookup(uint32(0), &found); err != nil {
		return fmt.Errorf("read its record: %w", err)
	}
	if err := found.fits(&p.value); err != nil {
		return err
	}
	p.value = found
	return nil
}

// loadTables loads the tables. The record may say that they fit while the files are others.
func (p *pins) loadTables() error {
	for i, suffix := range []string{suffix4, suffix6}[:p.value.Families] {
		for _, table := range pinnedTables(suffix) {
			m, err := p.load(table + suffix)
			if err != nil {
				return fmt.Errorf("its table %s is not there: %v", table+suffix, err)
			}
			if err := p.specs[i].programs.Maps[table].Compatible(m); err != nil {
				return fmt.Errorf("its table %s is another map: %w", table+suffix, err)
			}
		}
	}
	return nil
}

func (p *pins) load(name string) (*ebpf.Map, error) {
	m, err := ebpf.LoadPinnedMap(p.path(name), nil)
	if err == nil {
		p.taken[name] = m
	}
	return m, err
}

// begin clears the folder, which detaches the programs pinned there, and makes a new
// record.
func (p *pins) begin() (err error) {
	p.release()
	if p.record != nil {
		p.record.Close()
	}
	files, err := os.ReadDir(p.dir)
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := os.Remove(p.path(file.Name())); err != nil {
			return err
		}
	}
	p.record, err = ebpf.NewMap(&ebpf.MapSpec{Name: pinnedRecord, Type: ebpf.Array, KeySize: 4, ValueSize: recordBytes, MaxEntries: 1})
	return err
}

func (p *pins) path(name string) string { return filepath.Join(p.dir, name) }

// maps returns the existing maps for the programs of a family: the shared ones and the
// adopted ones.
func (p *pins) maps(suffix string, shared map[string]*ebpf.Map) map[string]*ebpf.Map {
	if p == nil || !p.adoption.Taken {
		return shared
	}
	all := maps.Clone(shared)
	if all == nil {
		all = map[string]*ebpf.Map{lbMapControl: p.taken[pinnedControl]}
	}
	for _, table := range pinnedTables(suffix) {
		all[table] = p.taken[table+suffix]
	}
	return all
}

// release closes the adopted maps. The programs hold their own references by now.
func (p *pins) release() {
	if p == nil {
		return
	}
	for _, m := range p.taken {
		m.Close()
	}
	p.taken = nil
}

// replace makes the pinned link of a side run a program. It returns nil if no link is
// pinned or the link's device is gone.
func (p *pins) replace(name string, program *ebpf.Program, on *net.Interface) (link.Link, error) {
	if p == nil {
		return nil, nil
	}
	l, err := link.LoadPinnedLink(p.path(name), nil)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	info, err := l.Info()
	if err == nil && attachedTo(info) == on.Index {
		return l, l.Update(program)
	}
	return nil, errors.Join(err, l.Close(), os.Remove(p.path(name)))
}

// attachedTo returns the index of the device to which a link is attached; 0 if none.
func attachedTo(info *link.Info) int {
	switch {
	case info.TCX() != nil:
		return int(info.TCX().Ifindex)
	case info.XDP() != nil:
		return int(info.XDP().Ifindex)
	}
	return 0
}

// drop removes pinned links, which detaches their programs.
func (p *pins) drop(names []string) error {
	if p == nil {
		return nil
	}
	for _, name := range names {
		if err := os.Remove(p.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("bpf: unpin: %w", err)
		}
	}
	return nil
}

// pin pins a new link.
func (p *pins) pin(name string, l link.Link) error {
	if p == nil {
		return nil
	}
	return l.Pin(p.path(name))
}

// complete pins what is not pinned yet, the record last.
func (p *pins) complete(families []tables) error {
	if p == nil || p.adoption.Taken {
		return nil
	}
	for _, f := range families {
		for i, m := range f.pinned() {
			if err := m.Pin(p.path(pinnedTables(f.suffix())[i] + f.suffix())); err != nil {
				return fmt.Errorf("bpf: pin %s: %w", m, err)
			}
		}
	}
	if err := families[0].objects().Control.Pin(p.path(pinnedControl)); err != nil {
		return fmt.Errorf("bpf: pin control: %w", err)
	}
	if err := p.keep(p.value.pedigree()); err != nil {
		return err
	}
	if err := p.record.Pin(p.path(pinnedRecord)); err != nil {
		return fmt.Errorf("bpf: pin the record: %w", err)
	}
	return nil
}

// keep writes the pedigree into the record with one write.
func (p *pins) keep(of flow.Pedigree) error {
	p.value = p.value.with(of)
	if err := p.record.Put(uint32(0), p.value); err != nil {
		return fmt.Errorf("bpf: keep the table's pedigree: %w", err)
	}
	return nil
}

// close unlocks the folder. The files stay.
func (p *pins) close() error {
	if p == nil {
		return nil
	}
	p.release()
	var errs []error
	if p.record != nil {
		errs = append(errs, p.record.Close())
	}
	if p.lock != nil {
		errs = append(errs, p.lock.Close())
	}
	return errors.Join(errs...)
}

// Adopted implements dataplane.Dataplane.
func (d *Dataplane) Adopted() dataplane.Adoption {
	if d.pins == nil {
		return dataplane.Adoption{}
	}
	return d.pins.adoption
}

// Keep implements dataplane.Dataplane.
func (d *Dataplane) Keep(p flow.Pedigree) error {
	if d.pins == nil {
		return nil
	}
	return d.pins.keep(p)
}
