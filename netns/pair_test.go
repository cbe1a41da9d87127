package netns_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/vishvananda/netlink"
	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"

	"baton/netns"
	"baton/scenarios/lab"
)

// echo sends a message to a talker and waits for it to come back.
func echo(from *netns.Host, network, address string) error {
	var conn net.Conn
	err := from.Do(func() (err error) {
		conn, err = net.DialTimeout(network, address, time.Second)
		return err
	})
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write([]byte("hello")); err != nil {
		return err
	}
	reply := make([]byte, 5)
	if _, err := io.ReadFull(conn, reply); err != nil {
		return err
	}
	if string(reply) != "hello" {
		return fmt.Errorf("got %q", reply)
	}
	return nil
}

// ping sends an ICMP echo request and waits for the reply. It is patient: the first request
// may wait for an ARP retry after a second.
func ping(from *netns.Host, address string) error { return pingWithin(patience, from, address) }

// unreachable reports whether a ping gets no quick answer.
func unreachable(from *netns.Host, address string) bool {
	return pingWithin(50*time.Millisecond, from, address) != nil
}

func pingWithin(limit time.Duration, from *netns.Host, address string) error {
	var conn *icmp.PacketConn
	err := from.Do(func() (err error) {
		conn, err = icmp.ListenPacket("ip4:icmp", "0.0.0.0")
		return err
	})
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(limit))
	request := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: 7, Seq: 1}}
	packet, err := request.Marshal(nil)
	if err != nil {
		return err
	}
	if _, err := conn.WriteTo(packet, &net.IPAddr{IP: net.ParseIP(address)}); err != nil {
		return err
	}
	buf := make([]byte, 1500)
	n, sender, err := conn.ReadFrom(buf)
	if err != nil {
		return err
	}
	reply, err := icmp.ParseMessage(1, buf[:n])
	if err != nil || reply.Type != ipv4.ICMPTypeEchoReply || sender.String() != address {
		return fmt.Errorf("got %v from %v: %v", reply, sender, err)
	}
	return nil
}

