package daemon

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"time"

	"baton/impl/arbiter"
	"baton/impl/daemon/config"
	"baton/impl/daemon/etcd"
	"baton/impl/node"
)

// openArbiter connects to the configured arbiter, if any.
func (d *daemon) openArbiter() error {
	cfg := d.cfg.Arbiter
	if cfg.Kind() != config.ArbiterEtcd {
		return nil
	}
	secure, err := arbiterTLS(cfg)
	if err != nil {
		return fmt.Errorf("arbiter: %w", err)
	}
	store, err := etcd.Open(etcd.Config{
		Endpoints: cfg.Etcd, Key: cfg.Key, TLS: secure,
		// The core abandons a question after the same time.
		Timeout: time.Duration(cfg.Validity) / 2,
	})
	if err != nil {
		return fmt.Errorf("arbiter: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	d.onClose(func() {
		cancel()
		if err := store.Close(); err != nil {
			d.log.Debug("connection to the arbiter not closed", "error", err)
		}
	})
	d.loop.out.arbitrate = func(q arbiter.Question) {
		// The core abandons a question before it asks the next.
		go func() { d.loop.inbox.post(node.Arbitration{Answer: store.Do(ctx, q)}) }()
	}
	return nil
}

// arbiterTLS is the TLS configuration towards etcd, nil without https.
func arbiterTLS(cfg config.Arbiter) (*tls.Config, error) {
	if cfg.CA == "" {
		return nil, nil
	}
	text, err := os.ReadFile(cfg.CA)
	if err != nil {
		return nil, err
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}
	if !out.RootCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no PEM certificate", cfg.CA)
	}
	if cfg.Cert != "" {
		pair, err := tls.LoadX509KeyPair(cfg.Cert, cfg.KeyFile)
		if err != nil {
			return nil, err
		}
		out.Certificates = []tls.Certificate{pair}
	}
	return out, nil
}
