package bpf

import (
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"

	"baton/impl/clock"
	"baton/impl/clock/boottime"
	"baton/impl/dataplane"
	"baton/impl/dataplane/model"
	"baton/impl/flow"
)

// Dataplane is the loaded programs, attached to the node's two links.
type Dataplane struct {
	cfg      dataplane.Config
	families []tables // IPv4 first
	shared   *objects // the objects that hold the shared maps
	links    []link.Link
	groups   groups
	control  mapping[lbControl]
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
	for _, v := range cfg.VIPs {
		link := client
		if v.Link == cfg.BackendLink {
			link = backend
		}
		if !v.Addr.Is6() {
			continue
		}
		if err := d.groups.join(link, flow.AddrFrom(v.Addr)); err != nil {
			return nil, errors.Join(err, d.Close())
		}
	}
	for _, f := range d.families {
		for _, at := range []struct {
			program *ebpf.Program
			link    *net.Interface
		}{{f.objects().FromClient, client}, {f.objects().FromBackend, backend}} {
			l, err := link.AttachTCX(link.TCXOptions{
				Interface: at.link.Index, Program: at.program, Attach: ebpf.AttachTCXIngress,
			})
			if err != nil {
				return nil, errors.Join(fmt.Errorf("bpf: attach %s to %s: %w", at.program, at.link.Name, err), d.Close())
			}
			d.links = append(d.links, l)
		}
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
	v4, err := loadFamily[ipv4](loadLb, cfg, client, backend, opts, nil)
	if err != nil {
		return nil, err
	}
	d := &Dataplane{cfg: cfg, shared: &v4.objs, families: []tables{v4}, now: boottime.Now}
	if cfg.HasIPv6() {
		v6, err := loadFamily[ipv6](loadLb6, cfg, client, backend, opts, v4.objs.shared())
		if err != nil {
			return nil, errors.Join(err, d.Close())
		}
		d.families = append(d.families, v6)
	}
	if err := d.start(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// start opens what user space shares with the programs and writes the configuration.
func (d *Dataplane) start() (err error) {
	if d.control, err = mapMemory[lbControl](d.shared.Control); err != nil {
		return err
	}
	if d.reader, err = ringbuf.NewReader(d.shared.Events); err != nil {
		return fmt.Errorf("bpf: open event ring: %w", err)
	}
	d.reader.SetDeadline(time.Unix(1, 0)) // in the past: reading never blocks
	if err := d.waiter.open(d.shared.Events.FD()); err != nil {
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
	errs = append(errs, d.groups.close())
	errs = append(errs, d.waiter.close())
	if d.reader != nil {
		errs = append(errs, d.reader.Close())
	}
	errs = append(errs, d.control.close())
	for _, f := range d.families {
		errs = append(errs, f.close())
	}
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
	for _, f := range d.families {
		var of *ebpf.Variable
		switch link {
		case d.cfg.ClientLink:
			of = f.objects().ClientMac
		case d.cfg.BackendLink:
			of = f.objects().BackendMac
		default:
			return fmt.Errorf("bpf: set hardware address: %q is neither of the links", link)
		}
		if err := of.Set(mac); err != nil {
			return fmt.Errorf("bpf: set hardware address of %s: %w", link, err)
		}
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
	if err := d.shared.Counters.Lookup(uint32(0), &cpus); err != nil {
		return sum, fmt.Errorf("bpf: read counters: %w", err)
	}
	for i := range cpus {
		addCounters(&sum, &cpus[i])
	}
	return sum, nil
}
