package checkproc

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/daemon/checker"
	"baton/impl/daemon/config"
	"baton/impl/daemon/internal/netlab"
)

// patience bounds the wait for a condition.
const patience = 20 * time.Second

// badEnv makes the check process one that answers each request with what badAnswers has by that name.
const badEnv = "BATON_TEST_BAD_CHECKS"

var badAnswers = map[string]func(id uint64) []byte{
	"unasked":   func(id uint64) []byte { return answer{ID: id + 1}.marshal() },
	"twice":     func(id uint64) []byte { return append(answer{ID: id}.marshal(), answer{ID: id}.marshal()...) },
	"greeting":  func(uint64) []byte { return answer{}.marshal() },
	"outcome":   func(id uint64) []byte { return append(binary.BigEndian.AppendUint64(nil, id), 9, 0, 0) },
	"long text": func(id uint64) []byte { return append(binary.BigEndian.AppendUint64(nil, id), failed, 0xff, 0xff) },
}

func TestMain(m *testing.M) {
	bad := badAnswers[os.Getenv(badEnv)]
	switch {
	case Called() && bad != nil:
		answerBadly(bad)
	case Called():
		os.Exit(Main())
	}
	os.Exit(m.Run())
}

// answerBadly answers each probe, as fast as it can and for ever.
func answerBadly(bad func(id uint64) []byte) {
	node := os.NewFile(connection, "node")
	_, _ = node.Write(answer{}.marshal())
	_, _ = node.Read(make([]byte, 1<<16)) // a request
	for id := uint64(1); ; {
		if _, err := node.Write(bad(id)); err != nil {
			os.Exit(0)
		}
	}
}

// inSpace runs a test with a check process in its own namespace. failures gets what the node is told.
func inSpace(t *testing.T, test func(p *Process, failures <-chan error)) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: network namespaces and an ICMP socket")
	}
	space := netlab.Space(t)
	failures := make(chan error, 100)
	p := New(Config{Node: "lb1", LogFormat: "text", Failed: func(err error) { failures <- err }})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		netlab.In(t, space, func() error { p.Run(ctx); return nil })
	}()
	defer func() {
		pid := running(p)
		cancel()
		<-ended
		if pid != 0 && !gone(pid) {
			t.Errorf("process %d is left", pid)
		}
	}()
	netlab.In(t, space, func() error {
		if err := netlab.Up("lo", "127.0.0.2/8"); err != nil {
			return err
		}
		test(p, failures)
		return nil
	})
}

// running returns the process's ID, 0 if none runs.
func running(p *Process) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current == nil {
		return 0
	}
	return p.current.cmd.Process.Pid
}

func gone(pid int) bool { return errors.Is(unix.Kill(pid, 0), unix.ESRCH) }

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

func service(proto config.Proto, check config.Check) config.Service {
	if check.Timeout == 0 {
		check.Timeout = config.Duration(patience)
	}
	return config.Service{Name: "web", Proto: proto, Check: check}
}

// up is the check that a running process answers, whatever else runs.
var up = service(config.TCP, config.Check{Type: config.CheckScript, Command: []string{"/bin/true"}})

var backend = netip.MustParseAddrPort("127.0.0.1:9")

// silent returns the address of a listener in the calling thread's namespace that never answers a request.
func silent(t *testing.T) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().(*net.TCPAddr).AddrPort()
}

func request200(kind config.CheckType, timeout time.Duration) config.Check {
	return config.Check{Type: kind, Path: "/", Status: config.Statuses{First: 200, Last: 200}, Timeout: config.Duration(timeout)}
}

