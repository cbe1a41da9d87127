package checkproc

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"testing"

	"baton/impl/daemon/checker"
	"baton/impl/daemon/config"
)

// BenchmarkProbe measures how long one probe takes that opens a connection on this host: by the checker itself, and
// by the process.
func BenchmarkProbe(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	c, err := checker.New(slog.New(slog.DiscardHandler))
	if err != nil {
		b.Skipf("needs an ICMP socket: %v", err)
	}
	defer c.Close()
	p := New(Config{Node: "lb1", LogFormat: "text", Failed: func(err error) { b.Error(err) }})
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); p.Run(ctx) }()
	defer func() { cancel(); <-ended }()

	s, at := service(config.TCP, config.Check{Type: config.CheckPort}), l.Addr().(*net.TCPAddr).AddrPort()
	for _, by := range []struct {
		name  string
		probe func(context.Context, config.Service, netip.AddrPort) error
	}{{"checker", c.Probe}, {"process", p.Probe}} {
		b.Run(by.name, func(b *testing.B) {
			for b.Loop() {
				if err := by.probe(b.Context(), s, at); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
