package netns

import (
	"context"
	"errors"
	"fmt"
)

// What befalls a backend or a client: its links and its kernel's connections are real, its
// servers or its traffic are sockets of the generator.

// crashHost is a power failure: no FIN and no RST leaves. The sockets stand still first,
// so that no client takes their end for that of its sessions.
func (w *World) crashHost(ctx context.Context, host string) (string, error) {
	h := w.pair.Host(host)
	if _, err := w.traffic.Freeze(host); err != nil {
		return "", noReceipt("crash %s: %w", host, err)
	}
	carrier, err := w.pair.setLinks(ctx, h, false)
	if err != nil {
		return "", noReceipt("crash %s: %w", host, err)
	}
	for _, p := range h.Processes() {
		if _, err := p.Kill(ctx); err != nil {
			return "", noReceipt("crash %s: %w", host, err)
		}
	}
	if err := h.destroySockets(); err != nil {
		return "", noReceipt("crash %s: %w", host, err)
	}
	sockets, err := w.traffic.Halt(host)
	if err != nil {
		return "", noReceipt("crash %s: %w", host, err)
	}
	return fmt.Sprintf("%s; %d sockets gone", carrier, sockets), nil
}

// haltHost ends the programs alone: the kernel closes their connections.
func (w *World) haltHost(_ context.Context, host string) (string, error) {
	return sockets("end the programs of "+host, "%d sockets closed", w.traffic.Halt, host)
}

// stopClient ends a client's traffic in order.
func (w *World) stopClient(_ context.Context, client string) (string, error) {
	return sockets("stop "+client, "%d lines of traffic ended in order", w.traffic.Leave, client)
}

func (w *World) freezeHost(_ context.Context, host string) (string, error) {
	return sockets("freeze "+host, "nobody reads from %d sockets", w.traffic.Freeze, host)
}

func (w *World) thawHost(_ context.Context, host string) (string, error) {
	return sockets("thaw "+host, "%d sockets are served again", w.traffic.Thaw, host)
}

func (w *World) restoreHost(ctx context.Context, host string) (string, error) {
	carrier, err := w.pair.powerUp(ctx, w.pair.Host(host))
	if err != nil {
		return "", noReceipt("restore %s: %w", host, err)
	}
	started, what := w.traffic.Serve, "%d sockets listen"
	if w.pair.Host(host).Role() == RoleClient {
		what = "%d lines of traffic begin anew"
	}
	receipt, err := sockets("restore "+host, what, started, host)
	return carrier + "; " + receipt, err
}

// sockets does something to a host's part of the traffic; what was done to nothing has no receipt.
func sockets(do, receipt string, deed func(host string) (int, error), host string) (string, error) {
	n, err := deed(host)
	if err == nil && n == 0 {
		err = errors.New("it had none")
	}
	if err != nil {
		return "", noReceipt("%s: %w", do, err)
	}
	return fmt.Sprintf(receipt, n), nil
}
