package checker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/daemon/config"
	"baton/impl/daemon/internal/netlab"
)

// patience bounds the wait for a condition.
const patience = 20 * time.Second

// inSpace runs a test of probes in its own namespace.
func inSpace(t *testing.T, test func(c *Checker)) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: network namespaces and an ICMP socket")
	}
	netlab.In(t, netlab.Space(t), func() error {
		if err := netlab.Up("lo", "127.0.0.2/8"); err != nil {
			return err
		}
		c, err := New(slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); c.Run(ctx) }()
		test(c)
		cancel()
		<-done
		c.Close()
		return nil
	})
}

func service(proto config.Proto, check config.Check) config.Service {
	check.Timeout = config.Duration(patience)
	return config.Service{Name: "web", Proto: proto, Check: check}
}

// want checks a probe's error; "" means success. A probe that shows nothing because the machine is busy is repeated.
func want(t *testing.T, c *Checker, s config.Service, at netip.AddrPort, failure string) {
	t.Helper()
	err := c.Probe(t.Context(), s, at)
	for deadline := time.Now().Add(patience); errors.Is(err, ErrUndecided) && time.Now().Before(deadline); {
		err = c.Probe(t.Context(), s, at)
	}
	if failure == "" && err != nil || failure != "" && (err == nil || !strings.Contains(err.Error(), failure)) {
		t.Errorf("probe %s of %s %v: %v, want %q", s.Check.Type, s.Proto, at, err, failure)
	}
}

// TestAScriptsOutputIsNotKept: neither its length nor its number of lines costs the node memory.
func TestAScriptsOutputIsNotKept(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const most = 4 << 20
	script := config.Check{Type: config.CheckScript, Command: []string{"/bin/sh", "-c", "yes | head -c 50000000; exit 3"}}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := (&Checker{}).Probe(ctx, service(config.TCP, script), netip.MustParseAddrPort("127.0.0.1:80"))
	runtime.ReadMemStats(&after)
	if err == nil || err.Error() != "exit status 3: y" {
		t.Errorf("the script failed with %v, want its exit status and first line", err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > most {
		t.Errorf("50 MB of output took %d bytes of memory, more than %d", took, most)
	}
}

func TestPorts(t *testing.T) {
	inSpace(t, func(c *Checker) {
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer tcp.Close()
		udp, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer udp.Close()
		port := config.Check{Type: config.CheckPort}
		open, closed := tcp.Addr().(*net.TCPAddr).AddrPort(), netip.MustParseAddrPort("127.0.0.1:9")
		want(t, c, service(config.TCP, port), open, "")
		want(t, c, service(config.TCP, port), closed, "refused")
		want(t, c, service(config.UDP, port), udp.LocalAddr().(*net.UDPAddr).AddrPort(), "")
		want(t, c, service(config.UDP, port), closed, "refused")
		want(t, c, service(config.UDP, config.Check{Type: config.CheckTCP, Port: open.Port()}), closed, "")
		want(t, c, service(config.UDP, config.Check{Type: config.CheckICMP}), closed, "")
		want(t, c, service(config.UDP, config.Check{Type: config.CheckICMP}), netip.MustParseAddrPort("[::1]:9"), "")
		want(t, c, service(config.UDP, port), netip.MustParseAddrPort("[::1]:9"), "refused")
		nobody := service(config.TCP, config.Check{Type: config.CheckICMP})
		nobody.Check.Timeout = config.Duration(20 * time.Millisecond)
		want(t, c, nobody, netip.MustParseAddrPort("198.18.1.11:80"), "unreachable")
	})
}

// IPv6 backends are pinged, too, and so are their UDP ports.
func TestIPv6Backends(t *testing.T) {
	inSpace(t, func(c *Checker) {
		udp, err := net.ListenPacket("udp", "[::1]:0")
		if err != nil {
			t.Fatal(err)
		}
		open := netip.MustParseAddrPort(udp.LocalAddr().String())
		want(t, c, service(config.UDP, config.Check{Type: config.CheckPort}), open, "")
		want(t, c, service(config.UDP, config.Check{Type: config.CheckICMP}), open, "")
		udp.Close()
		want(t, c, service(config.UDP, config.Check{Type: config.CheckPort}), open, "connection refused")
	})
}

func TestRequests(t *testing.T) {
	inSpace(t, func(c *Checker) {
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/elsewhere" {
				http.Redirect(w, r, "/", http.StatusFound)
				return
			}
			fmt.Fprintf(w, "%s is ready", r.Host)
		})
		for _, secure := range []bool{false, true} {
			kind := config.CheckHTTP
			server := httptest.NewUnstartedServer(handler)
			if secure {
				kind = config.CheckHTTPS
				server.TLS = &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
					if hello.ServerName != "shop" {
						t.Errorf("the check asked for the certificate of %q, want that of its host", hello.ServerName)
					}
					return nil, nil
				}}
				server.StartTLS()
			} else {
				server.Start()
			}
			at := server.Listener.Addr().(*net.TCPAddr).AddrPort()
			check := config.Check{Type: kind, Path: "/", Status: config.Statuses{First: 200, Last: 200}, Host: "shop:443", Body: "shop:443 is ready"}
			want(t, c, service(config.TCP, check), at, "")
			check.Body = "never said"
			want(t, c, service(config.TCP, check), at, `"never said" is not in the first 17 bytes`)
			check.Path = "/elsewhere"
			want(t, c, service(config.TCP, check), at, "status 302 is not in 200-200")
			server.Close()
			want(t, c, service(config.TCP, check), at, "refused")
		}
	})
}

