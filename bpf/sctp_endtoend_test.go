package bpf

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/onsi/gomega"
	"github.com/pion/sctp"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// The kernel here has no SCTP, so the ends are pion's, over raw sockets. Its client uses port 5000 on both
// sides; its server takes the ports from the packets.
const (
	sctpPort        = 5000
	sctpBackendPort = 5001
)

// sctpSocket carries the SCTP packets of one association over a raw socket. A server's peer is the sender of
// the first packet.
type sctpSocket struct {
	*net.IPConn
	peer *net.IPAddr
}

func (c *sctpSocket) Read(b []byte) (int, error) {
	for {
		n, from, err := c.ReadFromIP(b)
		if err != nil {
			return 0, err
		}
		if c.peer == nil {
			c.peer = from
		}
		if c.peer.IP.Equal(from.IP) {
			return n, nil
		}
	}
}

func (c *sctpSocket) Write(b []byte) (int, error) { return c.WriteToIP(b, c.peer) }

func ipAddr(a flow.Addr) *net.IPAddr { return &net.IPAddr{IP: a.Netip().AsSlice()} }

// newSCTPSocket opens a raw socket for SCTP in a namespace.
func newSCTPSocket(t *testing.T, n ns.NetNS, at flow.Addr, peer *net.IPAddr) *sctpSocket {
	t.Helper()
	network := "ip4:132"
	if !at.Is4() {
		network = "ip6:132"
	}
	c := &sctpSocket{peer: peer}
	inside(t, n, func() (err error) {
		c.IPConn, err = net.ListenIP(network, ipAddr(at))
		return err
	})
	t.Cleanup(func() { c.Close() })
	return c
}

// associate opens an association from the client to the VIP, with one stream. The backend echoes it.
func (l *lab) associate(t *testing.T) (client *sctp.Association, stream *sctp.Stream) {
	t.Helper()
	at := newSCTPSocket(t, l.backend, address(backendAddr), nil)
	go func() {
		server, err := sctp.ServerWithOptions(sctp.WithNetConn(at))
		if err != nil {
			return
		}
		s, err := server.AcceptStream()
		if err != nil {
			return
		}
		buf := make([]byte, 1<<16)
		for {
			n, err := s.Read(buf)
			if err != nil {
				return
			}
			if _, err := s.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), ioTimeout)
	defer cancel()
	from := newSCTPSocket(t, l.client, address(clientAddr), ipAddr(address(vipAddr)))
	client, err := sctp.ClientContext(ctx, sctp.WithNetConn(from), sctp.WithRTOMax(1000))
	if err != nil {
		t.Fatalf("associate: %v", err)
	}
	t.Cleanup(func() { client.Close() })
	stream, err = client.OpenStream(1, sctp.PayloadTypeWebRTCBinary)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.SetReadDeadline(time.Now().Add(ioTimeout)); err != nil {
		t.Fatal(err)
	}
	return client, stream
}

// echoed sends messages of many lengths and waits for their echo.
func echoed(t *testing.T, s *sctp.Stream, messages int) {
	t.Helper()
	lengths := rand.New(rand.NewPCG(1, 2))
	got := make([]byte, 1<<16)
	for i := range messages {
		sent := bytes.Repeat([]byte{byte(i)}, 1+lengths.IntN(20000))
		if _, err := s.Write(sent); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
		n, err := s.Read(got)
		if err != nil {
			t.Fatalf("echo of message %d, %d bytes: %v", i, len(sent), err)
		}
		if !bytes.Equal(got[:n], sent) {
			t.Fatalf("message %d: %d bytes came back of %d, or others", i, n, len(sent))
		}
	}
}

// takeOver replaces the lab's dataplane by one with an empty table, as on a new MASTER.
func (l *lab) takeOver(t *testing.T, cfg dataplane.Config) {
	t.Helper()
	if err := l.dp.Close(); err != nil {
		t.Fatal(err)
	}
	cfg.Hook = inHook
	inside(t, l.lb, func() (err error) {
		l.dp, err = Open(cfg)
		return err
	})
	l.lease(t, clock.Never)
}

func (l *lab) association(t *testing.T) flow.Entry {
	t.Helper()
	var all []flow.Entry
	if err := l.dp.Dump(func(e flow.Entry) bool { all = append(all, e); return true }); err != nil {
		t.Fatal(err)
	}
	all = slices.DeleteFunc(all, func(e flow.Entry) bool { return e.Original.Proto != flow.SCTP })
	if len(all) != 1 {
		t.Fatalf("entries %v, want one of SCTP", all)
	}
	return all[0]
}

// An association between ends of another implementation is established in both modes. It continues when
// another dataplane takes over with its replicated entry, and its shutdown closes the entry.
func TestSCTPThroughTheLoadBalancer(t *testing.T) { bothFamilies(t, associations) }

func TestSCTPOverXDP(t *testing.T) {
	bothFamilies(t, func(t *testing.T) {
		overXDP(t)
		associations(t)
	})
}

func associations(t *testing.T) {
	eachMode(t, func(t *testing.T, mode dataplane.Mode) {
		cfg := labConfig(labService(flow.SCTP, sctpPort, mode, dataplane.RoundRobin, sctpBackendPort))
		l := newLab(t, cfg)
		l.lease(t, clock.Never)
		client, stream := l.associate(t)
		echoed(t, stream, 50)
		e := l.association(t)
		if e.State != flow.Established {
			t.Fatalf("the association is %s", e.State)
		}
		if inHook == dataplane.HookXDP {
			if c := counters(t, l.dp); c.Fast.Forwarded[0] == 0 || c.Fast.Forwarded[1] == 0 {
				t.Errorf("by XDP: %+v", c.Fast)
			}
		}

		l.takeOver(t, cfg)
		l.dropping(t, dataplane.DropMiss, func() {
			if _, err := stream.Write([]byte("meanwhile")); err != nil {
				t.Fatal(err)
			}
		})
		e.Origin = flow.Synced
		if err := l.dp.Apply([]flow.Entry{e}); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 64)
		if n, err := stream.Read(got); err != nil || string(got[:n]) != "meanwhile" {
			t.Fatalf("echo %q (%v), want what was sent before the entry came", got[:n], err)
		}
		echoed(t, stream, 50)

		ctx, cancel := context.WithTimeout(context.Background(), ioTimeout)
		defer cancel()
		if err := client.Shutdown(ctx); err != nil {
			t.Fatalf("shutdown: %v", err)
		}
		gomega.NewWithT(t).Eventually(func() string { return l.association(t).State.String() }).
			WithTimeout(ioTimeout).WithPolling(time.Millisecond).Should(gomega.Equal(flow.Closed.String()))
	})
}
