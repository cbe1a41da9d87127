package bpf

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/containernetworking/plugins/pkg/ns"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// lab is a client, a load balancer and a backend in namespaces of their own, with
// veths between them. Nobody forwards but the programs.
type lab struct {
	client, lb, backend ns.NetNS
	dp                  *Dataplane
}

func newLab(t *testing.T, cfg dataplane.Config) *lab {
	t.Helper()
	needRoot(t)
	l := &lab{client: newNamespace(t), lb: newNamespace(t), backend: newNamespace(t)}
	wire(t, l.lb, "client0", "198.18.0.1/24", l.client, "eth0", clientAddr+"/24")
	wire(t, l.lb, "backend0", "198.18.1.1/24", l.backend, "eth0", backendAddr+"/24")
	inside(t, l.backend, func() error { return defaultRoute(snatAddr) })
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

// ioTimeout bounds every socket operation; nothing here takes as long.
const ioTimeout = 10 * time.Second

func (l *lab) listen(t *testing.T, port uint16) net.Listener {
	t.Helper()
	var listener net.Listener
	inside(t, l.backend, func() (err error) {
		listener, err = net.Listen("tcp4", fmt.Sprintf(":%d", port))
		return err
	})
	t.Cleanup(func() { listener.Close() })
	return listener
}

func (l *lab) dial(t *testing.T, network string, port uint16) net.Conn {
	t.Helper()
	var conn net.Conn
	inside(t, l.client, func() (err error) {
		conn, err = net.DialTimeout(network, fmt.Sprintf("%s:%d", vipAddr, port), ioTimeout)
		return err
	})
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(ioTimeout))
	return conn
}

// echoOnce answers one connection with what it sends, and then closes.
func echoOnce(listener net.Listener, done chan<- error) {
	conn, err := listener.Accept()
	if err != nil {
		done <- err
		return
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(ioTimeout))
	_, err = io.Copy(conn, conn)
	done <- err
}

// A large transfer in both directions crosses the load balancer as segments that
// the veths left to be cut and summed by nobody: wrong arithmetic on partial
// checksums, or a lost byte, shows here.
func TestTCPThroughTheLoadBalancer(t *testing.T) {
	for _, mode := range []dataplane.Mode{dataplane.FullNAT, dataplane.DNAT} {
		t.Run(mode.String(), func(t *testing.T) {
			l := newLab(t, labConfig(labService(flow.TCP, 80, mode, dataplane.RoundRobin, 8080)))
			if err := l.dp.Lease(clock.Never); err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go echoOnce(l.listen(t, 8080), done)
			conn := l.dial(t, "tcp4", 80)

			sent := bytes.Repeat([]byte("baton relays every byte of it. "), 1<<20)
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
			if err := <-done; err != nil {
				t.Fatalf("backend: %v", err)
			}
		})
	}
}
