package bfdio

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"baton/impl/daemon/internal/netlab"

	"github.com/containernetworking/plugins/pkg/ns"
	"golang.org/x/sys/unix"
)

var (
	addr1 = netip.MustParseAddr("198.18.2.1")
	addr2 = netip.MustParseAddr("198.18.2.2")
	addr3 = netip.MustParseAddr("198.18.2.3")
)

// inNetNS runs f on a thread of an unnamed network namespace with a veth pair
// a0–b0 between 198.18.2.1 and 198.18.2.2, the latter in a second namespace.
func inNetNS(t testing.TB, f func(other ns.NetNS)) {
	t.Helper()
	here, other := netlab.Space(t), netlab.Space(t)
	netlab.In(t, here, func() error {
		if err := netlab.Cable("a0", "b0", other); err != nil {
			return err
		}
		if err := netlab.Up("a0", "198.18.2.1/24", "2001:2:0:2::1/64"); err != nil {
			return err
		}
		if err := other.Do(func(ns.NetNS) error { return netlab.Up("b0", "198.18.2.2/24", "2001:2:0:2::2/64") }); err != nil {
			return err
		}
		if err := errors.Join(netlab.WaitUp("a0"), other.Do(func(ns.NetNS) error { return netlab.WaitUp("b0") })); err != nil {
			return err
		}
		f(other)
		return nil
	})
}

// listen opens a listener on port 3784 of a0's address.
func listen(t testing.TB, filter *Filter) *Listener {
	t.Helper()
	l, err := Listen(ListenConfig{Link: "a0", Local: addr1, Port: Port, Filter: filter})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// sender opens a sender from b0 to a0, in the namespace of b0.
func sender(t testing.TB, other ns.NetNS) *Sender {
	t.Helper()
	var s *Sender
	err := other.Do(func(ns.NetNS) (err error) {
		s, err = OpenSender(Route{Link: "b0", Local: addr2, Peer: addr1, Port: Port}, &SourcePorts{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// receive waits for the next packet.
func receive(t testing.TB, l *Listener) Datagram {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
		datagrams, err := l.Receive()
		if err != nil {
			t.Fatal(err)
		}
		if len(datagrams) > 0 {
			return datagrams[0]
		}
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(l.FD()), Events: unix.POLLIN}}, 100)
	}
	t.Fatal("no packet within 5s")
	return Datagram{}
}

func send(t testing.TB, s *Sender, packet []byte) {
	t.Helper()
	if err := s.Send(packet); err != nil {
		t.Fatal(err)
	}
}
