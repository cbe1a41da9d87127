package checker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	health "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"baton/impl/daemon/config"
)

// call asks a backend by the gRPC health checking protocol (grpc.health.v1) whether a
// service, or the whole server, is serving.
func call(ctx context.Context, c config.Check, at netip.AddrPort) error {
	var d net.Dialer // dial here: the client's goroutine may be in another namespace
	conn, err := d.DialContext(ctx, "tcp", at.String())
	if err != nil {
		return err
	}
	defer conn.Close()
	if c.Type == config.CheckGRPCS {
		if conn, err = secured(ctx, conn, c.Host); err != nil {
			return err
		}
	}
	client, err := grpcOver(conn, c.Host, at)
	if err != nil {
		return err
	}
	defer client.Close()
	answer, err := health.NewHealthClient(client).Check(ctx, &health.HealthCheckRequest{Service: c.GRPCService})
	if err != nil {
		return refusal(err, c.GRPCService)
	}
	if answer.Status != health.HealthCheckResponse_SERVING {
		return fmt.Errorf("%s is %v", served(c.GRPCService), answer.Status)
	}
	return nil
}

// secured starts TLS for HTTP/2 on a connection. It does not verify certificates.
func secured(ctx context.Context, conn net.Conn, host string) (net.Conn, error) {
	over := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, ServerName: serverName(host), NextProtos: []string{"h2"}})
	if err := over.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("no TLS for HTTP/2: %v", brief(err))
	}
	if over.ConnectionState().NegotiatedProtocol != "h2" {
		return nil, errors.New("its TLS does not offer HTTP/2 (ALPN h2)")
	}
	return over, nil
}

// grpcOver is a client on one connection, which it uses once and without a proxy.
func grpcOver(conn net.Conn, host string, at netip.AddrPort) (*grpc.ClientConn, error) {
	once := make(chan net.Conn, 1)
	once <- conn
	if host == "" {
		host = at.String()
	}
	return grpc.NewClient("passthrough:///"+at.String(),
		grpc.WithTransportCredentials(insecure.NewCredentials()), // the connection has TLS, if any
		grpc.WithAuthority(host), grpc.WithUserAgent("baton-check"), grpc.WithNoProxy(), grpc.WithDisableServiceConfig(),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			select {
			case conn := <-once:
				return conn, nil
			default:
				return nil, errors.New("the connection has ended")
			}
		}))
}

// refusal describes why a call failed.
func refusal(err error, service string) error {
	switch s := status.Convert(err); s.Code() {
	case codes.Unimplemented:
		return errors.New("the backend does not implement grpc.health.v1")
	case codes.NotFound:
		return fmt.Errorf("the backend does not know %s", served(service))
	case codes.Unavailable:
		return fmt.Errorf("the backend does not speak gRPC on this port: %s", s.Message())
	default:
		return fmt.Errorf("grpc status %v: %s", s.Code(), s.Message())
	}
}

// served names the subject of a check.
func served(service string) string {
	if service == "" {
		return "the server"
	}
	return "service " + service
}
