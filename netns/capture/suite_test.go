package capture_test

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"baton/impl/flow"
	"baton/impl/trace"
	"baton/netns/capture"
	"baton/netns/internal/testlab"
	"baton/scenarios/lab"
)

func TestCapture(t *testing.T) { testlab.Run(t, "capture") }

// recording collects events.
type recording = testlab.Recording

const (
	vip  = "198.18.0.100"
	snat = "198.18.1.100"
	port = 80
)

// network is a small pair: a client and a backend on one switch each, and two routers
// between the switches in place of load balancers. The backend has the VIP on its loopback.
type network struct {
	clients, backends *testlab.Host
	client, backend   *testlab.Host
	lbs               []*testlab.Host
}

func newNetwork() *network { return newNetworkWith(DeferCleanup) }

func newNetworkWith(cleanup func(args ...any)) *network {
	n := &network{clients: testlab.NewHost("clients", cleanup), backends: testlab.NewHost("backends", cleanup),
		client: testlab.NewHost("client1", cleanup), backend: testlab.NewHost("backend1", cleanup)}
	n.clients.Bridge("br0")
	n.backends.Bridge("br0")
	n.client.Plug("eth0", n.clients, "br0", "198.18.0.11/24")
	n.backend.Plug("eth0", n.backends, "br0", "198.18.1.11/24")
	n.backend.Address("lo", vip+"/32")
	for i := 1; i <= 2; i++ {
		lb := testlab.NewHost("lb"+strconv.Itoa(i), cleanup)
		lb.Plug("client0", n.clients, "br0", "198.18.0."+strconv.Itoa(i)+"/24")
		lb.Plug("backend0", n.backends, "br0", "198.18.1."+strconv.Itoa(i)+"/24")
		lb.Sysctl("net/ipv4/ip_forward", "1")
		lb.Sysctl("net/ipv4/conf/all/send_redirects", "0")
		lb.Route(vip+"/32", "198.18.1.11")
		n.lbs = append(n.lbs, lb)
	}
	for _, i := range []int{1, 0} {
		n.via(i)
		n.client.Reach(vip)
	}
	return n
}

// via routes both directions through one of the load balancers.
func (n *network) via(i int) {
	n.client.Route(vip+"/32", "198.18.0."+strconv.Itoa(i+1))
	n.backend.Route("198.18.0.11/32", "198.18.1."+strconv.Itoa(i+1))
}

func (n *network) config(r *recording) capture.Config {
	cfg := capture.Config{
		Edges: []capture.Edge{
			{Name: lab.Clients, Host: n.clients, VIPs: []netip.Addr{netip.MustParseAddr(vip)}},
			{Name: lab.Backends, Host: n.backends, VIPs: []netip.Addr{netip.MustParseAddr(snat)},
				Forwarded: []netip.Prefix{netip.MustParsePrefix("198.18.0.11/32")}},
		},
		Hosts:         map[string]string{n.client.MAC("eth0"): "client1", n.backend.MAC("eth0"): "backend1"},
		LoadBalancers: []string{"lb1", "lb2"},
		Ports:         []uint16{port},
		Record:        r.Record,
	}
	for _, lb := range n.lbs {
		cfg.Hosts[lb.MAC("client0")] = lb.Name()
		cfg.Hosts[lb.MAC("backend0")] = lb.Name()
	}
	return cfg
}

func start(cfg capture.Config) *capture.Capture {
	c, err := capture.Start(cfg)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(c.Stop)
	return c
}

// dial connects from the client to the VIP.
func (n *network) dial(network string) (conn net.Conn, err error) {
	dialErr := n.client.Do(func() error {
		conn, err = net.DialTimeout(network, net.JoinHostPort(vip, strconv.Itoa(port)), 2*time.Second)
		return nil
	})
	return conn, errors.Join(dialErr, err)
}

// listen serves the VIP's TCP port on the backend and returns the accepted connections.
func (n *network) listen() (net.Listener, <-chan net.Conn) {
	var l net.Listener
	Expect(n.backend.Do(func() (err error) {
		l, err = net.Listen("tcp4", net.JoinHostPort(vip, strconv.Itoa(port)))
		return err
	})).To(Succeed())
	DeferCleanup(func() { l.Close() })
	accepted := make(chan net.Conn, 16)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- conn
		}
	}()
	return l, accepted
}

func tupleOf(conn net.Conn) flow.Tuple {
	from, to := conn.LocalAddr().(*net.TCPAddr).AddrPort(), conn.RemoteAddr().(*net.TCPAddr).AddrPort()
	return flow.Tuple{Src: flow.AddrFrom(from.Addr()), Dst: flow.AddrFrom(to.Addr()),
		SrcPort: from.Port(), DstPort: to.Port(), Proto: flow.TCP}
}

// nodes returns the nodes of events, in order.
func nodes(events []trace.Event) []string {
	return slices.Collect(func(yield func(string) bool) {
		for _, e := range events {
			if !yield(e.Node) {
				return
			}
		}
	})
}
