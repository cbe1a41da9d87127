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
)

// Dataplane holds the loaded programs, attached to the node's two links.
type Dataplane struct {
	cfg        dataplane.Config
	families   []tables // IPv4 first
	walking    int      // the family that Walk reads
	shared     *objects // the objects that hold the shared maps
	links      []link.Link
	pins       *pins // nil if the table ends with the process
	attachment dataplane.Attachment
	groups     groups
	control    mapping[lbControl]
	reader     *ringbuf.Reader
	record     ringbuf.Record
	waiter     waiter
	deferral   *deferral // nil if replies are not deferred
	now        func() clock.Instant

	grace      grace
	quiesce    func() error // waits until the programs that run now have ended
	host       model.Host   // its addresses
	generation uint32       // of the services, see SetServices
}

var _ dataplane.Dataplane = (*Dataplane)(nil)

// Open loads the programs and attaches them to the links of the configuration, in the
// calling thread's network namespace. Until Lease is called, the packets of every VIP are
// dropped. If a table is adopted, the earlier process's lease ends.
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
	attachment, err := chooseHook(cfg.Hook, client, backend)
	if err != nil {
		return nil, err
	}
	d, err := load(cfg, client, backend, options{hook: attachment.Hook})
	if err != nil {
		return nil, err
	}
	d.attachment = attachment
	d.groups = groups{links: map[string]*net.Interface{cfg.ClientLink: client, cfg.BackendLink: backend}, sockets: map[dataplane.VIP]int{}}
	if err := d.groups.join(cfg.VIPs); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	if err := d.attach(client, backend); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// attach attaches the programs to the links, in place of pinned programs if there are any.
