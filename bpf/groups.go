package bpf

import (
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"

	"baton/impl/flow"
)

// groups holds memberships in solicited-node groups, so that links and switches pass the host
// solicitations for addresses that are not its own.
type groups []int

// join enters the solicited-node group of an IPv6 address on a link (RFC 4291 2.7.1).
func (g *groups) join(link *net.Interface, a flow.Addr) error {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("bpf: socket for the group of %s: %w", a, err)
	}
	*g = append(*g, fd)
	group := [16]byte{0xff, 0x02, 11: 1, 12: 0xff, 13: a[13], 14: a[14], 15: a[15]}
	err = unix.SetsockoptIPv6Mreq(fd, unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP, &unix.IPv6Mreq{Multiaddr: group, Interface: uint32(link.Index)})
	if err != nil {
		return fmt.Errorf("bpf: join the group of %s on %s (is IPv6 disabled there?): %w", a, link.Name, err)
	}
	return nil
}

func (g *groups) close() error {
	var errs []error
	for _, fd := range *g {
		errs = append(errs, unix.Close(fd))
	}
	*g = nil
	return errors.Join(errs...)
}
