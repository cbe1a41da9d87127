package bpf

import (
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
	mac := l.mac(t, "client0")
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
	return onLink(link, func(fd int, to unix.Sockaddr) error {
		for _, f := range frames {
			if err := unix.Sendto(fd, f, 0, to); err != nil {
				return err
			}
		}
		return nil
	})
}

// onLink opens a packet socket, and calls send with it and the address of the link.
func onLink(link string, send func(fd int, to unix.Sockaddr) error) error {
	l, err := netlink.LinkByName(link)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return send(fd, &unix.SockaddrLinklayer{Ifindex: l.Attrs().Index})
}
