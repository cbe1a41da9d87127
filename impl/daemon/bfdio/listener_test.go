package bfdio

import (
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"github.com/containernetworking/plugins/pkg/ns"
	"golang.org/x/sys/unix"
)

// TestADatagramHasItsAddressesInterfaceAndTTL: source, destination, interface and TTL or hop limit, for both
// IP versions.
func TestADatagramHasItsAddressesInterfaceAndTTL(t *testing.T) {
	inNetNS(t, func(other ns.NetNS) {
		for _, c := range []struct{ any, here, there string }{
			{"0.0.0.0", "198.18.2.1", "198.18.2.2"}, {"::", "2001:2:0:2::1", "2001:2:0:2::2"},
		} {
			here, there := netip.MustParseAddr(c.here), netip.MustParseAddr(c.there)
			l, err := Listen(ListenConfig{Local: netip.MustParseAddr(c.any), Port: MultihopPort})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(l.Close)
			err = other.Do(func(ns.NetNS) error {
				s, err := OpenSender(Route{Local: there, Peer: here, Port: MultihopPort}, &SourcePorts{})
				if err != nil {
					return err
				}
				t.Cleanup(s.Close)
				return s.Send([]byte("first"))
			})
			if err != nil {
				t.Fatal(err)
			}
			index, err := linkIndex("a0")
			if err != nil {
				t.Fatal(err)
			}
			if d := receive(t, l); string(d.Data) != "first" || d.TTL != 255 || d.From != there || d.To != here || d.Link != index {
				t.Errorf("received %+v, want %q from %v to %v by interface %d with TTL 255 (RFC 5881 5)", d, "first", there, here, index)
			}
		}
	})
}

func TestALowTTLIsReported(t *testing.T) {
	inNetNS(t, func(other ns.NetNS) {
		one, two := listen(t, nil), sender(t, other)
		if err := unix.SetsockoptInt(two.fd, unix.SOL_IP, unix.IP_TTL, 64); err != nil {
			t.Fatal(err)
		}
		send(t, two, []byte("routed"))
		if d := receive(t, one); d.TTL != 64 {
			t.Errorf("TTL %d, want the 64 that was sent", d.TTL)
		}
	})
}

// TestWaitingPacketsAreReadInOrderAndInBatches, each with its control messages.
func TestWaitingPacketsAreReadInOrderAndInBatches(t *testing.T) {
	inNetNS(t, func(other ns.NetNS) {
		one, two := listen(t, nil), sender(t, other)
		next := byte(0)
		for _, sent := range []int{2*batchLen + 1, 1, batchLen, 3} {
			for i := range sent {
				send(t, two, []byte{next + byte(i)})
			}
			for want := next + byte(sent); next != want; {
				datagrams, err := one.Receive()
				if err != nil {
					t.Fatal(err)
				}
				if left := int(want - next); More(datagrams) != (len(datagrams) == batchLen) || len(datagrams) > min(left, batchLen) {
					t.Fatalf("%d packets of %d at once", len(datagrams), left)
				}
				for _, d := range datagrams {
					if len(d.Data) != 1 || d.Data[0] != next || d.TTL != 255 || d.From != addr2 {
						t.Fatalf("received %+v, want packet %d of %v", d, next, addr2)
					}
					next++
				}
			}
		}
	})
}

func TestALongDatagramIsCut(t *testing.T) {
	inNetNS(t, func(other ns.NetNS) {
		one, two := listen(t, nil), sender(t, other)
		send(t, two, make([]byte, 1400))
		if d := receive(t, one); len(d.Data) != maxPacket {
			t.Errorf("received %d bytes, want %d", len(d.Data), maxPacket)
		}
	})
}

func TestALinkThatIsNotThereIsNamed(t *testing.T) {
	inNetNS(t, func(ns.NetNS) {
		_, err := Listen(ListenConfig{Link: "sync0", Local: addr1, Port: Port})
		if err == nil || !strings.Contains(err.Error(), "port 3784 of 198.18.2.1: tie to sync0") {
			t.Errorf("Listen = %v, want an error that names the link", err)
		}
		_, err = OpenSender(Route{Link: "sync0", Local: addr1, Peer: addr2, Port: Port}, &SourcePorts{})
		if err == nil || !strings.Contains(err.Error(), "198.18.2.1 to 198.18.2.2: tie to sync0") {
			t.Errorf("OpenSender = %v, want an error that names the link", err)
		}
	})
}

func TestAnAddressMayComeLater(t *testing.T) {
	inNetNS(t, func(ns.NetNS) {
		for _, later := range []string{"198.18.2.9", "2001:2:0:2::9"} {
			local := netip.MustParseAddr(later)
			l, err := Listen(ListenConfig{Link: "a0", Local: local, Port: Port})
			if err != nil {
				t.Fatal(err)
			}
			l.Close()
			s, err := OpenSender(Route{Link: "a0", Local: local, Peer: local.Next(), Port: Port}, &SourcePorts{})
			if err != nil {
				t.Fatal(err)
			}
			s.Close()
		}
	})
}

func TestReceiveAllocatesNothing(t *testing.T) {
	inNetNS(t, func(other ns.NetNS) {
		one, two := listen(t, nil), sender(t, other)
		packet := make([]byte, 24)
		allocs := testing.AllocsPerRun(100, func() {
			if err := two.Send(packet); err != nil {
				t.Fatal(err)
			}
			for n := 0; n == 0; runtime.Gosched() {
				datagrams, _ := one.Receive()
				n = len(datagrams)
			}
		})
		if allocs != 0 {
			t.Errorf("%v allocations a packet, want 0", allocs)
		}
	})
}
