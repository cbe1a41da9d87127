// Package checkproc runs the health checks of a node in a process of its own. The node has real-time priority, so
// that a busy machine does not delay its heartbeats; TLS handshakes and the answers of backends must not have it.
// A thread of a lower priority in the node would not do, because the garbage collector waits for all threads.
//
// The node starts its own program as the check process when a probe is wanted, sends it one request a probe, and
// starts it again after a pause if it ends, does not answer, or answers what was not asked. A probe that gets no
// result is undecided. The process has the ordinary priority and the node's network namespace, and ends with the
// node.
package checkproc

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"baton/impl/daemon/checker"
	"baton/impl/daemon/config"
)

// Times of the process.
const (
	firstPause = 100 * time.Millisecond // before the process is started again; doubles each time
	lastPause  = 10 * time.Second
	settled    = time.Minute     // a process that has lived so long starts again after the first pause
	lateness   = time.Second     // how long a probe waits for its result beyond its timeout
	hangLimit  = 2 * time.Second // how long a result may be overdue before the process counts as stuck
)

// Config configures a Process.
type Config struct {
	Node      string
	LogFormat string // text or json
	// Failed is called when the process has ended unasked, was stopped because of its answers, or cannot be started.
	Failed func(error)
}

// Process is the check process of a node. It is safe for concurrent use.
type Process struct {
	cfg    Config
	wanted chan struct{} // holds a token if a probe waits for the process

	mu      sync.Mutex
	current *child        // nil while no process runs
	started chan struct{} // closed when one does
	why     error         // why the last one ended
}

// New returns a check process that does not run yet.
func New(cfg Config) *Process {
	return &Process{cfg: cfg, wanted: make(chan struct{}, 1), started: make(chan struct{})}
}

// Run starts the process whenever a probe wants it, until ctx is done.
func (p *Process) Run(ctx context.Context) {
	// The kernel kills the process when the thread ends that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for next := firstPause; ; next = min(2*next, lastPause) {
		select {
		case <-ctx.Done():
			return
		case <-p.wanted:
		}
		began := time.Now()
		err := p.runOnce(ctx)
		if ctx.Err() != nil {
			return
		}
		p.cfg.Failed(err)
		if time.Since(began) >= settled {
			next = firstPause
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(next):
		}
	}
}

// runOnce runs one process until it has ended, and returns why.
func (p *Process) runOnce(ctx context.Context) error {
	c, err := start(ctx, p.cfg)
	if err == nil {
		p.set(c, nil)
		err = c.run(ctx)
	}
	p.set(nil, err)
	return err
}

func (p *Process) set(c *child, why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case c != nil:
		close(p.started)
	case p.current != nil:
		p.started = make(chan struct{})
	}
	p.current, p.why = c, why
}

// Broken returns why the last process has ended, while no other runs; else nil.
func (p *Process) Broken() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.why
}

// Probe probes a backend of a service once, like checker.Checker. It returns after the check's timeout and one
// second at the latest. The error is checker.ErrUndecided if the process has not said what came of it.
func (p *Process) Probe(ctx context.Context, s config.Service, backend netip.AddrPort) error {
	timeout := time.Duration(s.Check.Timeout)
	ctx, cancel := context.WithTimeout(ctx, timeout+lateness)
	defer cancel()
	c, err := p.child(ctx)
	if err != nil {
		return err
	}
	return c.probe(ctx, request{Service: s.Name, Proto: s.Proto, Check: s.Check, Backend: backend}, time.Now().Add(timeout))
}

// child returns the running process, or waits for one.
func (p *Process) child(ctx context.Context) (*child, error) {
	for {
		p.mu.Lock()
		c, started := p.current, p.started
		p.mu.Unlock()
		if c != nil {
			return c, nil
		}
		select {
		case p.wanted <- struct{}{}:
		default:
		}
		select {
		case <-started:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: no check process", checker.ErrUndecided)
		}
	}
}