// TestTheProcessAndTheCheckerAgree: on every type of check.
func TestTheProcessAndTheCheckerAgree(t *testing.T) {
	inSpace(t, func(p *Process, _ <-chan error) {
		c, err := checker.New(slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); c.Run(ctx) }()
		defer func() { cancel(); <-done; c.Close() }()

		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%s is ready", r.Host) })
		plain, secure := httptest.NewServer(handler), httptest.NewUnstartedServer(handler)
		secure.TLS, secure.Config.ErrorLog = &tls.Config{}, slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
		secure.StartTLS()
		defer plain.Close()
		defer secure.Close()
		http, https := plain.Listener.Addr().(*net.TCPAddr).AddrPort(), secure.Listener.Addr().(*net.TCPAddr).AddrPort()
		udp, err := net.ListenPacket("udp", "127.0.0.3:0")
		if err != nil {
			t.Fatal(err)
		}
		defer udp.Close()
		shop := request200(config.CheckHTTP, 0)
		shop.Host, shop.Body = "shop", "shop is ready"
		elsewhere := shop
		elsewhere.Path, elsewhere.Body = "/elsewhere", strings.Repeat("never said ", 1000)
		for _, tt := range []struct {
			s    config.Service
			at   netip.AddrPort
			want string
		}{
			{service(config.TCP, config.Check{Type: config.CheckPort}), http, ""},
			{service(config.TCP, config.Check{Type: config.CheckPort}), backend, "connection refused"},
			{service(config.UDP, config.Check{Type: config.CheckPort}), netip.MustParseAddrPort(udp.LocalAddr().String()), ""},
			{service(config.UDP, config.Check{Type: config.CheckPort}), backend, "connection refused"},
			{service(config.UDP, config.Check{Type: config.CheckTCP, Port: http.Port()}), backend, ""},
			{service(config.SCTP, config.Check{Type: config.CheckPort}), backend, "protocol not available"},
			{service(config.TCP, config.Check{Type: config.CheckICMP}), backend, ""},
			{service(config.TCP, config.Check{Type: config.CheckICMP}), netip.MustParseAddrPort("[::1]:9"), ""},
			{service(config.TCP, config.Check{Type: config.CheckICMP}), netip.MustParseAddrPort("198.18.1.11:9"), "unreachable"},
			{service(config.TCP, shop), http, ""},
			{service(config.TCP, elsewhere), http, "is not in the first 13 bytes"},
			{service(config.TCP, request200(config.CheckHTTPS, 0)), https, ""},
			{service(config.TCP, request200(config.CheckHTTPS, 0)), http, "HTTP response to HTTPS client"},
			{service(config.TCP, config.Check{Type: config.CheckGRPC}), http, "does not speak gRPC"},
			{service(config.TCP, config.Check{Type: config.CheckGRPCS}), https, "no TLS for HTTP/2"},
			{service(config.TCP, config.Check{Type: config.CheckScript, Command: []string{"/bin/sh", "-c", "echo $BATON_SERVICE $BATON_BACKEND; exit 3"}}), backend, "exit status 3: web 127.0.0.1"},
			{up, backend, ""},
		} {
			inside, outside := text(c.Probe(t.Context(), tt.s, tt.at)), text(p.Probe(t.Context(), tt.s, tt.at))
			if inside[:min(len(inside), maxText)] != outside || tt.want == "" && outside != "" || !strings.Contains(inside, tt.want) {
				t.Errorf("probe %s of %s %v: %q by the process, %q by the checker, want %q", tt.s.Check.Type, tt.s.Proto, tt.at, outside, inside, tt.want)
			}
		}
	})
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestSilenceIsAFailure: of a backend, unlike that of the process.
func TestSilenceIsAFailure(t *testing.T) {
	inSpace(t, func(p *Process, _ <-chan error) {
		at := silent(t)
		await(t, "a probe that was in time", func() bool {
			err := p.Probe(t.Context(), service(config.TCP, request200(config.CheckHTTP, 100*time.Millisecond)), at)
			if text(err) != "no answer within 100ms" && !errors.Is(err, checker.ErrUndecided) { // on a busy machine
				t.Fatal(err)
			}
			return !errors.Is(err, checker.ErrUndecided)
		})
	})
}

// TestAKilledProcessDecidesNothing, and is started again.
func TestAKilledProcessDecidesNothing(t *testing.T) {
	inSpace(t, func(p *Process, failures <-chan error) {
		at, result := silent(t), make(chan error, 1)
		go func() {
			result <- p.Probe(t.Context(), service(config.TCP, request200(config.CheckHTTP, patience)), at)
		}()
		await(t, "the process runs a probe", func() bool { return asked(p) == 1 })
		if err := unix.Kill(running(p), unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if err := <-result; !errors.Is(err, checker.ErrUndecided) {
			t.Errorf("the probe ends with %v, want it undecided", err)
		}
		if err := <-failures; text(err) != "the check process has ended: signal: killed" {
			t.Errorf("the node is told %v", err)
		}
		if p.Broken() == nil {
			t.Error("nothing says that no checks run")
		}
		if err := p.Probe(t.Context(), up, backend); err != nil || p.Broken() != nil {
			t.Errorf("after it: %v, %v", err, p.Broken())
		}
	})
}

// asked returns how many probes have no answer.
func asked(p *Process) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current == nil {
		return 0
	}
	p.current.mu.Lock()
	defer p.current.mu.Unlock()
	return len(p.current.waiting)
}

// TestAStuckProcessDecidesNothing, is killed, and is started again.
func TestAStuckProcessDecidesNothing(t *testing.T) {
	inSpace(t, func(p *Process, failures <-chan error) {
		if err := p.Probe(t.Context(), up, backend); err != nil {
			t.Fatal(err)
		}
		pid := running(p)
		if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		s := up
		s.Check.Timeout = config.Duration(100 * time.Millisecond)
		if err := p.Probe(t.Context(), s, backend); !errors.Is(err, checker.ErrUndecided) {
			t.Errorf("the probe ends with %v, want it undecided", err)
		}
		select {
		case err := <-failures:
			if !strings.Contains(text(err), "has not answered for 2s") || !gone(pid) {
				t.Errorf("the node is told %v; the process is gone: %v", err, gone(pid))
			}
		case <-time.After(patience):
			t.Fatal("nobody notices a stuck process")
		}
		if err := p.Probe(t.Context(), up, backend); err != nil {
			t.Errorf("after it: %v", err)
		}
	})
}

