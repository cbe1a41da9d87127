package daemon

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/daemon/notify"
)

// manager is a service manager's socket.
type manager struct {
	t    *testing.T
	path string
	conn *net.UnixConn
}

func newManager(t *testing.T) *manager {
	t.Helper()
	m := &manager{t: t, path: filepath.Join(t.TempDir(), "notify")}
	var err error
	if m.conn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path, Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.conn.Close() })
	return m
}

// next returns the next message to the manager, "" if none comes in time.
func (m *manager) next(within time.Duration) string {
	m.t.Helper()
	message := make([]byte, 4096)
	_ = m.conn.SetReadDeadline(time.Now().Add(within))
	n, err := m.conn.Read(message)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		m.t.Fatal(err)
	}
	return string(message[:n])
}

// want reads up to a message, skipping signs of life.
func (m *manager) want(prefix string) {
	m.t.Helper()
	for {
		switch got := m.next(patience); {
		case strings.HasPrefix(got, prefix):
			return
		case got != "WATCHDOG=1":
			m.t.Fatalf("the service manager is told %q, want %q", got, prefix)
		}
	}
}

// The service manager learns when the node is ready, that it is alive, when it reloads and
// when it ends.
func TestTheServiceManagerLearnsTheStateOfTheNode(t *testing.T) {
	m := newManager(t)
	n := newPair(t).nodes[0]
	n.env = []string{"NOTIFY_SOCKET=" + m.path, "WATCHDOG_USEC=100000", flowsEnv + "=0"}
	n.start(t)
	m.want("READY=1")
	for range 3 {
		if got := m.next(patience); got != "WATCHDOG=1" {
			t.Errorf("the service manager is told %q, want a sign of life", got)
		}
	}
	if err := n.cmd.Process.Signal(unix.SIGHUP); err != nil {
		t.Fatal(err)
	}
	m.want("RELOADING=1\nMONOTONIC_USEC=")
	m.want("READY=1")
	if err := n.cmd.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	m.want("STOPPING=1")
	if err := n.wait(t); err != nil {
		t.Error(err)
	}
}

// A node whose loop does not answer is neither ready nor alive.
func TestAStuckLoopIsNotReportedAsAlive(t *testing.T) {
	m := newManager(t)
	t.Setenv("NOTIFY_SOCKET", m.path)
	t.Setenv("WATCHDOG_USEC", "20000")
	d := &daemon{loop: &loop{inbox: newInbox(func() {})}, manager: notify.New(slog.New(slog.DiscardHandler))}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { d.supervise(ctx); close(ended) }()
	defer func() { cancel(); <-ended }()
	const stuck = 200 * time.Millisecond
	if got := m.next(stuck); got != "" {
		t.Errorf("the manager is told %q of a loop that has never answered", got)
	}
	answer := func() {
		for _, i := range d.loop.inbox.take(nil) {
			i.run()
		}
	}
	answer()
	m.want("READY=1")
	for got := ""; got != "WATCHDOG=1"; got = m.next(20 * time.Millisecond) {
		answer()
	}
	answer()
	for alive := 0; m.next(stuck) != ""; alive++ {
		if alive > 1 {
			t.Fatal("signs of life come of a loop that does not answer")
		}
	}
}
