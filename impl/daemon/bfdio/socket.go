package bfdio

import (
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

type option struct {
	name              string
	level, opt, value int
}

// socket returns a non-blocking UDP socket, bound to a link unless it is "", with options
// set in order. FREEBIND allows an address that the link does not have yet.
func socket(v6 bool, link string, options []option) (int, error) {
	family, own := unix.AF_INET, []option{{"IP_FREEBIND", unix.SOL_IP, unix.IP_FREEBIND, 1}}
	if v6 {
		family, own = unix.AF_INET6, []option{
			{"IPV6_V6ONLY", unix.SOL_IPV6, unix.IPV6_V6ONLY, 1},
			{"IPV6_FREEBIND", unix.SOL_IPV6, unix.IPV6_FREEBIND, 1},
		}
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("create: %w", err)
	}
	if err := configure(fd, link, append(own, options...)); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func configure(fd int, link string, options []option) error {
	if link != "" {
		if err := unix.BindToDevice(fd, link); err != nil {
			return fmt.Errorf("tie to %s: %w", link, err)
		}
	}
	for _, o := range options {
		if err := unix.SetsockoptInt(fd, o.level, o.opt, o.value); err != nil {
			return fmt.Errorf("set %s: %w", o.name, err)
		}
	}
	return nil
}

// linkIndex returns the index of an interface, 0 for "".
func linkIndex(link string) (int, error) {
	if link == "" {
		return 0, nil
	}
	i, err := net.InterfaceByName(link)
	if err != nil {
		return 0, fmt.Errorf("find %s: %w", link, err)
	}
	return i.Index, nil
}

// sockaddr converts an address for the kernel; zone is the interface index, which
// link-local addresses need.
func sockaddr(a netip.Addr, port, zone int) unix.Sockaddr {
	if a.Is4() {
		return &unix.SockaddrInet4{Port: port, Addr: a.As4()}
	}
	to := &unix.SockaddrInet6{Port: port, Addr: a.As16()}
	if a.IsLinkLocalUnicast() {
		to.ZoneId = uint32(zone)
	}
	return to
}
