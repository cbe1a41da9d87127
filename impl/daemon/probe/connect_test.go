package probe

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/impl/daemon/internal/netlab"
)

// TestTheConnectorReportsEachProbe, and logs a gateway that does not answer once. A refusal is an answer.
func TestTheConnectorReportsEachProbe(t *testing.T) {
	node := netlab.Space(t)
	netlab.In(t, node, func() error { return netlab.Up("lo", "127.0.0.1/8") })
	for _, c := range []struct {
		target string
		want   bool
		lines  int
	}{{"127.0.0.1:180", true, 0}, {"198.18.0.3:180", false, 1}} { // nobody listens; there is no route
		var log bytes.Buffer
		ctx, cancel := context.WithCancel(t.Context())
		var got []bool
		connector := &Connector{Target: netip.MustParseAddrPort(c.target), Every: 5 * time.Millisecond, Log: slog.New(slog.NewTextHandler(&log, nil)),
			Report: func(answered bool) {
				if got = append(got, answered); len(got) == 3 {
					cancel()
				}
			}}
		netlab.In(t, node, func() error { connector.Run(ctx); return nil })
		cancel()
		if len(got) != 3 || slices.Contains(got, !c.want) {
			t.Errorf("%s: %v, want three times %v", c.target, got, c.want)
		}
		if n := strings.Count(log.String(), "gateway does not answer"); n != c.lines {
			t.Errorf("%s: told %d times, want %d:\n%s", c.target, n, c.lines, log.String())
		}
	}
}

// A connection and a refusal are answers, silence is not; the configured source is used.
func TestConnect(t *testing.T) {
	node, world := netlab.Space(t), netlab.Space(t)
	netlab.In(t, node, func() error {
		if err := netlab.Cable("client0", "eth0", world); err != nil {
			return err
		}
		return netlab.Up("client0", "198.18.0.1/24", "198.18.0.2/24")
	})
	netlab.In(t, world, func() error { return netlab.Up("eth0", "198.18.0.3/24") })
	from := make(chan string, 1)
	netlab.In(t, world, func() error {
		l, err := net.Listen("tcp", "198.18.0.3:179")
		if err != nil {
			return err
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				from <- conn.RemoteAddr().String()
				conn.Close()
			}
		}()
		return nil
	})
	try := func(target, source string, timeout time.Duration) (err error) {
		at := netip.Addr{}
		if source != "" {
			at = netip.MustParseAddr(source)
		}
		netlab.In(t, node, func() error {
			err = Connect(t.Context(), netip.MustParseAddrPort(target), at, timeout)
			return nil
		})
		return err
	}
	if err := try("198.18.0.3:179", "198.18.0.2", patience); err != nil {
		t.Errorf("a host that listens: %v", err)
	} else if got := <-from; !strings.HasPrefix(got, "198.18.0.2:") {
		t.Errorf("connected from %s", got)
	}
	if err := try("198.18.0.3:180", "", patience); err != nil {
		t.Errorf("a host that refuses: %v", err)
	}
	if err := try("198.18.0.9:179", "", 300*time.Millisecond); err == nil {
		t.Error("a host that is not there answers")
	}
	if err := try("198.18.0.3:179", "198.18.0.77", 300*time.Millisecond); err == nil {
		t.Error("connected from an address that the node does not have")
	}
	netlab.In(t, node, func() error {
		if err := Ping(t.Context(), netip.MustParseAddr("198.18.0.3"), netip.MustParseAddr("198.18.0.2"), patience); err != nil {
			t.Errorf("a host that replies: %v", err)
		}
		if Ping(t.Context(), netip.MustParseAddr("198.18.0.9"), netip.Addr{}, 200*time.Millisecond) == nil {
			t.Error("a host that is not there replies")
		}
		return nil
	})
}
