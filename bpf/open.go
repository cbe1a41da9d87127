package bpf

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"

	"baton/impl/clock"
	"baton/impl/clock/boottime"
	"baton/impl/dataplane"
	"baton/impl/dataplane/model"
)

// Dataplane is the loaded programs, attached to the node's two links.
type Dataplane struct {
	cfg      dataplane.Config
	objs     lbObjects
	links    []link.Link
	control  mapping[lbControl]
	batch    mapping[lbRecord]
	batchUse sync.Mutex
	reader   *ringbuf.Reader
	record   ringbuf.Record
	waiter   waiter
	now      func() clock.Instant

	host       model.Host // its addresses
	generation uint32     // of the services, see SetServices
}

var _ dataplane.Dataplane = (*Dataplane)(nil)

// Open loads the programs and attaches them to the links of the configuration,
// in the calling thread's network namespace. Until Lease is called, everything
// that concerns a VIP is dropped.
func Open(cfg dataplane.Config) (*Dataplane, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	client, err := linkByName(cfg.ClientLink)
	if err != nil {
		return nil, err
	}
	backend, err := linkByName(cfg.BackendLink)
	if err != nil {
		return nil, err
	}
	d, err := load(cfg, client, backend, options{})
	if err != nil {
		return nil, err
	}
	for _, at := range []struct {
		program *ebpf.Program
		link    *net.Interface
	}{{d.objs.FromClient, client}, {d.objs.FromBackend, backend}} {
		l, err := link.AttachTCX(link.TCXOptions{
			Interface: at.link.Index, Program: at.program, Attach: ebpf.AttachTCXIngress,
		})
		if err != nil {
			return nil, errors.Join(fmt.Errorf("bpf: attach %s to %s: %w", at.program, at.link.Name, err), d.Close())
		}
		d.links = append(d.links, l)
	}
	return d, nil
}

func linkByName(name string) (*net.Interface, error) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("bpf: open: link %q: %w", name, err)
	}
	if len(i.HardwareAddr) != 6 {
		return nil, fmt.Errorf("bpf: open: link %q has no Ethernet address", name)
	}
	return i, nil
}

// options are what tests load otherwise.
type options struct {
	fakeClock bool   // the programs take the time from the control map
	eventRing uint32 // size of the event ring in bytes; 0 leaves it as compiled
}

// load brings programs and maps into the kernel without attaching them.
func load(cfg dataplane.Config, client, backend *net.Interface, opts options) (*Dataplane, error) {
	if cfg.MaxFlows == 0 {
		cfg.MaxFlows = dataplane.DefaultMaxFlows
	}
	if cfg.ICMPRate == 0 {
		cfg.ICMPRate = dataplane.DefaultICMPRate
	}
	forwardFromLoopback()
	spec, err := loadLb()
	if err != nil {
		return nil, fmt.Errorf("bpf: open: %w", err)
	}
	constants := map[string]any{
		lbVarClientIfindex: uint32(client.Index), lbVarBackendIfindex: uint32(backend.Index),
		lbVarClientMac: [6]byte(client.HardwareAddr), lbVarBackendMac: [6]byte(backend.HardwareAddr),
		lbVarSnatFirst: cfg.SNATPorts.First,
		lbVarSnatSeed:  cfg.SNATSeed,
		lbVarSnatCount: uint32(cfg.SNATPorts.Last-cfg.SNATPorts.First) + 1,
		lbVarFakeClock: opts.fakeClock,
		lbVarDropEcho:  cfg.DropEcho,
		lbVarIcmpRate:  uint32(cfg.ICMPRate),
	}
	for name, value := range constants {
		if err := spec.Variables[name].Set(value); err != nil {
			return nil, fmt.Errorf("bpf: open: set %s: %w", name, err)
		}
	}
	spec.Maps[lbMapConns].MaxEntries = uint32(cfg.MaxFlows)
	spec.Maps[lbMapReplies].MaxEntries = uint32(cfg.MaxFlows)
	if opts.eventRing != 0 {
		spec.Maps[lbMapEvents].MaxEntries = opts.eventRing
	}

	d := &Dataplane{cfg: cfg, now: boottime.Now}
	if err := spec.LoadAndAssign(&d.objs, nil); err != nil {
		return nil, fmt.Errorf("bpf: load programs: %w", err)
	}
	if err := d.start(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// start opens what user space shares with the programs and writes the configuration.
func (d *Dataplane) start() (err error) {
	if d.control, err = mapMemory[lbControl](d.objs.Control); err != nil {
		return err
	}
	if d.batch, err = mapMemory[lbRecord](d.objs.Batch); err != nil {
		return err
	}
	if d.reader, err = ringbuf.NewReader(d.objs.Events); err != nil {
		return fmt.Errorf("bpf: open event ring: %w", err)
	}
	d.reader.SetDeadline(time.Unix(1, 0)) // in the past: reading never blocks
	if err := d.waiter.open(d.objs.Events.FD()); err != nil {
		return err
	}
	if d.host, err = hostAddresses(); err != nil {
		return err
	}
	return d.SetServices(d.cfg.Services)
}

// Close detaches the programs and frees the tables. A blocked Wait returns.
func (d *Dataplane) Close() error {
	var errs []error
	for _, l := range d.links {
		errs = append(errs, l.Close())
	}
	d.links = nil
	errs = append(errs, d.waiter.close())
	if d.reader != nil {
		errs = append(errs, d.reader.Close())
	}
	d.batchUse.Lock()
	defer d.batchUse.Unlock()
	errs = append(errs, d.control.close(), d.batch.close(), d.objs.Close())
	return errors.Join(errs...)
}

// Lease implements dataplane.Dataplane. One store that the programs see at once.
func (d *Dataplane) Lease(until clock.Instant) error {
	if d.control.values == nil {
		return errors.New("bpf: lease: the dataplane is closed")
	}
	atomic.StoreInt64(&d.control.values[0].LeaseExpiry, int64(until))
	return nil
}

// SetMAC implements dataplane.Dataplane.
func (d *Dataplane) SetMAC(link string, mac [6]byte) error {
	var of *ebpf.Variable
	switch link {
	case d.cfg.ClientLink:
		of = d.objs.ClientMac
	case d.cfg.BackendLink:
		of = d.objs.BackendMac
	default:
		return fmt.Errorf("bpf: set hardware address: %q is neither of the links", link)
	}
	if err := of.Set(mac); err != nil {
		return fmt.Errorf("bpf: set hardware address of %s: %w", link, err)
	}
	return nil
}

// SetMiss implements dataplane.Dataplane.
func (d *Dataplane) SetMiss(p dataplane.MissPolicy) error {
	if d.control.values == nil {
		return errors.New("bpf: set miss policy: the dataplane is closed")
	}
	atomic.StoreUint32(&d.control.values[0].Miss, uint32(p))
	return nil
}

// Counters implements dataplane.Dataplane.
func (d *Dataplane) Counters() (dataplane.Counters, error) {
	var sum dataplane.Counters
	var cpus []lbCounters
	if err := d.objs.Counters.Lookup(uint32(0), &cpus); err != nil {
		return sum, fmt.Errorf("bpf: read counters: %w", err)
	}
	for i := range cpus {
		addCounters(&sum, &cpus[i])
	}
	return sum, nil
}