// TestAProcessThatWasLateDecidesNothing: the answer may have come while it was stopped.
func TestAProcessThatWasLateDecidesNothing(t *testing.T) {
	inSpace(t, func(p *Process, failures <-chan error) {
		if err := p.Probe(t.Context(), up, backend); err != nil {
			t.Fatal(err)
		}
		at, pid, result := silent(t), running(p), make(chan error, 1)
		go func() {
			result <- p.Probe(t.Context(), service(config.TCP, request200(config.CheckHTTP, 400*time.Millisecond)), at)
		}()
		await(t, "a probe is asked for", func() bool { return asked(p) == 1 })
		time.Sleep(50 * time.Millisecond) // it has begun
		for _, sig := range []unix.Signal{unix.SIGSTOP, unix.SIGCONT} {
			if err := unix.Kill(pid, sig); err != nil {
				t.Fatal(err)
			}
			time.Sleep(700 * time.Millisecond)
		}
		if err := <-result; !errors.Is(err, checker.ErrUndecided) {
			t.Errorf("the probe ends with %v, want it undecided", err)
		}
		if len(failures) > 0 || running(p) != pid {
			t.Errorf("the process is stopped: %v", p.Broken())
		}
	})
}

// TestAProcessThatAnswersWhatWasNotAskedIsStopped: one that floods the node answers so, too.
func TestAProcessThatAnswersWhatWasNotAskedIsStopped(t *testing.T) {
	for name, bad := range badAnswers {
		t.Run(name, func(t *testing.T) {
			t.Setenv(badEnv, name)
			inSpace(t, func(p *Process, failures <-chan error) {
				s := up
				s.Check.Timeout = config.Duration(100 * time.Millisecond)
				if err := p.Probe(t.Context(), s, backend); !errors.Is(err, checker.ErrUndecided) && name != "twice" {
					t.Errorf("%x: the probe ends with %v, want it undecided", bad(1), err)
				}
				select {
				case err := <-failures:
					if !strings.Contains(text(err), "the check process is stopped: malformed answer") {
						t.Errorf("%x: the node is told %v", bad(1), err)
					}
				case <-time.After(patience):
					t.Errorf("%x: nobody notices", bad(1))
				}
			})
		})
	}
}

// TestTheProcessIgnoresSignalsForTheNode: a service manager sends them to all, and the node needs its checks until it
// has left.
func TestTheProcessIgnoresSignalsForTheNode(t *testing.T) {
	inSpace(t, func(p *Process, failures <-chan error) {
		for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGHUP} {
			if err := p.Probe(t.Context(), up, backend); err != nil {
				t.Fatal(err)
			}
			if err := unix.Kill(running(p), sig); err != nil {
				t.Fatal(err)
			}
		}
		// A script has the default handling: it ends by the signal.
		kill := service(config.TCP, config.Check{Type: config.CheckScript, Command: []string{"/bin/sh", "-c", "kill -TERM $$; sleep 1; echo survived; exit 3"}})
		if err := p.Probe(t.Context(), kill, backend); text(err) != "signal: terminated" {
			t.Errorf("the script ends with %v", err)
		}
		if len(failures) > 0 {
			t.Errorf("the process has ended: %v", <-failures)
		}
	})
}

// TestScriptsEndWithTheProcess, also if it is killed.
func TestScriptsEndWithTheProcess(t *testing.T) {
	inSpace(t, func(p *Process, _ <-chan error) {
		file := filepath.Join(t.TempDir(), "pid")
		go func() {
			_ = p.Probe(t.Context(), service(config.TCP, config.Check{Type: config.CheckScript, Command: []string{"/bin/sh", "-c", "echo $$ > " + file + ".new; mv " + file + ".new " + file + "; exec sleep 1000"}}), backend)
		}()
		script := 0
		await(t, "the script runs", func() bool {
			text, err := os.ReadFile(file)
			if err == nil {
				script, err = strconv.Atoi(strings.TrimSpace(string(text)))
			}
			return err == nil
		})
		if err := unix.Kill(running(p), unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		ended := func() bool {
			state, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", script))
			return gone(script) || strings.Contains(string(state), ") Z ")
		}
		t.Cleanup(func() {
			if !ended() {
				_ = unix.Kill(script, unix.SIGKILL)
			}
		})
		await(t, "the script is gone", ended)
	})
}
