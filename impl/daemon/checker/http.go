package checker

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"

	"baton/impl/daemon/config"
)

// maxBody is the maximum number of bytes of a response that are searched.
const maxBody = 64 << 10

// request sends a backend an HTTP request.
func request(ctx context.Context, c config.Check, at netip.AddrPort) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s://%v%s", c.Type, at, c.Path), nil)
	if err != nil {
		return err
	}
	r.Host = c.Host
	r.Header.Set("User-Agent", "baton-check")
	var d net.Dialer // dial here: the client's goroutine may be in another namespace
	conn, err := d.DialContext(ctx, "tcp", at.String())
	if err != nil {
		return err
	}
	defer conn.Close()
	answer, err := over(conn).Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode < c.Status.First || answer.StatusCode > c.Status.Last {
		return fmt.Errorf("status %d is not in %v", answer.StatusCode, c.Status)
	}
	if c.Body == "" {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxBody))
	if err == nil && !bytes.Contains(body, []byte(c.Body)) {
		err = fmt.Errorf("%q is not in the first %d bytes of the answer", c.Body, len(body))
	}
	return err
}

// over is an HTTP client on one connection. It follows no redirects, uses no proxy, and does
// not verify certificates.
func over(conn net.Conn) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:       func(context.Context, string, string) (net.Conn, error) { return conn, nil },
			DisableKeepAlives: true, DisableCompression: true,
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
