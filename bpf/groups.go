package bpf

import (
	"errors"
	"fmt"
	"net"
	"slices"

	"golang.org/x/sys/unix"

	"baton/impl/dataplane"
)

// groups holds memberships in solicited-node groups. They make links and switches pass
// solicitations for addresses that are not assigned to the host. The zero value has no
// memberships.
type groups struct {
	links   map[string]*net.Interface
	sockets map[dataplane.VIP]int // a membership lasts as long as its socket is open
}

// join joins the solicited-node groups of the IPv6 addresses among VIPs (RFC 4291 2.7.1).
func (g *groups) join(vips []dataplane.VIP) error {
	for _, v := range vips {
		link := g.links[v.Link]
		if _, joined := g.sockets[v]; joined || link == nil || !v.Addr.Is6() {
			continue
		}
		fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("bpf: socket for the group of %s: %w", v.Addr, err)
		}
		a := v.Addr.As16()
		group := [16]byte{0xff, 0x02, 11: 1, 12: 0xff, 13: a[13], 14: a[14], 15: a[15]}
		err = unix.SetsockoptIPv6Mreq(fd, unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP, &unix.IPv6Mreq{Multiaddr: group, Interface: uint32(link.Index)})
		if err != nil {
			unix.Close(fd)
			return fmt.Errorf("bpf: join the group of %s on %s (is IPv6 disabled there?): %w", v.Addr, link.Name, err)
		}
		g.sockets[v] = fd
	}
	return nil
}

// leave leaves the groups of all VIPs except keep.
func (g *groups) leave(keep []dataplane.VIP) error {
	var errs []error
	for v, fd := range g.sockets {
		if !slices.Contains(keep, v) {
			errs = append(errs, unix.Close(fd))
			delete(g.sockets, v)
		}
	}
	return errors.Join(errs...)
}

func (g *groups) close() error { return g.leave(nil) }