// TestAnAnswerWithoutAnEnd: its text is found as soon as it has come, and a header has a limit.
func TestAnAnswerWithoutAnEnd(t *testing.T) {
	inSpace(t, func(c *Checker) {
		gone := make(chan struct{})
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/header" {
				w.Header().Set("X-Long", strings.Repeat("x", maxBody))
			}
			for _, part := range []string{"shop is re", "ady"} {
				fmt.Fprint(w, part)
				w.(http.Flusher).Flush()
			}
			select {
			case <-r.Context().Done():
			case <-gone:
			}
		}))
		defer server.Close()
		defer close(gone)
		at := server.Listener.Addr().(*net.TCPAddr).AddrPort()
		check := config.Check{Type: config.CheckHTTP, Path: "/", Status: config.Statuses{First: 200, Last: 200}, Body: "is ready"}
		want(t, c, service(config.TCP, check), at, "")
		check.Path = "/header"
		want(t, c, service(config.TCP, check), at, "exceeded 65536 bytes")
	})
}

// TestATextIsFoundWhereverAnAnswerIsSplit: a read ends at any byte, also within the text.
func TestATextIsFoundWhereverAnAnswerIsSplit(t *testing.T) {
	const answer, text = "the shop is is ready, and so on", "is ready"
	for _, split := range []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader} {
		if err := search(split(strings.NewReader(answer)), text); err != nil {
			t.Error(err)
		}
	}
	for at := range len(answer) {
		if err := search(io.MultiReader(strings.NewReader(answer[:at]), strings.NewReader(answer[at:])), text); err != nil {
			t.Errorf("split after %q: %v", answer[:at], err)
		}
	}
	whole := strings.Repeat("x", maxBody-len(text)) + text
	if err := search(strings.NewReader(whole), text); err != nil {
		t.Errorf("at the end of what is searched: %v", err)
	}
	if err := search(strings.NewReader("x"+whole), text); err == nil || !strings.Contains(err.Error(), "the first 65536 bytes") {
		t.Errorf("one byte beyond: %v", err)
	}
	if err := search(io.MultiReader(strings.NewReader("the shop is"), iotest.ErrReader(unix.ECONNRESET)), text); !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("an answer that breaks off: %v", err)
	}
}

func TestScripts(t *testing.T) {
	inSpace(t, func(c *Checker) {
		at := netip.MustParseAddrPort("198.18.1.11:80")
		for _, tt := range []struct{ script, failure string }{
			{`[ "$BATON_SERVICE $BATON_PROTO $BATON_BACKEND $BATON_PORT" = "web tcp 198.18.1.11 80" ]`, ""},
			{"echo the queue is full; echo more; exit 3", "exit status 3: the queue is full"},
			{"sleep 1000 & exit 0", ""}, // a child keeps the output open
		} {
			want(t, c, service(config.TCP, config.Check{Type: config.CheckScript, Command: []string{"/bin/sh", "-c", tt.script}}), at, tt.failure)
		}
		want(t, c, service(config.TCP, config.Check{Type: config.CheckScript, Command: []string{"/no/such/program"}}), at, "no such file")
	})
}

// TestAScriptsChildrenEndWithIt: also one that would run on for long, and holds none of its output open.
func TestAScriptsChildrenEndWithIt(t *testing.T) {
	inSpace(t, func(c *Checker) {
		file := filepath.Join(t.TempDir(), "child")
		script := "sleep 1000 > /dev/null 2>&1 & echo $! > " + file
		want(t, c, service(config.TCP, config.Check{Type: config.CheckScript, Command: []string{"/bin/sh", "-c", script}}), netip.MustParseAddrPort("198.18.1.11:80"), "")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		child, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		await(t, "the child is gone", func() bool { return gone(child) })
	})
}

// TestAScriptThatHangsIsKilledWithItsChildren: at the probe's deadline.
func TestAScriptThatHangsIsKilledWithItsChildren(t *testing.T) {
	inSpace(t, func(c *Checker) {
		file := filepath.Join(t.TempDir(), "child")
		hang := "trap '' TERM; sleep 1000 & echo $! > " + file + ".new; mv " + file + ".new " + file + "; wait"
		s := service(config.TCP, config.Check{Type: config.CheckScript, Command: []string{"/bin/sh", "-c", hang}})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.Probe(ctx, s, netip.MustParseAddrPort("198.18.1.11:80")) }()
		child := 0
		await(t, "the script runs", func() bool {
			text, err := os.ReadFile(file)
			if err == nil {
				child, err = strconv.Atoi(strings.TrimSpace(string(text)))
			}
			return err == nil && child > 0
		})
		cancel()
		if err := <-ended; err == nil || !strings.Contains(err.Error(), "no answer within") {
			t.Errorf("a hanging script: %v", err)
		}
		await(t, "its child is gone", func() bool { return gone(child) })
	})
}

// gone reports whether a process has ended. A zombie has.
func gone(pid int) bool {
	state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil && errors.Is(unix.Kill(pid, 0), unix.ESRCH) || strings.Contains(string(state), ") Z ")
}

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}
