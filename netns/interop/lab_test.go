// Package interop_test tests `baton bfd`'s speaker, as a process in a namespace, with
// independent BFD implementations: FRR's bfdd and BIRD. Each subtest is a cell of the
// matrix in docs/bfd-interop.md.
package interop_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/daemon/config"
	"baton/impl/daemon/control"
	"baton/impl/daemon/speaker"
	"baton/netns"
)

// childEnv makes this test binary a speaker with the named configuration.
const childEnv = "BATON_TEST_SPEAKER"

// patience bounds the wait for what takes seconds: peers send once a second until a session
// is Up.
const patience = 40 * time.Second

// Addresses of the two ends, by protocol.
var (
	ourAddr   = map[string]string{"IPv4": "198.18.9.1", "IPv6": "2001:2:0:9::1"}
	theirAddr = map[string]string{"IPv4": "198.18.9.2", "IPv6": "2001:2:0:9::2"}
)

// lab is a speaker of ours and a peer's host, joined by a0 and b0.
type lab struct {
	t            *testing.T
	ctx          context.Context
	ours, theirs *netns.Host
	dir          string
	speaker      *netns.Process
	wire         *wire
}

func newLab(t *testing.T) *lab {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: network namespaces")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	t.Cleanup(cancel)
	l := &lab{t: t, ctx: ctx, dir: t.TempDir()}
	for name, host := range map[string]**netns.Host{"ours": &l.ours, "theirs": &l.theirs} {
		h, err := netns.NewHost(name)
		if err != nil {
			t.Fatal(err)
		}
		*host = h
		t.Cleanup(func() {
			if err := h.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	if err := netns.Cable(
		netns.End{Host: l.ours, Name: "a0", Addrs: []netip.Prefix{netip.MustParsePrefix("198.18.9.1/24"), netip.MustParsePrefix("2001:2:0:9::1/64")}},
		netns.End{Host: l.theirs, Name: "b0", Addrs: []netip.Prefix{netip.MustParsePrefix("198.18.9.2/24"), netip.MustParsePrefix("2001:2:0:9::2/64")}},
	); err != nil {
		t.Fatal(err)
	}
	l.bindable(t)
	l.wire = tap(t, l.ours, "a0")
	return l
}

// bindable waits until the kernel has made the addresses usable, IPv6 ones some time after
// the link is up: BIRD tries to bind only once, and stays silent if that fails.
func (l *lab) bindable(t *testing.T) {
	t.Helper()
	for host, addrs := range map[*netns.Host]map[string]string{l.ours: ourAddr, l.theirs: theirAddr} {
		for _, addr := range addrs {
			wait(t, addr+" can be bound to", func() (bool, string) {
				err := host.Do(func() error {
					conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(addr)})
					if err == nil {
						err = conn.Close()
					}
					return err
				})
				return err == nil, fmt.Sprint(err)
			})
		}
	}
}

// session is a session of 3 × interval with the peer.
func session(protocol string, interval time.Duration) config.BFDSession {
	return config.BFDSession{
		Name: "peer", Mode: config.SingleHop, Interface: "a0",
		Local: config.Address{Addr: netip.MustParseAddr(ourAddr[protocol])}, Peer: config.Address{Addr: netip.MustParseAddr(theirAddr[protocol])},
		TX: config.Duration(interval), RX: config.Duration(interval), Mult: 3,
	}
}

// speak starts our speaker with a session.
func (l *lab) speak(s config.BFDSession) {
	l.t.Helper()
	cfg := config.Speaker{Control: filepath.Join(l.dir, "bfd.sock"), Sessions: []config.BFDSession{s}}
	text, err := cfg.Marshal()
	if err != nil {
		l.t.Fatal(err)
	}
	file := filepath.Join(l.dir, "bfd.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		l.t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		l.t.Fatal(err)
	}
	if l.speaker, err = l.ours.Start(netns.ProcessConfig{Args: []string{self}, Env: []string{childEnv + "=" + file}, Log: l.log()}); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) log() string { return filepath.Join(l.dir, "bfd.log") }

// status asks our speaker for its session.
func (l *lab) status() (control.BFDSession, error) {
	client, err := control.Dial(l.ctx, filepath.Join(l.dir, "bfd.sock"))
	if err != nil {
		return control.BFDSession{}, err
	}
	defer client.Close()
	s, err := client.BFDStatus(l.ctx)
	if err != nil {
		return control.BFDSession{}, err
	}
	return s.Sessions[0], nil
}

// command sends our speaker a command.
func (l *lab) command(t *testing.T, do func(*control.Client) error) {
	t.Helper()
	client, err := control.Dial(l.ctx, filepath.Join(l.dir, "bfd.sock"))
	if err == nil {
		defer client.Close()
		err = do(client)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// await waits until our session meets a condition.
func (l *lab) await(t *testing.T, what string, holds func(control.BFDSession) bool) control.BFDSession {
	t.Helper()
	var last control.BFDSession
	wait(t, what, func() (bool, string) {
		s, err := l.status()
		if err != nil {
			return false, err.Error()
		}
		last = s
		return holds(s), fmt.Sprintf("%+v", s)
	})
	return last
}

// wait polls a condition, and fails with the last state.
func wait(t *testing.T, what string, holds func() (bool, string)) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		ok, seen := holds()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s; last seen %s", patience, what, seen)
		}
	}
}

func up(s control.BFDSession) bool { return s.State == "Up" && s.RemoteState == "Up" && !s.Polling }

func TestMain(m *testing.M) {
	if file := os.Getenv(childEnv); file != "" {
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		if err := speaker.Serve(ctx, speaker.Options{ConfigFile: file, LogTo: os.Stderr}); err != nil {
			fmt.Fprintln(os.Stderr, strings.TrimSpace(err.Error()))
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	if code == 0 {
		if err := checkTable(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// crash kills our speaker.
func (l *lab) crash(t *testing.T) {
	t.Helper()
	if err := l.speaker.Signal(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case <-l.speaker.Done():
	case <-l.ctx.Done():
		t.Fatal("our speaker did not die")
	}
}
