package checker

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	proto "google.golang.org/grpc/health/grpc_health_v1"

	"baton/impl/daemon/config"
)

// serveGRPC runs a gRPC server until the test ends.
func serveGRPC(t *testing.T, register func(*grpc.Server), options ...grpc.ServerOption) *net.TCPAddr {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(options...)
	register(server)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	return listener.Addr().(*net.TCPAddr)
}

func TestGRPC(t *testing.T) {
	inSpace(t, func(c *Checker) {
		states := health.NewServer() // reports the whole server as serving
		states.SetServingStatus("shop.Cart", proto.HealthCheckResponse_SERVING)
		states.SetServingStatus("shop.Search", proto.HealthCheckResponse_NOT_SERVING)
		implemented := func(s *grpc.Server) { proto.RegisterHealthServer(s, states) }
		web := httptest.NewUnstartedServer(http.NotFoundHandler())
		web.TLS = &tls.Config{NextProtos: []string{"http/1.1"}}
		web.StartTLS()
		defer web.Close()
		secure := grpc.Creds(credentials.NewServerTLSFromCert(&web.TLS.Certificates[0]))
		plain, encrypted := serveGRPC(t, implemented), serveGRPC(t, implemented, secure)
		bare := serveGRPC(t, func(*grpc.Server) {})
		http1 := httptest.NewServer(http.NotFoundHandler())
		defer http1.Close()
		closed := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9}

		for _, tt := range []struct {
			name    string
			kind    config.CheckType
			at      *net.TCPAddr
			service string
			failure string
		}{
			{"the server", config.CheckGRPC, plain, "", ""},
			{"a service", config.CheckGRPC, plain, "shop.Cart", ""},
			{"one that does not serve", config.CheckGRPC, plain, "shop.Search", "service shop.Search is NOT_SERVING"},
			{"one that is unknown", config.CheckGRPC, plain, "shop.Nobody", "does not know service shop.Nobody"},
			{"over TLS", config.CheckGRPCS, encrypted, "", ""},
			{"a service over TLS", config.CheckGRPCS, encrypted, "shop.Search", "is NOT_SERVING"},
			{"without health checks", config.CheckGRPC, bare, "", "does not implement grpc.health.v1"},
			{"TLS where none is spoken", config.CheckGRPCS, plain, "", "no TLS"},
			{"TLS for HTTP/1.1", config.CheckGRPCS, web.Listener.Addr().(*net.TCPAddr), "", "no TLS for HTTP/2: tls: no application protocol"},
			{"no TLS where it is spoken", config.CheckGRPC, encrypted, "", "does not speak gRPC on this port"},
			{"HTTP/1.1", config.CheckGRPC, http1.Listener.Addr().(*net.TCPAddr), "", "does not speak gRPC on this port"},
			{"nobody", config.CheckGRPC, closed, "", "refused"},
		} {
			t.Log(tt.name) // not a subtest, which would leave the namespace
			want(t, c, service(config.TCP, config.Check{Type: tt.kind, GRPCService: tt.service}), tt.at.AddrPort(), tt.failure)
		}
	})
}

// TestAGRPCServerThatHangsEndsWithTheProbe: the server accepts the connection and sends nothing.
func TestAGRPCServerThatHangsEndsWithTheProbe(t *testing.T) {
	inSpace(t, func(c *Checker) {
		silent, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer silent.Close()
		for _, kind := range []config.CheckType{config.CheckGRPC, config.CheckGRPCS} {
			s := service(config.TCP, config.Check{Type: kind})
			s.Check.Timeout = config.Duration(50 * time.Millisecond)
			want(t, c, s, silent.Addr().(*net.TCPAddr).AddrPort(), "no answer within 50ms")
		}
	})
}
