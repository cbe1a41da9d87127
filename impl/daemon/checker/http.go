package checker

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"

	"baton/impl/daemon/config"
)

// maxBody is the maximum number of bytes of a response that are searched, and of its header.
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
	answer, err := over(conn, c.Host).Do(r)
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
	return search(answer.Body, c.Body)
}

// search reads an answer until it has found a text: an answer may go on for ever.
func search(answer io.Reader, text string) error {
	body, some := []byte(nil), make([]byte, 4096)
	for answer := io.LimitReader(answer, maxBody); ; {
		searched := max(len(body)-len(text)+1, 0) // what comes may complete the text
		n, err := answer.Read(some)
		body = append(body, some[:n]...)
		switch {
		case bytes.Contains(body[searched:], []byte(text)):
			return nil
		case errors.Is(err, io.EOF):
			return fmt.Errorf("%q is not in the first %d bytes of the answer", text, len(body))
		case err != nil:
			return err
		}
	}
}

// over is an HTTP client on one connection. It follows no redirects, uses no proxy, and does
// not verify certificates.
func over(conn net.Conn, host string) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:       func(context.Context, string, string) (net.Conn, error) { return conn, nil },
			DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: maxBody,
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: serverName(host)},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// serverName is the name that TLS asks for (RFC 6066 section 3): the host of a check without its port. A backend with
// several certificates answers by it. crypto/tls sends no address.
func serverName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}
