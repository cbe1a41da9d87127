package netns

import (
	"context"
	"errors"
	"fmt"
)

// Faults of backends and clients. Their links and kernel connections are real; their
// servers and traffic are sockets of the generator.

// crashHost is a power failure: no FIN and no RST leaves. The sockets freeze first, so that
// clients do not mistake their end for the end of a session.
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
	w.traffic.Forget(host)
	sockets, err := w.traffic.Halt(host)
	if err != nil {
		return "", noReceipt("crash %s: %w", host, err)
	}
	return fmt.Sprintf("%s; %d sockets gone", carrier, sockets), nil
}

// haltHost ends the host's programs; the kernel then closes their connections.
func (w *World) haltHost(_ context.Context, host string) (string, error) {
	return sockets("end the programs of "+host, "%d sockets closed", w.traffic.Halt, host)
}

// stopClient ends a client's traffic with a FIN and all answers awaited.
func (w *World) stopClient(_ context.Context, client string) (string, error) {
	return sockets("stop "+client, "%d lines of traffic ended gracefully", w.traffic.Leave, client)
}

func (w *World) freezeHost(_ context.Context, host string) (string, error) {
	return sockets("freeze "+host, "%d sockets are not read", w.traffic.Freeze, host)
}

func (w *World) thawHost(_ context.Context, host string) (string, error) {
	return sockets("thaw "+host, "%d sockets are read again", w.traffic.Thaw, host)
}

func (w *World) restoreHost(ctx context.Context, host string) (string, error) {
	carrier, err := w.pair.powerUp(ctx, w.pair.Host(host))
	if err != nil {
		return "", noReceipt("restore %s: %w", host, err)
	}
	started, what := w.traffic.Serve, "%d sockets listen"
	if w.pair.Host(host).Role() == RoleClient {
		what = "%d lines of traffic restarted"
	}
	receipt, err := sockets("restore "+host, what, started, host)
	return carrier + "; " + receipt, err
}

// sockets acts on a host's part of the traffic. Acting on no socket is no receipt.
func sockets(do, receipt string, deed func(host string) (int, error), host string) (string, error) {
	n, err := deed(host)
	if err == nil && n == 0 {
		err = errors.New("the host has none")
	}
	if err != nil {
		return "", noReceipt("%s: %w", do, err)
	}
	return fmt.Sprintf(receipt, n), nil
}
