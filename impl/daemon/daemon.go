// Package daemon runs a node on the real kernel. It drives the sans-IO core (impl/node)
// from sockets, timers, netlink and the dataplane's events, and executes the core's
// effects. It decides nothing about roles; it keeps the heartbeat on time while everything
// else happens.
//
// Run is the entry point, called by `baton node`. Its parts are packages of their
// own: config, bfdio (heartbeat), transport (sync stream), garp, arpwatch, neigh, linkmon,
// probe, checkproc, control, metrics, record, realtime, pki.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/daemon/config"
	"baton/impl/daemon/pki"
	"baton/impl/dataplane"
)

// Options are the settings of the command line.
type Options struct {
	ConfigFile  string
	AllowUnsafe bool
	// Dataplane opens the dataplane; bpf.Open in production.
	Dataplane func(dataplane.Config) (dataplane.Dataplane, error)

	// LeftPins finds the pin folders, other than keep, whose programs run on the links;
	// bpf.LeftPins in production. nil looks for none.
	LeftPins func(links []string, keep string) ([]dataplane.LeftPins, error)

	// Version names the build.
	Version string
	// TraceFD is an open descriptor for the trace, 0 for none.
	TraceFD int
	// LogFormat is "text" or "json"; empty is text.
	LogFormat string
	LogLevel  slog.Level
	// LogTo receives the log; nil is standard error.
	LogTo io.Writer
	// Breakable lets the control socket make dataplane calls fail, for tests.
	Breakable bool
	// Ordinary leaves the process's scheduling, memory and garbage collector unchanged.
	Ordinary bool
}

// ErrKilled means that a second signal ended the node at once.
var ErrKilled = errors.New("daemon: ended at once by a second signal, without a handover")

// ErrStuck means that the event loop did not end in time. Forwarding ends with the lease.
var ErrStuck = errors.New("daemon: the event loop is stuck; ended without it")

// ExitCode returns the exit code for an error of Run: 2 for bad input, 1 for any other, 0
// for nil.
func ExitCode(err error) int {
	var coded interface{ ExitCode() int }
	switch {
	case err == nil:
		return 0
	case errors.As(err, &coded):
		return coded.ExitCode()
	}
	return 1
}

// Run runs a node. It returns nil once the node has left, which SIGTERM, SIGINT, the end of
// ctx and the control socket request; a MASTER hands over first. A second signal ends Run
// at once. SIGHUP reloads the services of the configuration file.
func Run(ctx context.Context, opts Options) error {
	cfg, err := config.Load(opts.ConfigFile, config.Options{AllowUnsafe: opts.AllowUnsafe})
	if err != nil {
		return err
	}
	identity, err := pki.Load(cfg.Files(), cfg.Node)
	if err != nil {
		return fmt.Errorf("daemon: certificates of node %s: %w", cfg.Node, err)
	}
	handler, err := logHandler(opts)
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, unix.SIGTERM, unix.SIGINT)
	defer signal.Stop(signals)
	reloads := make(chan os.Signal, 1)
	signal.Notify(reloads, unix.SIGHUP)
	defer signal.Stop(reloads)

	d, err := start(cfg, identity, opts, handler)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- d.run() }()
	for asked := false; !asked; {
		select {
		case err = <-ended:
			return err
		case <-reloads:
			go d.reloadBySignal() // a separate goroutine, so that SIGTERM does not wait for a reload
		case s := <-signals:
			d.stop("signal " + s.String())
			asked = true
		case <-ctx.Done():
			d.stop("requested by its context")
			asked = true
		}
	}
	select {
	case err = <-ended:
		return err
	case <-signals:
		return ErrKilled
	case <-time.After(endLimit):
		return ErrStuck
	}
}

// logHandler returns the handler of the log.
func logHandler(opts Options) (slog.Handler, error) {
	to := opts.LogTo
	if to == nil {
		to = os.Stderr
	}
	options := &slog.HandlerOptions{Level: opts.LogLevel}
	switch opts.LogFormat {
	case "", "text":
		return slog.NewTextHandler(to, options), nil
	case "json":
		return slog.NewJSONHandler(to, options), nil
	}
	return nil, fmt.Errorf("daemon: unknown log format %q; use text or json", opts.LogFormat)
}

// Time limits of leaving. The core gives a handover one second and its confirmation half a
// second.
const (
	stopLimit   = 3 * time.Second
	flushLimit  = 200 * time.Millisecond
	recordLimit = time.Second
	// endLimit exceeds the sum of the others.
	endLimit = 6 * time.Second
)
