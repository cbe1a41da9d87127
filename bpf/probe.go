package bpf

import (
	"errors"
	"fmt"
	"math"
	"net"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/features"
	"github.com/cilium/ebpf/link"

	"baton/impl/dataplane"
	"baton/impl/flow"
)

// requirements are the required kernel features, and the release that introduced each.
var requirements = []struct {
	name, since string
	probe       func() error
}{
	{"hash maps", "3.19", haveMap(ebpf.Hash)},
	{"per-CPU array maps", "4.6", haveMap(ebpf.PerCPUArray)},
	{"maps of maps", "4.12", haveMap(ebpf.ArrayOfMaps)},
	{"ring buffers", "5.8", haveMap(ebpf.RingBuf)},
	{"bpf_redirect_neigh", "5.10", haveHelper(ebpf.SchedCLS, asm.FnRedirectNeigh)},
	{"programs that user space runs", "5.14", func() error { return features.HaveProgramType(ebpf.Syscall) }},
	{"bpf_loop", "5.17", haveHelper(ebpf.Syscall, asm.FnLoop)},
}

func haveMap(t ebpf.MapType) func() error {
	return func() error { return features.HaveMapType(t) }
}

func haveHelper(t ebpf.ProgramType, f asm.BuiltinFunc) func() error {
	return func() error { return features.HaveProgramHelper(t, f) }
}

// Probe reports every feature that this kernel lacks to run the dataplane, or nil. It loads
// the programs and writes an entry to their tables. It attaches nothing.
func Probe() error {
	var missing []error
	for _, r := range requirements {
		switch err := r.probe(); {
		case errors.Is(err, ebpf.ErrNotSupported):
			missing = append(missing, fmt.Errorf("bpf: probe: the kernel lacks %s (Linux %s)", r.name, r.since))
		case err != nil:
			missing = append(missing, fmt.Errorf("bpf: probe %s (needs root): %w", r.name, err))
		}
	}
	if len(missing) > 0 {
		return errors.Join(missing...)
	}
	none := &net.Interface{HardwareAddr: make(net.HardwareAddr, 6)}
	d, err := load(probeConfig, none, none, options{})
	if err != nil {
		return fmt.Errorf("bpf: probe: %w", err)
	}
	return errors.Join(d.probeTCX(), d.probeTable(), d.Close())
}

var probeConfig = dataplane.Config{
	SNATPorts: dataplane.PortRange{First: 1, Last: 1}, Timeouts: dataplane.DefaultTimeouts(), MaxFlows: 16,
}

// probeTCX attaches to a link that does not exist. A kernel with TCX then complains only
// about the link.
func (d *Dataplane) probeTCX() error {
	l, err := link.AttachTCX(link.TCXOptions{
		Interface: math.MaxInt32, Program: d.shared.FromClient, Attach: ebpf.AttachTCXIngress,
	})
	if err == nil {
		return l.Close()
	}
	if errors.Is(err, ebpf.ErrNotSupported) {
		return fmt.Errorf("bpf: probe: the kernel lacks tcx (Linux 6.6)")
	}
	return nil
}

// probeTable writes, reads and deletes one entry.
func (d *Dataplane) probeTable() error {
	o := flow.Tuple{Proto: flow.UDP, Src: flow.IPv4(0, 0, 0, 1), Dst: flow.IPv4(0, 0, 0, 2), SrcPort: 1, DstPort: 2}
	e := flow.Entry{Original: o, Reply: o.Reverse(), State: flow.Assured, Origin: flow.Synced, Remaining: time.Second}
	if err := d.Apply([]flow.Entry{e}); err != nil {
		return fmt.Errorf("bpf: probe: %w", err)
	}
	found := 0
	if err := d.Dump(func(flow.Entry) bool { found++; return true }); err != nil {
		return fmt.Errorf("bpf: probe: %w", err)
	}
	if found != 1 {
		return fmt.Errorf("bpf: probe: wrote 1 entry to the table, read %d", found)
	}
	return d.Delete([]flow.Tuple{o})
}
