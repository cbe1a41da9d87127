package preflight

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"baton/impl/bfd"
	"baton/impl/daemon/config"
	"baton/impl/daemon/control"
	"baton/impl/daemon/probe"
)

// Look collects the facts of this host that a node with this configuration depends on.
func Look(ctx context.Context, c *config.Config) (Facts, error) {
	f := Facts{Busy: map[string]string{}}
	var err error
	if f.Capabilities, err = effective(); err != nil {
		return f, fmt.Errorf("preflight: capabilities: %w", err)
	}
	if f.Links, err = hostLinks(); err != nil {
		return f, fmt.Errorf("preflight: links: %w", err)
	}
	if c.Pin != "" {
		f.Unpinnable = unpinnable(c.Pin)
	}
	f.Unreached = unreached(ctx, c)
	f.Routed = routedElsewhere(c, c.DirectBackends(), false)
	f.Unrouted = routedElsewhere(c, c.TunnelBackends(), true)
	// A running node with this configuration uses these ports itself.
	if client, err := control.Dial(ctx, c.Control); err == nil {
		return f, client.Close()
	}
	f.try(ctx, "udp", netip.AddrPortFrom(netip.IPv4Unspecified(), bfd.ControlPort).String(), "BFD")
	f.try(ctx, "tcp", c.Sync.Local.String(), "sync.local")
	if c.Metrics != "" {
		f.try(ctx, "tcp", c.Metrics, "metrics")
	}
	return f, nil
}

// routedElsewhere returns the backends that the host does not reach on its backend link, with or
// without a gateway.
func routedElsewhere(c *config.Config, backends []netip.Addr, gateway bool) (all []netip.Addr) {
	link, err := netlink.LinkByName(c.Links.Backend)
	if err != nil {
		return nil // another check reports the link
	}
	for _, a := range backends {
		routes, err := netlink.RouteGet(a.AsSlice())
		if err != nil || len(routes) == 0 || routes[0].LinkIndex != link.Attrs().Index || routes[0].Gw != nil && !gateway {
			all = append(all, a)
		}
	}
	return all
}

// unreached says why the gateway does not answer; "" if it answers or there is none.
func unreached(ctx context.Context, c *config.Config) string {
	a := &c.Arbiter
	var err error
	switch {
	case a.Probe == config.ProbeICMP:
		err = probe.Ping(ctx, a.Gateway.Addr, a.Source.Addr, probeLimit)
	case a.Probe == config.ProbeTCP:
		err = probe.Connect(ctx, netip.AddrPortFrom(a.Gateway.Addr, a.Port), a.Source.Addr, probeLimit)
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// probeLimit is how long the gateway may take to answer.
const probeLimit = time.Second

// unpinnable says why nothing can be pinned in a folder, which may not exist yet.
func unpinnable(dir string) string {
	var in unix.Statfs_t
	at, err := dir, unix.Statfs(dir, &in)
	for errors.Is(err, unix.ENOENT) && at != "/" {
		at = filepath.Dir(at)
		err = unix.Statfs(at, &in)
	}
	switch {
	case err != nil:
		return fmt.Sprintf("%s: %v", at, err)
	case in.Type != unix.BPF_FS_MAGIC:
		return dir + " is not in a bpffs; mount -t bpf bpf /sys/fs/bpf"
	}
	return ""
}

// effective returns the capabilities of this process.
func effective() (uint64, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	err := unix.Capget(&header, &data[0])
	return uint64(data[1].Effective)<<32 | uint64(data[0].Effective), err
}

func hostLinks() ([]Link, error) {
	found, err := netlink.LinkList()
	if err != nil {
		return nil, err
	}
	var all []Link
	for _, l := range found {
		a := l.Attrs()
		link := Link{Name: a.Name, Carrier: a.RawFlags&unix.IFF_LOWER_UP != 0 && a.RawFlags&unix.IFF_UP != 0, MTU: a.MTU}
		addresses, err := netlink.AddrList(l, netlink.FAMILY_ALL)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.Name, err)
		}
		for _, address := range addresses {
			if ip, ok := netip.AddrFromSlice(address.IP); ok {
				link.Addresses = append(link.Addresses, ip.Unmap())
			}
		}
		all = append(all, link)
	}
	return all, nil
}

// try notes an address that is in use. Other errors are left to the checks of addresses.
func (f *Facts) try(ctx context.Context, network, address, what string) {
	var listen net.ListenConfig
	var err error
	if network == "udp" {
		var socket net.PacketConn
		if socket, err = listen.ListenPacket(ctx, network, address); err == nil {
			_ = socket.Close()
		}
	} else {
		var socket net.Listener
		if socket, err = listen.Listen(ctx, network, address); err == nil {
			_ = socket.Close()
		}
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		f.Busy[what] = network + " " + address + " is in use; ss -lnp names the program"
	}
}
