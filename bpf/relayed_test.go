package bpf

import (
	"bytes"
	"net"
	"testing"
	"time"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"baton/impl/clock"
	"baton/impl/flow"
)

// A packet is relayed on the link on which it came. Only a real link shows by which one it leaves.
func TestRelayedPacketsLeaveOnTheirLink(t *testing.T) {
	l := newLab(t, testConfig())
	l.lease(t, 0)
	if err := l.dp.Relay(clock.Never); err != nil {
		t.Fatal(err)
	}
	if err := knowPeer().do(l.dp); err != nil {
		t.Fatal(err)
	}
	for _, side := range []struct {
		link string
		host ns.NetNS
		way  flow.Tuple
	}{{"client0", l.client, toVIP(flow.UDP, 40000, fullnatPort)}, {"backend0", l.backend, snatReply(flow.UDP, 40000, 0)}} {
		t.Run(side.link, func(t *testing.T) {
			frame := frameTo(l.mac(t, side.link), side.way, 0, payload)
			captured := capture(t, side.host, "eth0")
			inside(t, side.host, func() error { return sendFrames("eth0", frame) })
			captured.until(t, func(f []byte) bool {
				return len(f) >= 12 && bytes.Equal(f[:6], otherMAC[side.link]) && bytes.Equal(f[12:], frame[12:])
			})
		})
	}
}

// mac returns the address of one of the load balancer's links.
func (l *lab) mac(t *testing.T, link string) (mac net.HardwareAddr) {
	t.Helper()
	inside(t, l.lb, func() error {
		on, err := netlink.LinkByName(link)
		if err == nil {
			mac = on.Attrs().HardwareAddr
		}
		return err
	})
	return mac
}

// frames receives all frames that arrive on a link, also those for others.
type frames int

func capture(t *testing.T, n ns.NetNS, link string) frames {
	t.Helper()
	const all = unix.ETH_P_ALL<<8 | unix.ETH_P_ALL>>8 // in network byte order
	fd, err := -1, error(nil)
	inside(t, n, func() error {
		on, err := netlink.LinkByName(link)
		if err != nil {
			return err
		}
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, all); err != nil {
			return err
		}
		return unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: on.Attrs().Index})
	})
	t.Cleanup(func() { unix.Close(fd) })
	if err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1}); err != nil {
		t.Fatal(err)
	}
	return frames(fd)
}

// until waits for a frame, and fails if it does not come.
func (c frames) until(t *testing.T, want func([]byte) bool) {
	t.Helper()
	buffer := make([]byte, 2048)
	for deadline := time.Now().Add(ioTimeout); time.Now().Before(deadline); {
		n, _, err := unix.Recvfrom(int(c), buffer, 0)
		if err != nil && err != unix.EAGAIN && err != unix.EINTR {
			t.Fatal(err)
		}
		if err == nil && want(buffer[:n]) {
			return
		}
	}
	t.Fatalf("the frame did not come within %v", ioTimeout)
}
