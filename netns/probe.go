package netns

import (
	"context"
	"errors"
	"fmt"

	"github.com/containernetworking/plugins/pkg/ns"
	"golang.org/x/sys/unix"

	"baton/scenarios/lab"
)

// Probe checks what a real run needs. It returns the missing capabilities as joined errors,
// each with its remedy; nil means that pairs can be built here.
func Probe() error {
	if err := errors.Join(missingCapabilities()...); err != nil {
		return err
	}
	space, err := ns.TempNetNS()
	if err != nil {
		return fmt.Errorf("network namespaces: %w: use a kernel with CONFIG_NET_NS, and a container that allows unshare(2)", err)
	}
	if err := space.Close(); err != nil {
		return fmt.Errorf("network namespaces: %w", err)
	}
	return probePair()
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

// probePair builds the smallest pair and cuts its cable.
func probePair() (err error) {
	p, err := NewPair(lab.Topo{Clients: 1, Backends: 1})
	if err != nil {
		return fmt.Errorf("links: %w: use a kernel with CONFIG_VETH and CONFIG_BRIDGE (modprobe veth bridge)", err)
	}
	defer func() {
		for _, leak := range p.Close(context.Background()) {
			err = errors.Join(err, fmt.Errorf("teardown: %s", leak.What))
		}
	}()
	if err := p.Prepare(lab.Between(lab.Sync), false); err != nil {
		return fmt.Errorf("tcx programs: %w: use Linux 6.6 or later with CONFIG_BPF_SYSCALL and CONFIG_NET_XGRESS", err)
	}
	return nil
}
