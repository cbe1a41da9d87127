package daemon

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"baton/impl/arbiter"
	"baton/impl/daemon/config"
	"baton/impl/daemon/etcd"
	"baton/impl/daemon/pki"
	"baton/impl/node"
)

// openArbiter connects to the configured arbiter, if any.
func (d *daemon) openArbiter() error {
	cfg := d.cfg.Arbiter
	if cfg.Kind() != config.ArbiterEtcd {
		return nil
	}
	var secure *tls.Config // none without https
	if cfg.CA != "" {
		var err error
		if secure, err = pki.Client(d.cfg.ArbiterFiles()); err != nil {
			return fmt.Errorf("arbiter: %w", err)
		}
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
