package bpf

import (
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"baton/impl/dataplane"
)

// fastPath holds the XDP programs of a family. Their maps are those of the family's TCX
// programs, which stay attached behind them.
type fastPath struct {
	Client  *ebpf.Program `ebpf:"fast_client"`
	Backend *ebpf.Program `ebpf:"fast_backend"`

	// OtherFamily is where the programs of IPv4, which are attached, find those of IPv6. The
	// kernel empties it when the process ends: pinned programs then leave IPv6 to TCX.
	OtherFamily *ebpf.Map `ebpf:"other_family"`

	ClientMac  *ebpf.Variable `ebpf:"client_mac"`
	BackendMac *ebpf.Variable `ebpf:"backend_mac"`
	Generation *ebpf.Variable `ebpf:"generation"`
	Ranged     *ebpf.Variable `ebpf:"ranged"`
}

// loadFast loads the XDP programs that go with those of a family.
func loadFast(spec *ebpf.CollectionSpec, constants map[string]any, with *objects) (*fastPath, error) {
	if err := setConstants(spec, constants); err != nil {
		return nil, err
	}
	shared := map[string]*ebpf.Map{
		lbMapConns: with.Conns, lbMapReplies: with.Replies, lbMapServices: with.Services, lbMapRanges: with.Ranges, lbMapAddresses: with.Addresses,
		lbMapDnatBackends: with.DnatBackends, lbMapDnatRanges: with.DnatRanges, lbMapFragments: with.Fragments,
		lbMapControl: with.Control, lbMapCounters: with.Counters, lbMapEvents: with.Events,
	}
	for name, m := range shared {
		spec.Maps[name].MaxEntries = m.MaxEntries()
	}
	f := &fastPath{}
	if err := spec.LoadAndAssign(f, &ebpf.CollectionOptions{MapReplacements: shared}); err != nil {
		return nil, fmt.Errorf("bpf: load XDP programs: %w", err)
	}
	return f, nil
}

func (f *fastPath) close() error {
	if f == nil {
		return nil
	}
	return errors.Join(f.Client.Close(), f.Backend.Close(), f.OtherFamily.Close())
}

// joinFast lets the XDP programs of the first family call those of the second.
func (d *Dataplane) joinFast() error {
	if len(d.families) < 2 || d.families[1].fast() == nil {
		return nil
	}
	at, others := d.families[0].fast().OtherFamily, d.families[1].fast()
	for direction, p := range []*ebpf.Program{others.Client, others.Backend} {
		if err := at.Put(uint32(direction), p); err != nil {
			return fmt.Errorf("bpf: join XDP programs: %w", err)
		}
	}
	return nil
}

// Names of the pinned links of the XDP programs.
var pinnedFast = [2]string{"client-xdp", "backend-xdp"}

// attachFast has the drivers of the links run the XDP programs. HookAuto does without if that
// fails: another program may be there.
func (d *Dataplane) attachFast(client, backend *net.Interface) error {
	f, tcx := d.families[0].fast(), len(d.links)
	if f == nil {
		return d.pins.drop(pinnedFast[:])
	}
	err := errors.Join(d.attachDriver(pinnedFast[0], f.Client, client), d.attachDriver(pinnedFast[1], f.Backend, backend))
	if err == nil || d.cfg.Hook != dataplane.HookAuto {
		return err
	}
	d.attachment = dataplane.Attachment{Why: err.Error()}
	for len(d.links) > tcx {
		last := len(d.links) - 1
		if err := d.links[last].Close(); err != nil {
			return err
		}
		d.links = d.links[:last]
	}
	return d.pins.drop(pinnedFast[:])
}

// attachDriver has a driver run a program: in place of that which is pinned there, or as the
// first. There can be one.
func (d *Dataplane) attachDriver(name string, program *ebpf.Program, on *net.Interface) error {
	l, err := d.pins.replace(name, program, on)
	if err == nil && l == nil {
		l, err = link.AttachXDP(link.XDPOptions{Interface: on.Index, Program: program, Flags: link.XDPDriverMode})
		if err == nil {
			err = d.pins.pin(name, l)
		}
	}
	if l != nil {
		d.links = append(d.links, l)
	}
	if err != nil {
		return fmt.Errorf("bpf: dataplane xdp: attach to %s: %w", on.Name, err)
	}
	return nil
}

// detach takes the programs from the links, XDP first: what it no longer forwards meets the
// TCX programs.
func (d *Dataplane) detach() error {
	var errs []error
	for _, l := range slices.Backward(d.links) {
		errs = append(errs, l.Close())
	}
	d.links = nil
	return errors.Join(errs...)
}

// Attached implements dataplane.Dataplane.
func (d *Dataplane) Attached() dataplane.Attachment { return d.attachment }
