package netns

import (
	"context"
	"fmt"
)

// What befalls a backend: its links and its kernel's connections are real, its servers
// are sockets of the traffic generator.

// crashBackend is a power failure: no FIN and no RST leaves.
func (w *World) crashBackend(ctx context.Context, backend string) (string, error) {
	h := w.pair.Host(backend)
	carrier, err := w.pair.setLinks(ctx, h, false)
	if err != nil {
		return "", noReceipt("crash %s: %w", backend, err)
	}
	if err := h.destroySockets(); err != nil {
		return "", noReceipt("crash %s: %w", backend, err)
	}
	sockets, err := w.traffic.Halt(backend)
	if err != nil {
		return "", noReceipt("crash %s: %w", backend, err)
	}
	return fmt.Sprintf("%s; %d sockets gone", carrier, sockets), nil
}

// haltBackend ends the servers alone: the kernel closes their connections.
func (w *World) haltBackend(_ context.Context, backend string) (string, error) {
	sockets, err := w.traffic.Halt(backend)
	if err != nil {
		return "", noReceipt("end the servers of %s: %w", backend, err)
	}
	if sockets == 0 {
		return "", noReceipt("end the servers of %s: none was open", backend)
	}
	return fmt.Sprintf("%d sockets closed", sockets), nil
}

func (w *World) freezeBackend(_ context.Context, backend string) (string, error) {
	sockets, err := w.traffic.Freeze(backend)
	if err != nil {
		return "", noReceipt("freeze %s: %w", backend, err)
	}
	return fmt.Sprintf("nobody reads from %d sockets", sockets), nil
}

func (w *World) thawBackend(_ context.Context, backend string) (string, error) {
	sockets, err := w.traffic.Thaw(backend)
	if err != nil {
		return "", noReceipt("thaw %s: %w", backend, err)
	}
	return fmt.Sprintf("%d sockets are served again", sockets), nil
}

func (w *World) restoreBackend(ctx context.Context, backend string) (string, error) {
	h := w.pair.Host(backend)
	carrier, err := w.pair.powerUp(ctx, h)
	if err != nil {
		return "", noReceipt("restore %s: %w", backend, err)
	}
	listening, err := w.traffic.Serve(backend)
	if err != nil {
		return "", noReceipt("restore %s: %w", backend, err)
	}
	return fmt.Sprintf("%s; %d sockets listen", carrier, listening), nil
}
