package bpf

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/onsi/gomega"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// A driver may leave everything except the Ethernet header outside the linear part of a packet. A
// packet socket makes such packets from frames that are longer than a page.
func TestHeadersOutsideTheLinearPart(t *testing.T) {
	bothFamilies(t, func(t *testing.T) {
		l := newLab(t, testConfig())
		l.lease(t, clock.Never)
		for _, end := range []struct {
			host ns.NetNS
			link string
		}{{l.lb, "client0"}, {l.lb, "backend0"}, {l.client, "eth0"}, {l.backend, "eth0"}} {
			inside(t, end.host, func() error {
				link, err := netlink.LinkByName(end.link)
				if err != nil {
					return err
				}
				return netlink.LinkSetMTU(link, 9000)
			})
		}
		o, linear := toVIP(flow.UDP, 40000, dnatPort), toVIP(flow.UDP, 40001, dnatPort)
		mac := l.mac(t, "client0")
		inside(t, l.client, func() error {
			return errors.Join(sendNonlinear("eth0", frameTo(mac, o, 0, strings.Repeat("x", 8000))), sendFrames("eth0", frameTo(mac, linear, 0, payload)))
		})
		gomega.NewWithT(t).Eventually(func() (bool, error) { _, found, err := l.dp.Lookup(linear); return found, err }).
			WithTimeout(ioTimeout).WithPolling(time.Millisecond).Should(gomega.BeTrue())
		if _, found, err := l.dp.Lookup(o); err != nil || !found {
			t.Errorf("the packet opened a flow: %v, error %v; %+v", found, err, counters(t, l.dp))
		}
	})
}

// A GSO packet is refused if its segments exceed the MTU of the backends' link, including an outer header
// if there is one, just as each segment would be.
func TestSegmentsThatDoNotFitAreRefused(t *testing.T) {
	bothFamilies(t, func(t *testing.T) {
		headers := len(withoutData(fromClient(toVIP(flow.TCP, 40000, dnatPort), ack))) - ethernetLen
		for _, way := range []struct {
			name string
			port uint16
			mtu  int // of the link, for packets without the outer header
		}{{"inside an outer header", tunnelPort, 1500 - (headers - 20)}, {"on a smaller link", dnatPort, smallMTU}} {
			t.Run(way.name, func(t *testing.T) {
				l := newLab(t, testConfig())
				l.lease(t, clock.Never)
				if way.mtu == smallMTU {
					inside(t, l.lb, func() error { return setMTU("backend0") })
				}
				l.segments(t, toVIP(flow.TCP, 40000, way.port), way.mtu-headers)
			})
		}
	})
}

// segments opens a flow and sends segments of the largest size that fits, and then larger ones.
func (l *lab) segments(t *testing.T, o flow.Tuple, fits int) {
	mac := l.mac(t, "client0")
	frame := func(flags int, data string) []byte { return frameTo(mac, o, flags, data) }
	seen := func() (forwarded, refused uint64) {
		c := counters(t, l.dp)
		return c.Forwarded[0], c.Dropped[dataplane.DropTooBig]
	}
	for _, send := range []struct {
		what               string
		by                 func() error
		forwarded, refused uint64 // so far
	}{
		{"a SYN", func() error { return sendFrames("eth0", frame(syn, payload)) }, 1, 0},
		{"segments that fit", func() error { return sendSegments("eth0", frame(ack, strings.Repeat("x", 3*fits)), fits) }, 4, 0},
		{"larger ones", func() error { return sendSegments("eth0", frame(ack, strings.Repeat("x", 3*fits+3)), fits+1) }, 4, 1},
	} {
		before, dropped := seen()
		inside(t, l.client, send.by)
		gomega.NewWithT(t).Eventually(func() bool { f, r := seen(); return f != before || r != dropped }).
			WithTimeout(ioTimeout).WithPolling(time.Millisecond).Should(gomega.BeTrue(), send.what)
		if f, r := seen(); f != send.forwarded || r != send.refused {
			t.Errorf("%s: %d packets forwarded and %d refused so far, want %d and %d", send.what, f, r, send.forwarded, send.refused)
		}
	}
}

// sendNonlinear sends a frame of which only the Ethernet header is linear.
func sendNonlinear(link string, frame []byte) error {
	return sendVirtio(link, virtioHeader{HeaderLen: ethernetLen}, frame)
}

// sendSegments sends a frame of TCP as one GSO packet, whose segments have size bytes of data.
func sendSegments(link string, frame []byte, size int) error {
	l4, kind := partsOf(frame).l4, uint8(1) // VIRTIO_NET_HDR_GSO_TCPV4
	if isIPv6(frame) {
		kind = 4 // VIRTIO_NET_HDR_GSO_TCPV6
	}
	return sendVirtio(link, virtioHeader{
		Flags: 1, Kind: kind, HeaderLen: uint16(l4 + 20), SegmentSize: uint16(size), ChecksumStart: uint16(l4), ChecksumOffset: 16,
	}, partial(frame))
}

// virtioHeader is struct virtio_net_hdr (linux/virtio_net.h). It tells a packet socket which part of a
// packet is linear, and which offloads its device must do. Flag 1 is VIRTIO_NET_HDR_F_NEEDS_CSUM.
type virtioHeader struct {
	Flags, Kind                                           uint8
	HeaderLen, SegmentSize, ChecksumStart, ChecksumOffset uint16
}

func sendVirtio(link string, header virtioHeader, frame []byte) error {
	out, err := binary.Append(nil, binary.NativeEndian, header)
	if err != nil {
		return err
	}
	return onLink(link, func(fd int, to unix.Sockaddr) error {
		if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1); err != nil {
			return err
		}
		return unix.Sendto(fd, append(out, frame...), 0, to)
	})
}
