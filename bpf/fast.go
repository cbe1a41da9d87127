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

// fastPath holds the XDP programs of a family. They use the maps of the family's TCX
// programs, which stay attached behind them.
type fastPath struct {
	Client  *ebpf.Program `ebpf:"fast_client"`
	Backend *ebpf.Program `ebpf:"fast_backend"`

	// OtherFamily holds the IPv6 programs for the attached IPv4 programs to call. The kernel
	// empties it when the process ends: pinned programs then leave IPv6 to TCX.
	OtherFamily *ebpf.Map `ebpf:"other_family"`

	ClientMac  *ebpf.Variable `ebpf:"client_mac"`
	BackendMac *ebpf.Variable `ebpf:"backend_mac"`
	Generation *ebpf.Variable `ebpf:"generation"`
	Ranged     *ebpf.Variable `ebpf:"ranged"`

	TunnelSource4 *ebpf.Variable `ebpf:"tunnel_source4"`
	TunnelSource6 *ebpf.Variable `ebpf:"tunnel_source6"`
	Limited       *ebpf.Variable `ebpf:"limited"`
}

// loadFast loads the XDP programs of a family. ends is nil for IPv6.
func loadFast(spec *ebpf.CollectionSpec, constants map[string]any, with *objects, ends *tunnelEnds) (*fastPath, error) {
	if err := setConstants(spec, constants); err != nil {
		return nil, err
	}
	shared := map[string]*ebpf.Map{
		lbMapConns: with.Conns, lbMapReplies: with.Replies, lbMapServices: with.Services, lbMapRanges: with.Ranges, lbMapAddresses: with.Addresses,
		lbMapDnatBackends: with.DnatBackends, lbMapDnatRanges: with.DnatRanges, lbMapFragments: with.Fragments, lbMapFlowCounts: with.FlowCounts,
		lbMapControl: with.Control, lbMapCounters: with.Counters, lbMapEvents: with.Events,
	}
	if ends != nil {
		shared[lbMapTunnelEnds] = ends.kernel
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

// joinFast lets the first family's XDP programs call those of the second family.
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

// attachFast attaches the XDP programs to the links' drivers. With HookAuto a failure is not
// an error, because another program may be attached.
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

// attachDriver attaches a program to a driver, which runs at most one. It replaces a pinned
// program.
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

// detach detaches the programs, XDP first, so that the TCX programs handle packets in
// between.
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
