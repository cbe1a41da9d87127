package bpf

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/onsi/gomega"

	"baton/impl/clock"
	"baton/impl/clock/boottime"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// lab is a client, a load balancer and a backend in separate namespaces, with veths
// between them. Only the programs forward.
type lab struct {
	client, lb, backend ns.NetNS
	router              ns.NetNS // before the backend; nil without one
	dp                  *Dataplane
}

func newLab(t *testing.T, cfg dataplane.Config) *lab {
	t.Helper()
	needRoot(t)
	l := &lab{client: newNamespace(t), lb: newNamespace(t), backend: newNamespace(t)}
	wire(t, l.lb, "client0", "198.18.0.1/24", l.client, "eth0", clientAddr+"/24")
	wire(t, l.lb, "backend0", "198.18.1.1/24", l.backend, "eth0", backendAddr+"/24")
	if inIPv6 || inAcross {
		addIPv6(t, l.lb, "client0", "198.18.0.1")
		addIPv6(t, l.client, "eth0", clientAddr)
		addIPv6(t, l.lb, "backend0", "198.18.1.1")
		addIPv6(t, l.backend, "eth0", backendAddr)
	}
	inside(t, l.backend, func() error { return defaultRoute(snatAddr) })
	if inHook == dataplane.HookXDP {
		cfg.Hook = inHook
		l.redirects(t)
	}
	inside(t, l.lb, func() (err error) {
		l.dp, err = Open(cfg)
		return err
	})
	t.Cleanup(func() {
		if err := l.dp.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return l
}

// portOfMode is the port, of the VIP and of the backend, at which a mode is served; UDP and TCP have the same.
func portOfMode(mode dataplane.Mode) uint16 { return 80 + uint16(mode) }

// newModesLab returns a lab that holds the lease, with a TCP and a UDP service of each mode.
// Loading programs is slow, so tests that need no table of their own share one.
func newModesLab(t *testing.T) *lab {
	t.Helper()
	var services []dataplane.Service
	for _, mode := range modes {
		port := portOfMode(mode)
		services = append(services, labService(flow.TCP, port, mode, dataplane.RoundRobin, port),
			labService(flow.UDP, port, mode, dataplane.Maglev, port))
	}
	l := newLab(t, labConfig(services...))
	l.lease(t, clock.Never)
	return l
}

// ioTimeout bounds every socket operation; nothing here takes as long.
const ioTimeout = 30 * time.Second

func (l *lab) listen(t *testing.T, port uint16) net.Listener {
	t.Helper()
	var listener net.Listener
	inside(t, l.backend, func() (err error) {
		listener, err = net.Listen("tcp", fmt.Sprintf(":%d", port))
		return err
	})
	t.Cleanup(func() { listener.Close() })
	return listener
}

func (l *lab) dial(t *testing.T, network string, port uint16) net.Conn {
	t.Helper()
	conn, err := l.tryDial(network, port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func (l *lab) tryDial(network string, port uint16) (conn net.Conn, err error) {
	return l.tryDialFrom(l.client, network, port)
}

func (l *lab) tryDialFrom(host ns.NetNS, network string, port uint16) (conn net.Conn, err error) {
	err = host.Do(func(ns.NetNS) error {
		conn, err = net.DialTimeout(network, address(vipAddr).WithPort(port).String(), ioTimeout)
		return err
	})
	if err != nil {
		return nil, err
	}
	return conn, conn.SetDeadline(time.Now().Add(ioTimeout))
}

// echo answers connections with what they send until its listener closes.
func echo(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(ioTimeout))
			io.Copy(conn, conn)
		}()
	}
}

// exchange sends a message and waits for its echo.
func exchange(t *testing.T, conn net.Conn, message string) {
	t.Helper()
	if _, err := conn.Write([]byte(message)); err != nil {
		t.Fatalf("send %q: %v", message, err)
	}
	expect(t, conn, message)
}

func expect(t *testing.T, conn net.Conn, message string) {
	t.Helper()
	got := make([]byte, len(message))
	if _, err := io.ReadFull(conn, got); err != nil {
		t.Fatalf("echo of %q: %v", message, err)
	}
	if string(got) != message {
		t.Fatalf("echo %q, want %q", got, message)
	}
}

func (l *lab) lease(t *testing.T, until clock.Instant) {
	t.Helper()
	if err := l.dp.Lease(until); err != nil {
		t.Fatal(err)
	}
}

// dropping does something and waits until packets are dropped for a reason.
func (l *lab) dropping(t *testing.T, reason dataplane.Drop, something func()) {
	t.Helper()
	before := counters(t, l.dp).Dropped[reason]
	something()
	gomega.NewWithT(t).Eventually(func() uint64 { return counters(t, l.dp).Dropped[reason] }).
		WithTimeout(ioTimeout).WithPolling(time.Millisecond).Should(gomega.BeNumerically(">", before))
}

var modes = []dataplane.Mode{dataplane.FullNAT, dataplane.DNAT}

func eachMode(t *testing.T, f func(*testing.T, dataplane.Mode)) {
	for _, mode := range modes {
		t.Run(mode.String(), func(t *testing.T) { f(t, mode) })
	}
}

// A large transfer in both directions crosses the load balancer as GSO packets with partial
// checksums, which no device segments, and again with the load balancer's kernel doing
// segmentation and checksums. This detects wrong arithmetic on partial checksums and lost
// bytes.
func TestTCPThroughTheLoadBalancer(t *testing.T) { newModesLab(t).transfers(t) }

func (l *lab) transfers(t *testing.T) {
	t.Run("offload=true", func(t *testing.T) { eachMode(t, l.transfer) })
	l.offloadNothing(t)
	t.Run("offload=false", func(t *testing.T) { eachMode(t, l.transfer) })
}

// offloadNothing makes the load balancer's kernel do segmentation and checksums from now on.
func (l *lab) offloadNothing(t *testing.T) {
	t.Helper()
	inside(t, l.lb, func() error {
		return errors.Join(noChecksumOffload("client0"), noChecksumOffload("backend0"))
	})
}

func (l *lab) transfer(t *testing.T, mode dataplane.Mode) {
	port := portOfMode(mode)
	before := counters(t, l.dp).Forwarded[0]
	go echo(l.listen(t, port))
	conn := l.dial(t, "tcp", port)
	sent := bytes.Repeat([]byte("baton relays every byte of it. "), 1<<19)
	go func() {
		conn.Write(sent)
		conn.(*net.TCPConn).CloseWrite()
	}()
	received, err := io.ReadAll(conn)
	if err != nil {
		t.Fatalf("after %d of %d bytes: %v", len(received), len(sent), err)
	}
	if sha256.Sum256(received) != sha256.Sum256(sent) {
		t.Fatalf("received %d bytes, sent %d, and they differ", len(received), len(sent))
	}
	// The programs saw few large packets, and must count the segments.
	if counted := counters(t, l.dp).Forwarded[0] - before; counted < uint64(len(sent)/1500) {
		t.Errorf("%d packets counted for %d bytes: a GSO packet counts as its segments", counted, len(sent))
	}
}

func TestUDPThroughTheLoadBalancer(t *testing.T) { newModesLab(t).datagrams(t) }

func (l *lab) datagrams(t *testing.T) {
	l.offloadNothing(t)
	eachMode(t, func(t *testing.T, mode dataplane.Mode) {
		l.echoDatagrams(t, portOfMode(mode))
		conn := l.dial(t, "udp", portOfMode(mode))
		for i := range 100 {
			exchange(t, conn, fmt.Sprintf("datagram %d", i))
		}
	})
}

// echoDatagrams makes the backend echo datagrams.
func (l *lab) echoDatagrams(t *testing.T, port uint16) {
	t.Helper()
	l.echoDatagramsAt(t, fmt.Sprintf(":%d", port))
}

func (l *lab) echoDatagramsAt(t *testing.T, at string) {
	t.Helper()
	var server net.PacketConn
	inside(t, l.backend, func() (err error) {
		server, err = net.ListenPacket("udp", at)
		return err
	})
	t.Cleanup(func() { server.Close() })
	go func() {
		buf := make([]byte, 1<<16)
		for {
			n, from, err := server.ReadFrom(buf)
			if err != nil {
				return
			}
			server.WriteTo(buf[:n], from)
		}
	}()
}

// The host's stack would reset a connection whose entry is missing. Here segments of both
// sides find no entry, and the connection continues once the entry is back.
func TestConnectionSurvivesTheLossOfItsEntry(t *testing.T) { newModesLab(t).losesEntries(t) }

func (l *lab) losesEntries(t *testing.T) {
	eachMode(t, func(t *testing.T, mode dataplane.Mode) {
		listener := l.listen(t, portOfMode(mode))
		client := l.dial(t, "tcp", portOfMode(mode))
		server, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		server.SetDeadline(time.Now().Add(ioTimeout))
		exchanged := func(from, to net.Conn, message string) {
			from.Write([]byte(message))
			expect(t, to, message)
		}
		exchanged(client, server, "before")

		port := uint16(client.LocalAddr().(*net.TCPAddr).Port)
		var entries []flow.Entry
		if err := l.dp.Dump(func(e flow.Entry) bool {
			if e.Original.SrcPort == port && e.Original.DstPort == portOfMode(mode) {
				entries = append(entries, e)
			}
			return true
		}); err != nil {
			t.Fatal(err)
		}
		if len(entries) != 1 || entries[0].State != flow.Established {
			t.Fatalf("entries %v, want one established", entries)
		}
		if err := l.dp.Delete([]flow.Tuple{entries[0].Original}); err != nil {
			t.Fatal(err)
		}
		l.dropping(t, dataplane.DropMiss, func() { client.Write([]byte("meanwhile")) })
		l.dropping(t, dataplane.DropMiss, func() { server.Write([]byte("as well")) })

		if err := l.dp.Apply(entries); err != nil {
			t.Fatal(err)
		}
		expect(t, server, "meanwhile")
		expect(t, client, "as well")
	})
}

// Without the lease the load balancer is silent: a connecting client is neither answered
// nor refused, and its connection is established once the lease is held.
func TestClientWaitsForTheLease(t *testing.T) {
	l := newLab(t, labConfig(labService(flow.TCP, 80, dataplane.FullNAT, dataplane.RoundRobin, 8080)))
	go echo(l.listen(t, 8080))
	var conn net.Conn
	dialled := make(chan error)
	l.dropping(t, dataplane.DropNoLease, func() {
		go func() {
			var err error
			conn, err = l.tryDial("tcp", 80)
			dialled <- err
		}()
	})
	l.lease(t, clock.Never)
	if err := <-dialled; err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	exchange(t, conn, "at last")
}

// An established connection notices only a delay.
func TestConnectionSurvivesALapseOfTheLease(t *testing.T) {
	l := newLab(t, labConfig(labService(flow.TCP, 80, dataplane.FullNAT, dataplane.RoundRobin, 8080)))
	go echo(l.listen(t, 8080))
	l.lease(t, clock.Never)
	conn := l.dial(t, "tcp", 80)
	exchange(t, conn, "before")
	l.lease(t, boottime.Now())
	l.dropping(t, dataplane.DropNoLease, func() { conn.Write([]byte("again")) })
	l.lease(t, clock.Never)
	expect(t, conn, "again")
}

// Wait returns for each event and consumes none; Close ends it.
func TestWaitForEvents(t *testing.T) {
	l := newLab(t, labConfig(labService(flow.TCP, 80, dataplane.FullNAT, dataplane.RoundRobin, 8080)))
	l.lease(t, clock.Never)
	go echo(l.listen(t, 8080))
	waited := make(chan error)
	go func() { waited <- l.dp.Wait() }()
	conn := l.dial(t, "tcp", 80)
	exchange(t, conn, "hello")
	if err := <-waited; err != nil {
		t.Fatalf("wait: %v", err)
	}
	got := events(t, l.dp)
	if len(got) != 2 || !strings.Contains(got[0], "syn-sent opened") || !strings.Contains(got[1], "established opened") {
		t.Fatalf("events %q, want one opened, one established", got)
	}
	go func() { waited <- l.dp.Wait() }()
	if err := l.dp.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-waited; err != io.EOF {
		t.Fatalf("wait after close: %v, want EOF", err)
	}
}

// A VIP that the host has as an address of its own would be answered by its stack.
func TestOpenRefusesAnOwnAddressAsVIP(t *testing.T) {
	needRoot(t)
	n := newNamespace(t)
	wire(t, n, "client0", vipAddr+"/24", n, "client1", "198.18.0.1/24")
	wire(t, n, "backend0", "198.18.1.1/24", n, "backend1", "198.18.1.2/24")
	inside(t, n, func() error {
		d, err := Open(labConfig())
		if err == nil {
			return errors.Join(errors.New("open accepted it"), d.Close())
		}
		if !strings.Contains(err.Error(), vipAddr) {
			return fmt.Errorf("error %q does not name the address", err)
		}
		return nil
	})
}

func TestProbe(t *testing.T) {
	needRoot(t)
	if err := Probe(); err != nil {
		t.Fatal(err)
	}
}
