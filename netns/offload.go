package netns

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"baton/scenarios/lab"
)

// Commands of linux/ethtool.h: checksums of what leaves by a link, and GRO.
const (
	ethtoolSTXCSUM = 0x17
	ethtoolSGRO    = 0x2c
)

// likeNICs makes the lab's links behave as XDP finds NICs: packets come with whole checksums,
// where a veth passes on what its sender left undone, and the switches take what a node's XDP
// program redirects, which the other end of a veth does with GRO on.
func (p *Pair) likeNICs() error {
	var errs []error
	for _, h := range p.hosts {
		switch h.role {
		case RoleSwitch:
			for _, node := range lab.Nodes() {
				errs = append(errs, h.setFeature(node, ethtoolSGRO, 1))
			}
		case RoleClient, RoleBackend:
			errs = append(errs, h.setFeature(HostSide, ethtoolSTXCSUM, 0))
		}
	}
	return errors.Join(errs...)
}

func (h *Host) setFeature(link string, command, data uint32) error {
	err := h.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		value := struct{ command, data uint32 }{command, data}
		request := struct {
			name [unix.IFNAMSIZ]byte
			data unsafe.Pointer
			_    [16]byte
		}{data: unsafe.Pointer(&value)}
		copy(request.name[:unix.IFNAMSIZ-1], link)
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request))); errno != 0 {
			return errno
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("netns: set feature %#x of %s/%s to %d: %w", command, h.name, link, data, err)
	}
	return nil
}