var _ = Describe("a pair", func() {
	It("has every host, interface, MAC and address of the plan, and nothing else", func() {
		pair := newPair()
		Expect(pair.Names(netns.RoleSwitch)).To(Equal([]string{"clients", "backends"}))
		Expect(pair.Names(netns.RoleLB)).To(Equal([]string{"lb1", "lb2"}))
		Expect(pair.Names(netns.RoleClient)).To(Equal([]string{"client1", "client2"}))
		Expect(pair.Names(netns.RoleBackend)).To(Equal([]string{"backend1", "backend2"}))
		Expect(pair.Host("lb3")).To(BeNil())

		built := map[string]string{}
		for _, h := range pair.Hosts() {
			links, err := h.Netlink().LinkList()
			Expect(err).NotTo(HaveOccurred())
			for _, link := range links {
				if name := link.Attrs().Name; name != "lo" && name != netns.Bridge { // no cable in these
					Expect(link.Attrs().OperState).To(Equal(netlink.LinkOperState(netlink.OperUp)), "%s/%s", h.Name(), link.Attrs().Name)
				}
				if link.Attrs().Name == "lo" || h.Role() == netns.RoleSwitch {
					continue
				}
				addresses, err := h.Netlink().AddrList(link, netlink.FAMILY_ALL)
				Expect(err).NotTo(HaveOccurred())
				Expect(addresses).To(HaveLen(1), "no link-local address either")
				built[h.Name()+"/"+link.Attrs().Name] = addresses[0].IPNet.String() + " " + link.Attrs().HardwareAddr.String()
			}
		}
		Expect(built).To(Equal(map[string]string{
			"lb1/client0":   "198.18.0.1/24 02:ba:70:00:01:01",
			"lb1/backend0":  "198.18.1.1/24 02:ba:70:01:01:01",
			"lb1/sync0":     "198.18.2.1/30 02:ba:70:02:01:01",
			"lb2/client0":   "198.18.0.2/24 02:ba:70:00:01:02",
			"lb2/backend0":  "198.18.1.2/24 02:ba:70:01:01:02",
			"lb2/sync0":     "198.18.2.2/30 02:ba:70:02:01:02",
			"client1/eth0":  "198.18.0.11/24 02:ba:70:00:02:01",
			"client2/eth0":  "198.18.0.12/24 02:ba:70:00:02:02",
			"backend1/eth0": "198.18.1.11/24 02:ba:70:01:03:01",
			"backend2/eth0": "198.18.1.12/24 02:ba:70:01:03:02",
		}))
		for _, h := range pair.Hosts() {
			for _, i := range h.Interfaces() {
				Expect(built).To(HaveKeyWithValue(i.Host+"/"+i.Name, i.Addr.String()+" "+i.MAC.String()))
				owner, ok := pair.Owner(i.MAC)
				Expect(ok).To(BeTrue())
				Expect(owner).To(Equal(i))
			}
		}
	})

	It("joins clients, load balancers and backends by their switches, and the load balancers by the cable", func() {
		pair := newPair()
		startTalker(pair.Host("lb1"))
		startTalker(pair.Host("lb2"))
		for _, path := range []struct{ from, to string }{
			{"client1", "198.18.0.1"}, {"client2", "198.18.0.2"},
			{"backend1", "198.18.1.1"}, {"backend2", "198.18.1.2"},
			{"lb1", "198.18.2.2"}, {"lb2", "198.18.2.1"},
		} {
			Expect(ping(pair.Host(path.from), path.to)).To(Succeed(), "ping %v", path)
			Expect(echo(pair.Host(path.from), "udp4", path.to+":9000")).To(Succeed(), "UDP %v", path)
			Expect(echo(pair.Host(path.from), "tcp4", path.to+":9000")).To(Succeed(), "TCP %v", path)
		}
	})

	It("lets clients reach a VIP on their subnet, and backends what lies behind the backend-side VIP", func() {
		pair := newPair()
		for side, vip := range map[string]string{netns.ClientSide: "198.18.0.100/32", netns.BackendSide: "198.18.1.100/32"} {
			addAddress(pair.Host("lb2"), side, vip)
		}
		Expect(ping(pair.Host("client1"), "198.18.0.100")).To(Succeed())
		Expect(ping(pair.Host("backend1"), "198.18.0.100")).To(Succeed(), "by the default route")
	})

	It("has no way from the clients to the backends but a dataplane", func() {
		pair := newPair()
		Expect(ping(pair.Host("client1"), "198.18.1.11")).To(MatchError(unix.ENETUNREACH))
	})

	It("does not meet another pair that runs beside it", func() {
		a, b := newPair(), newPair()
		startTalker(a.Host("lb1"))
		Expect(echo(a.Host("client1"), "tcp4", "198.18.0.1:9000")).To(Succeed())
		Expect(echo(b.Host("client1"), "tcp4", "198.18.0.1:9000")).To(MatchError(unix.ECONNREFUSED))
		inodes := map[uint64]string{}
		for _, h := range append(a.Hosts(), b.Hosts()...) {
			Expect(inodes).NotTo(HaveKey(h.Inode()))
			inodes[h.Inode()] = h.Name()
		}
	})

	DescribeTable("refuses a shape that has no addresses", func(cfg lab.Topo) {
		_, err := netns.NewPair(cfg)
		Expect(err).To(MatchError(ContainSubstring("want 1 to 89")))
	},
		Entry("no clients", lab.Topo{Clients: 0, Backends: 1}),
		Entry("backends up to the VIPs", lab.Topo{Clients: 1, Backends: 90}),
	)
})

var _ = Describe("Host.Do", func() {
	It("runs inside the namespace and returns to the old one", func() {
		h := newPair().Host("lb1")
		home := ownInode()
		var inside uint64
		Expect(h.Do(func() error { inside = ownInode(); return nil })).To(Succeed())
		Expect(inside).To(Equal(h.Inode()))
		Expect(ownInode()).To(Equal(home))
	})

	It("returns the function's error", func() {
		cause := errors.New("cause")
		Expect(newPair().Host("lb1").Do(func() error { return cause })).To(MatchError(cause))
	})

	It("takes a function that ends its goroutine for failed", func() {
		Expect(newPair().Host("lb1").Do(func() error { runtime.Goexit(); return nil })).To(
			MatchError(ContainSubstring("instead of returning")))
	})

	It("fails on a closed host", func() {
		pair, err := netns.NewPair(lab.Topo{Clients: 1, Backends: 1})
		Expect(err).NotTo(HaveOccurred())
		Expect(pair.Close(context.Background())).To(BeEmpty())
		Expect(pair.Host("lb1").Do(func() error { return nil })).NotTo(Succeed())
	})
})

// ownInode is the inode of the namespace of the caller's thread.
func ownInode() uint64 {
	var stat unix.Stat_t
	if err := unix.Stat(fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), unix.Gettid()), &stat); err != nil {
		return 0
	}
	return stat.Ino
}

func addAddress(h *netns.Host, name, address string) {
	GinkgoHelper()
	link, err := h.Netlink().LinkByName(name)
	Expect(err).NotTo(HaveOccurred())
	addr, err := netlink.ParseAddr(address)
	Expect(err).NotTo(HaveOccurred())
	Expect(h.Netlink().AddrAdd(link, addr)).To(Succeed())
}
