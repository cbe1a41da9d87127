package daemon

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"baton/impl/daemon/config"
	"baton/impl/daemon/control"
	"baton/impl/daemon/internal/netlab"
)

// overIPv6 gives a pair IPv6 addresses on its cables, moves heartbeat and sync there, and
// adds a service.
func (p *pair) overIPv6(t *testing.T) (vip netip.AddrPort) {
	t.Helper()
	host := func(network, n int) netip.Addr {
		return netip.MustParseAddr(fmt.Sprintf("2001:2:0:%d::%d", network, n))
	}
	for i, n := range p.nodes {
		number, other := i+1, 2-i
		for network, cable := range cables {
			n.in(t, func() error { return netlab.Up(cable.name, fmt.Sprintf("%v/64", host(network, number))) })
		}
		for i, network := range []int{0, 2} { // clients, sync
			n.BFD.Paths[i].Local, n.BFD.Paths[i].Peer = host(network, number), host(network, other)
		}
		n.Sync.Local, n.Sync.Peer = netip.AddrPortFrom(host(2, number), 3790), netip.AddrPortFrom(host(2, other), 3790)
		n.Services = append(n.Services, config.Service{
			Name: "web6", Proto: config.TCP, VIP: host(0, 100), Port: config.Ports{First: 80}, Mode: config.FullNAT, Balance: config.RoundRobin,
			SNAT: config.Address{Addr: host(1, 100)}, Backends: []netip.AddrPort{netip.AddrPortFrom(host(1, 11), 80)},
		})
		n.writeConfig(t)
	}
	return netip.AddrPortFrom(host(0, 100), 80)
}

// TestPairOverIPv6: heartbeat and sync use IPv6. The BACKUP's host is the client: it finds the
// MASTER by neighbour discovery, and the flow that its SYN opens is replicated to the BACKUP.
// After the MASTER is killed, the other node announces the VIP.
func TestPairOverIPv6(t *testing.T) {
	p := newPair(t)
	vip := p.overIPv6(t)
	p.start(t)
	master, backup := p.nodes[0], p.nodes[1]
	for _, n := range p.nodes { // without BFD the keepalives of the sync stream would hold the pair together
		n.waitStatus(t, "hearing its peer on every path", everyPathUp)
	}
	attempts := make(chan error, 1)
	backup.in(t, func() error {
		fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		t.Cleanup(func() { unix.Close(fd) })
		err = unix.Connect(fd, &unix.SockaddrInet6{Addr: vip.Addr().As16(), Port: int(vip.Port())})
		if err == unix.EINPROGRESS {
			err = nil
		}
		attempts <- err
		return err
	})
	if err := <-attempts; err != nil {
		t.Fatal(err)
	}
	backup.waitStatus(t, "told of the IPv6 flow", func(s control.Status) bool { return syncedBackup(s) && s.Sync.Entries == 1 })
	former := staleNeighbour(t, master, "client0", vip.Addr())
	if err := master.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	backup.waitStatus(t, "MASTER after the other's crash, with the flow", func(s control.Status) bool {
		return s.Role == "Master" && s.Flows == 1
	})
	master.wait(t)
	want := macIn(t, backup, "client0")
	for deadline := time.Now().Add(patience); former().String() != want.String(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("a neighbour still sends to %v, want %v", former(), want)
		}
	}
}

// staleNeighbour gives a node's host a wrong neighbour entry for an address, and returns a
// function that reads the entry.
func staleNeighbour(t *testing.T, n *testNode, link string, addr netip.Addr) (owner func() net.HardwareAddr) {
	t.Helper()
	var index int
	n.in(t, func() error {
		l, err := netlink.LinkByName(link)
		if err != nil {
			return err
		}
		index = l.Attrs().Index
		return netlink.NeighSet(&netlink.Neigh{LinkIndex: index, IP: addr.AsSlice(), State: netlink.NUD_REACHABLE,
			HardwareAddr: net.HardwareAddr{2, 0, 0, 0, 0, 99}})
	})
	return func() (mac net.HardwareAddr) {
		n.in(t, func() error {
			list, err := netlink.NeighList(index, netlink.FAMILY_V6)
			for _, e := range list {
				if e.IP.Equal(addr.AsSlice()) {
					mac = e.HardwareAddr
				}
			}
			return err
		})
		return mac
	}
}

// macIn returns the hardware address of a node's link.
func macIn(t *testing.T, n *testNode, link string) (mac net.HardwareAddr) {
	t.Helper()
	n.in(t, func() error {
		i, err := net.InterfaceByName(link)
		if err == nil {
			mac = i.HardwareAddr
		}
		return err
	})
	return mac
}
