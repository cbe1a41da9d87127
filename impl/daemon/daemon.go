// Package daemon runs a node for real. It drives the sans-IO core (impl/node) from
// sockets, timers, netlink and the dataplane's events, and carries out the effects
// that the core asks for. It decides nothing about roles; what it adds is that the
// heartbeat is on time while everything else happens.
//
// Run is the entry point, called by `baton node`. Its parts are packages of their
// own: config, bfdio (heartbeat), transport (sync stream), garp, arpwatch, neigh, linkmon,
// probe, control, metrics, record, realtime, pki.
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

// Options are what the command line says beyond the configuration file.
type Options struct {
	ConfigFile  string
	AllowUnsafe bool
	// Dataplane opens the dataplane, in production bpf.Open.
	Dataplane func(dataplane.Config) (dataplane.Dataplane, error)

	// LeftPins finds the folders other than the one to keep whose pinned programs links run,
	// in production bpf.LeftPins; nil looks for none.
	LeftPins func(links []string, keep string) ([]dataplane.LeftPins, error)

	// Version names the build.
	Version string
	// TraceFD is an open descriptor to write the trace to, 0 for none.
	TraceFD int
	// LogFormat is "text" or "json"; empty is text.
	LogFormat string
	LogLevel  slog.Level
	// LogTo takes the log; nil is standard error.
	LogTo io.Writer
	// Breakable lets the control socket make dataplane calls fail, for tests.
	Breakable bool
	// Ordinary leaves the process's scheduling, memory and garbage collector alone.
	Ordinary bool
}

// ErrKilled says that the node was told to end at once and did.
var ErrKilled = errors.New("daemon: ended at once by a second signal, without a handover")

// ErrStuck says that the event loop did not end when it should have. What it
// forwarded ends with its lease.
var ErrStuck = errors.New("daemon: the event loop is stuck; ended without it")

// ExitCode is what a process exits with for an error of Run: 2 for bad input, 1
// for anything else, 0 for none.
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

// Run is a node's life: it returns nil once the node has left in order, which
// SIGTERM, SIGINT, the end of ctx and the control socket ask for. A MASTER hands
// its role over first. A second signal ends Run at once. SIGHUP has the services of the
// configuration file taken over, and never ends it.
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
			go d.reloadBySignal() // beside, so that a signal to end does not wait for it
		case s := <-signals:
			d.stop("signal " + s.String())
			asked = true
		case <-ctx.Done():
			d.stop("asked to by its owner")
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
	return nil, fmt.Errorf("daemon: log format %q is not known; use text or json", opts.LogFormat)
}

// Limits of the end of a node's life. The core gives a handover a second and its
// confirmation half of one.
const (
	stopLimit   = 3 * time.Second
	flushLimit  = 200 * time.Millisecond
	recordLimit = time.Second
	// endLimit is longer than all of them together.
	endLimit = 6 * time.Second
)
