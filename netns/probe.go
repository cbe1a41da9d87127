package netns

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"baton/scenarios/lab"
)

// Probe checks what a real run needs. It returns the missing capabilities as joined errors,
// each with its remedy; nil means that pairs can be built here.
func Probe() error {
	if err := errors.Join(missingCapabilities()...); err != nil {
		return err
	}
	return probeLink()
}

// missingCapabilities returns an error for each capability that the process lacks.
func missingCapabilities() []error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return []error{fmt.Errorf("capabilities: read them: %w", err)}
	}
	var missing []error
	for _, need := range []struct {
		bit           uint
		name, purpose string
	}{
		{unix.CAP_SYS_ADMIN, "CAP_SYS_ADMIN", "making network namespaces"},
		{unix.CAP_NET_ADMIN, "CAP_NET_ADMIN", "making links"},
		{unix.CAP_BPF, "CAP_BPF", "loading eBPF programs"},
		{unix.CAP_NET_RAW, "CAP_NET_RAW", "capturing packets"},
		{unix.CAP_KILL, "CAP_KILL", "ending nodes"},
	} {
		if data[need.bit/32].Effective&(1<<(need.bit%32)) == 0 {
			missing = append(missing, fmt.Errorf("%s: missing, needed for %s: run as root (sudo)", need.name, need.purpose))
		}
	}
	return missing
}

// probeLink plugs a host into a switch and attaches a filter to its port. A pair needs no
// more of the kernel, and takes several times as long to build.
func probeLink() (err error) {
	p := newPair(lab.Topo{Clients: 1, Backends: 1})
	defer func() {
		for _, h := range p.hosts {
			err = errors.Join(err, h.release()) // the links end with their namespaces
		}
	}()
	host := lab.Nodes()[0]
	needed := slices.DeleteFunc(layout(p.topo), func(b blueprint) bool { return b.name != lab.Clients && b.name != host })
	if err := p.makeHosts(needed); err != nil {
		return fmt.Errorf("network namespaces: %w: use a kernel with CONFIG_NET_NS, and a container that allows unshare(2)", err)
	}
	if err := p.buildSwitch(lab.Clients); err != nil {
		return fmt.Errorf("links: %w: use a kernel with CONFIG_VETH and CONFIG_BRIDGE (modprobe veth bridge)", err)
	}
	port, _ := p.Host(host).Interface(lab.Clients)
	f, err := attachFilter(attachPoint{p.Host(lab.Clients), port.PortIndex, ebpf.AttachTCXEgress})
	if err == nil {
		err = f.close()
	}
	if err != nil {
		return fmt.Errorf("tcx programs: %w: use Linux 6.6 or later with CONFIG_BPF_SYSCALL and CONFIG_NET_XGRESS", err)
	}
	return nil
}
