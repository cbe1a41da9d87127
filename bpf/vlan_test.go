package bpf

import (
	"net"
	"slices"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// A tagged frame belongs to another network than the link's. The kernel removes the tag before
// the program sees the frame, so only a real link can test this.
func TestTaggedFramesAreNotTaken(t *testing.T) {
	l := newLab(t, labConfig(labService(flow.UDP, 80, dataplane.DNAT, dataplane.RoundRobin, 8080)))
	l.lease(t, clock.Never)
	var mac net.HardwareAddr
	inside(t, l.lb, func() error {
		link, err := netlink.LinkByName("client0")
		if err == nil {
			mac = link.Attrs().HardwareAddr
		}
		return err
	})
	tagged, plain := toVIP(flow.UDP, 40000, 80), toVIP(flow.UDP, 40001, 80)
	frame := func(o flow.Tuple, tag ...byte) []byte {
		f := fromClient(o, 0)
		copy(f, mac)
		return slices.Insert(f, 12, tag...)
	}
	inside(t, l.client, func() error { return sendFrames("eth0", frame(tagged, 0x81, 0, 0, 5), frame(plain)) })
	gomega.NewWithT(t).Eventually(func() (bool, error) { _, found, err := l.dp.Lookup(plain); return found, err }).
		WithTimeout(ioTimeout).WithPolling(time.Millisecond).Should(gomega.BeTrue())
	if e, found, err := l.dp.Lookup(tagged); err != nil || found {
		t.Errorf("a tagged frame opened %v, error %v", e, err)
	}
}

// sendFrames sends raw frames on a link of this namespace.
func sendFrames(link string, frames ...[]byte) error {
	l, err := netlink.LinkByName(link)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for _, f := range frames {
		if err := unix.Sendto(fd, f, 0, &unix.SockaddrLinklayer{Ifindex: l.Attrs().Index}); err != nil {
			return err
		}
	}
	return nil
}
