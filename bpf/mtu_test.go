package bpf

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// smallMTU is that of the narrow link of these tests.
const smallMTU = 1400

func setMTU(link string) error {
	l, err := netlink.LinkByName(link)
	if err != nil {
		return err
	}
	return netlink.LinkSetMTU(l, smallMTU)
}

// A link has a smaller MTU than both ends assume: on either side of the load balancer, which
// sends the error, or behind a router, whose error it forwards. TCP sends with DF; without the
// error it would retransmit the same segments until it gives up.
func TestTransferOverASmallerLink(t *testing.T) {
	links := []struct {
		name   string
		ask    func(net.Conn)
		serve  func(net.Listener)
		narrow func(*testing.T, *lab)
	}{
		{"to the backends", upload, echo, func(t *testing.T, l *lab) { l.narrowBackends(t) }},
		// A client gets no error about its own packets on a link whose ends have different MTUs.
		{"to the clients", func(net.Conn) {}, download, func(t *testing.T, l *lab) { inside(t, l.lb, func() error { return setMTU("client0") }) }},
		{"behind a router of the clients", upload, echo, func(t *testing.T, l *lab) { l.routeClients(t) }},
	}
	if inIPv6 {
		links = links[:2]
	}
	for _, tt := range links {
		t.Run(tt.name, func(t *testing.T) {
			eachMode(t, func(t *testing.T, mode dataplane.Mode) {
				l := newLab(t, labConfig(labService(flow.TCP, 80, mode, dataplane.RoundRobin, 8080)))
				l.lease(t, clock.Never)
				tt.narrow(t, l)
				go tt.serve(l.listen(t, 8080))
				conn := l.dial(t, "tcp", 80)
				go tt.ask(conn)
				received, err := io.ReadAll(conn)
				if err != nil || !bytes.Equal(received, tooWide) {
					t.Fatalf("received %d of %d bytes: %v; counters %+v", len(received), len(tooWide), err, counters(t, l.dp))
				}
			})
		})
	}
}

// narrowBackends narrows the load balancer's end of the link to the backends. A veth drops larger packets of
// the other end in silence, so the backend sends smaller ones. The MSS that it announces stays large.
func (l *lab) narrowBackends(t *testing.T) {
	inside(t, l.lb, func() error { return setMTU("backend0") })
	inside(t, l.backend, func() error {
		routes, err := netlink.RouteList(nil, netlink.FAMILY_ALL)
		for _, r := range routes {
			r.MTU, r.AdvMSS = smallMTU, 1440
			err = errors.Join(err, netlink.RouteReplace(&r))
		}
		return err
	})
}

// routeClients puts a router before the clients: the load balancer's link leads to it, and
// the link behind it is the narrow one.
func (l *lab) routeClients(t *testing.T) {
	const routed, beyond = "198.18.8.1", "198.18.8.11"
	router := newNamespace(t)
	inside(t, l.client, func() error { // its old link becomes the router's
		old, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		return netlink.LinkSetNsFd(old, int(router.Fd()))
	})
	inside(t, router, func() error {
		if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0); err != nil {
			return err
		}
		return raise("eth0", clientAddr+"/24")
	})
	wire(t, router, "eth1", routed+"/24", l.client, "eth0", beyond+"/24")
	inside(t, router, func() error { return setMTU("eth1") })
	inside(t, l.client, func() error { return defaultRoute(routed) })
	inside(t, l.lb, func() error { return defaultRoute(clientAddr) })
}

// tooWide is the transferred data: many full-sized segments.
var tooWide = bytes.Repeat([]byte("too wide "), 1<<16)

// download sends tooWide to the first client.
func download(listener net.Listener) {
	conn, err := listener.Accept()
	if err != nil {
		return
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(ioTimeout))
	conn.Write(tooWide)
}

func upload(conn net.Conn) {
	conn.Write(tooWide)
	conn.(*net.TCPConn).CloseWrite()
}