// It then pins what must outlive the process.
func (d *Dataplane) attach(client, backend *net.Interface) error {
	for _, f := range d.families {
		for _, at := range []struct {
			side    string
			program *ebpf.Program
			link    *net.Interface
		}{{"client", f.objects().FromClient, client}, {"backend", f.objects().FromBackend, backend}} {
			name := at.side + f.suffix()
			l, err := d.pins.replace(name, at.program, at.link)
			if err == nil && l == nil {
				l, err = link.AttachTCX(link.TCXOptions{Interface: at.link.Index, Program: at.program, Attach: ebpf.AttachTCXIngress})
				if err == nil {
					err = d.pins.pin(name, l)
				}
			}
			if l != nil {
				d.links = append(d.links, l)
			}
			if err != nil {
				return fmt.Errorf("bpf: attach %s to %s: %w", at.program, at.link.Name, err)
			}
		}
	}
	if err := d.attachFast(client, backend); err != nil {
		return err
	}
	return d.pins.complete(d.families)
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

// options are settings for tests.
type options struct {
	fakeClock bool   // the programs take the time from the control map
	eventRing uint32 // size of the event ring in bytes; 0 leaves it as compiled
	hook      dataplane.Hook
}

// load loads programs and maps into the kernel without attaching the programs.
func load(cfg dataplane.Config, client, backend *net.Interface, opts options) (*Dataplane, error) {
	if cfg.MaxFlows == 0 {
		cfg.MaxFlows = dataplane.DefaultMaxFlows
	}
	if cfg.ICMPRate == 0 {
		cfg.ICMPRate = dataplane.DefaultICMPRate
	}
	forwardFromLoopback()
	d := &Dataplane{cfg: cfg, now: boottime.Now}
	d.quiesce = d.grace.wait
	var err error
	if d.host, err = hostAddresses(backend); err != nil {
		return nil, err
	}
	if err := d.loadFamilies(client, backend, opts); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	if err := d.start(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// loadFamilies loads the IPv4 programs and, if configured, the IPv6 programs. They get the
// adopted maps or new ones.
func (d *Dataplane) loadFamilies(client, backend *net.Interface, opts options) error {
	specs, err := readSpecs(d.cfg, opts.hook)
	if err != nil {
		return err
	}
	if d.pins, err = openPins(d.cfg, specs); err != nil {
		return err
	}
	defer d.pins.release()
	v4, err := loadFamily[ipv4](specs[0], d.cfg, client, backend, opts, d.pins.maps(suffix4, nil))
	if err != nil {
		return err
	}
	d.shared, d.families = &v4.objs, []tables{v4}
	if len(specs) == 1 {
		return nil
	}
	v6, err := loadFamily[ipv6](specs[1], d.cfg, client, backend, opts, d.pins.maps(suffix6, v4.objs.shared()))
	if err != nil {
		return err
	}
	d.families = append(d.families, v6)
	return d.joinFast()
}

// familySpec is the compiled programs of a family.
type familySpec struct {
	programs *ebpf.CollectionSpec
	fast     *ebpf.CollectionSpec // of XDP; nil without it
}

// readSpecs returns the compiled programs of each family, IPv4 first, with tables of the configured size.
func readSpecs(cfg dataplane.Config, hook dataplane.Hook) ([]familySpec, error) {
	type read func() (*ebpf.CollectionSpec, error)
	families := []struct{ programs, fast read }{{loadLb, loadFast4}, {loadLb6, loadFast6}}
	if !cfg.HasIPv6() {
		families = families[:1]
	}
	var specs []familySpec
	for _, of := range families {
		var spec familySpec
		var err error
		if spec.programs, err = of.programs(); err == nil && hook == dataplane.HookXDP {
			spec.fast, err = of.fast()
		}
		if err != nil {
			return nil, fmt.Errorf("bpf: open: %w", err)
		}
		for _, table := range []string{lbMapConns, lbMapReplies} {
			spec.programs.Maps[table].MaxEntries = uint32(cfg.MaxFlows)
		}
		specs = append(specs, spec)
	}
	return specs, nil
}

// start opens the memory shared with the programs and writes the configuration.
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
	if d.cfg.Defer {
		if d.deferral, err = openDeferral(d.cfg.ClientLink, d.cfg.HasIPv6(), d.shared.Doorbell); err != nil {
			return err
		}
	}
	return errors.Join(d.SetServices(d.cfg.Services, d.cfg.VIPs), d.removeDamagedAdopted())
}

// Close detaches the programs and frees the tables, except pinned ones. A blocked Wait
// returns.
func (d *Dataplane) Close() error {
	var errs []error
	errs = append(errs, d.detach(), d.groups.close())
	errs = append(errs, d.waiter.close(), d.deferral.close(), d.grace.close())
	if d.reader != nil {
		errs = append(errs, d.reader.Close())
	}
	errs = append(errs, d.control.close())
	for _, f := range d.families {
		errs = append(errs, f.close())
	}
	errs = append(errs, d.pins.close())
	return errors.Join(errs...)
}

// Lease implements dataplane.Dataplane. It is one store, which the programs see at once.
func (d *Dataplane) Lease(until clock.Instant) error {
	if d.control.values == nil {
		return errors.New("bpf: lease: the dataplane is closed")
	}
	atomic.StoreInt64(&d.control.values[0].LeaseExpiry, int64(until))
	return nil
}

// SetMAC implements dataplane.Dataplane.
func (d *Dataplane) SetMAC(link string, mac [6]byte) error {
	return d.setMAC(link, mac, "hardware address", func(f tables) (client, backend []*ebpf.Variable) {
		client, backend = []*ebpf.Variable{f.objects().ClientMac}, []*ebpf.Variable{f.objects().BackendMac}
		if x := f.fast(); x != nil {
			client, backend = append(client, x.ClientMac), append(backend, x.BackendMac)
		}
		return client, backend
	})
}

// setMAC sets an address of one of the two links in the programs of each family.
func (d *Dataplane) setMAC(link string, mac [6]byte, what string, of func(tables) (client, backend []*ebpf.Variable)) error {
	if link != d.cfg.ClientLink && link != d.cfg.BackendLink {
		return fmt.Errorf("bpf: set %s: %q is neither of the links", what, link)
	}
	for _, f := range d.families {
		variables, backend := of(f)
		if link == d.cfg.BackendLink {
			variables = backend
		}
		for _, variable := range variables {
			if err := variable.Set(mac); err != nil {
				return fmt.Errorf("bpf: set %s on %s: %w", what, link, err)
			}
		}
	}
	return nil
}

// Relay implements dataplane.Dataplane.
func (d *Dataplane) Relay(until clock.Instant) error {
	for _, f := range d.families {
		if err := f.objects().RelayUntil.Set(int64(until)); err != nil {
			return fmt.Errorf("bpf: relay: %w", err)
		}
	}
	return nil
}

// SetPeerMAC implements dataplane.Dataplane.
func (d *Dataplane) SetPeerMAC(link string, mac [6]byte) error {
	return d.setMAC(link, mac, "the peer's hardware address", func(f tables) (client, backend []*ebpf.Variable) {
		return []*ebpf.Variable{f.objects().PeerClientMac}, []*ebpf.Variable{f.objects().PeerBackendMac}
	})
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
	for _, f := range d.families {
		sum.Evicted += f.evictions()
	}
	if r := d.deferral; r != nil {
		sum.Forwarded[reply] += r.packets
		sum.Bytes[reply] += r.bytes
	}
	return sum, nil
}
