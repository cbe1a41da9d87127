package netns

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"baton/impl/clock"
	"baton/impl/daemon/realtime"
	"baton/impl/trace"
	"baton/netns/capture"
	"baton/netns/internal/hostclock"
	"baton/netns/subject"
	"baton/netns/traffic"
	"baton/scenarios"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// WorldConfig configures a World.
type WorldConfig struct {
	// Dir receives the nodes' configurations, logs and the evidence. It must exist.
	Dir string
	// Baton is the path of the baton binary; a reference node is its node command.
	Baton string
	// UpgradeTo is the path of the binary that an upgraded node runs; "" means Baton.
	UpgradeTo string
	// Subject selects the implementation under test; nil is the reference node.
	Subject subject.Subject
	// Seed seeds the random choices, for instance which packets a lossy link drops.
	Seed uint64
	// AllowUnsafe permits settings that bring historical bugs back.
	AllowUnsafe bool
	// EvidenceLimit is the maximum size of the evidence in bytes; 0 disables it. The
	// captures take several times as much memory.
	EvidenceLimit int64
	Recorder      scenarios.Recorder
}

// World executes a plan with real nodes, real traffic and the real kernel. It
// implements scenarios.World.
type World struct {
	cfg  WorldConfig
	plan *plan.Plan

	pair      *Pair
	nodes     subject.Pair
	processes map[string]*Process
	watchdog  *Watchdog
	ended     func() // gives the real-time priority up
	traffic   *traffic.Generator
	quiet     bool // StopTraffic was called
	capture   *capture.Capture

	faults  atomic.Int64     // number of faults begun
	changed chan struct{}    // capacity 1: signals a recorded event
	view    *view            // roles and faults, for the captures
	tables  tables           // connection tables, for the evidence
	disks   map[string]*disk // by node; empty unless the plan fills a disk

	programs programs // started by the scenario

	mu      sync.Mutex
	failed  error          // the first node that ended unasked
	started map[string]int // number of processes started, by node
	// busy holds, by machine or direction, a channel that closes when its latest fault has
	// finished.
	busy map[string]chan struct{}
}

var _ scenarios.World = (*World)(nil)

// NewWorld returns a world without a topology; Up builds it.
func NewWorld(p *plan.Plan, cfg WorldConfig) *World {
	if cfg.Subject == nil {
		cfg.Subject = subject.Reference{}
	}
	return &World{cfg: cfg, plan: p.Drawn(cfg.Seed), processes: map[string]*Process{}, changed: make(chan struct{}, 1), view: newView(), started: map[string]int{}, busy: map[string]chan struct{}{}, disks: map[string]*disk{}}
}

// Name implements scenarios.World.
func (w *World) Name() string { return plan.Netns }

// Now implements scenarios.World.
func (w *World) Now() clock.Instant { return hostclock.Now() }

// Lacks implements scenarios.Limited.
func (w *World) Lacks() []string { return subject.Lacks(w.cfg.Subject) }

// Host returns the named host of the running world, or nil. Callers use it for what a plan
// cannot express.
func (w *World) Host(name string) *Host {
	if w.pair == nil {
		return nil
	}
	return w.pair.Host(name)
}

// Up implements scenarios.World. It builds the topology and starts captures, watchdog and
// nodes.
func (w *World) Up(ctx context.Context) error {
	if w.plan.ChaosIn(plan.Netns) {
		return fmt.Errorf("netns: chaos lines: only the simulator impairs links and clocks at random; guard them by [%s]: %w",
			plan.Sim, scenarios.ErrUnsupported)
	}
	if key := w.plan.Simulated(plan.Netns); key != "" {
		return fmt.Errorf("netns: only the simulator has %s; guard the line by [%s]: %w", key, plan.Sim, scenarios.ErrUnsupported)
	}
	// Real-time priority, so that a busy machine does not look like a slow node. If the
	// kernel refuses it, the watchdog records the stalls.
	ended, err := realtime.Harness()
	if w.ended = ended; err != nil {
		w.record(trace.Event{At: hostclock.Now(), Kind: trace.KindNote, Note: err.Error()})
	}
	if w.nodes, err = w.cfg.Subject.Open(subject.Lab{Plan: w.plan, Devices: devices, Dir: w.cfg.Dir, Baton: w.cfg.Baton, UpgradeTo: w.upgradeTo(), AllowUnsafe: w.cfg.AllowUnsafe}); err != nil {
		return err
	}
	pair, err := NewPair(w.plan.Lab())
	if err != nil {
		return err
	}
	w.pair = pair
	pair.match = w.plan.Match
	if err := errors.Join(pair.takeVIPs(w.vipsOf(func(s plan.Service) bool { return s.Direct() && !s.Encapsulated() }), w.vipsOf(plan.Service.Encapsulated)), w.prepare(), w.makeDisks()); err != nil {
		return err
	}
	if w.plan.UsesXDP(plan.Netns) {
		if err := pair.emulateNICs(); err != nil {
			return err
		}
	}
	w.watchdog = StartWatchdog(watchdogThreshold, func(at clock.Instant, s trace.Stall) {
		w.record(trace.Event{At: at, Kind: trace.KindStall, Stall: &s})
	})
	if err := w.startCapture(); err != nil {
		return err
	}
	return w.each(lab.Nodes(), func(node string) error {
		process, err := w.startNode(pair.Host(node))
		if err == nil {
			w.setProcess(node, process)
		}
		return err
	})
}

// startNode starts the subject's process for a node.
func (w *World) startNode(host *Host) (*Process, error) {
	node := host.Name()
	command, err := w.nodes.Command(node)
	if err != nil {
		return nil, err
	}
	log := w.logOf(node)
	if err := w.beginLog(log, node); err != nil {
		return nil, err
	}
	w.capture.Started(node)
	return host.Start(ProcessConfig{
		Ordinary: !command.Contained, // the reference node
		Args:     command.Args, Contained: command.Contained, Dir: w.cfg.Dir, Log: log, Trace: w.recordFrom(node),
		Started: func(at clock.Instant, waited time.Duration) {
			if waited >= startThreshold {
				w.record(trace.Event{At: at, Kind: trace.KindStall, Stall: &trace.Stall{Took: trace.Dur(waited), Start: node}})
			}
		},
		Died: func(p *Process, exit Exit) {
			how := fmt.Sprintf("%s; its last log line: %s", exit, exitReason(log))
			if own := lastCommandOutput(log); command.Contained && own != "" {
				how += "; before that: " + own
			}
			w.record(trace.Event{At: exit.At, Node: node, Kind: trace.KindDied, Died: &trace.Died{Why: how}})
			w.fail(fmt.Errorf("netns: node %s ended by itself: %s: %w", node, how, scenarios.ErrDied))
		},
	})
}

// startThreshold is the shortest time for which a node that starts waits for a processor that is recorded. The claims about
// a node that was restored allow more.
const startThreshold = 50 * time.Millisecond

// probeGap is the shortest probe outage that is recorded. A handover should stay below 20
// ms, so the threshold must be well below that.
const probeGap = 5 * time.Millisecond

// StartTraffic implements scenarios.World.
func (w *World) StartTraffic(ctx context.Context) error {
	guests := [lab.Families][]netip.Addr{lab.IPv4.Guests(), lab.IPv6.Guests()}
	cfg := traffic.Config{Run: uint64(hostclock.Now()), Seed: w.cfg.Seed, Record: w.record, Services: w.echoed(), Guests: guests, GapUDP: probeGap}
	cfg.Timeouts.Late = w.plan.Tolerate
	cfg.Probed = slices.ContainsFunc(lab.Nodes(), func(node string) bool { return w.plan.ProbesBackends(plan.Netns, node) })
	for _, t := range w.plan.Traffic {
		if t.Guard.In(plan.Netns) {
			cfg.Lines = append(cfg.Lines, t)
		}
	}
	for _, name := range w.pair.Names(RoleClient) {
		cfg.Clients = append(cfg.Clients, w.pair.Host(name))
	}
	for _, name := range w.pair.Names(RoleBackend) {
		host := w.pair.Host(name)
		i, _ := host.Interface(lab.Backends)
		var addrs []netip.Addr
		for _, f := range w.pair.topo.Families() {
			addrs = append(addrs, i.AddrOf(f))
		}
		cfg.Backends = append(cfg.Backends, traffic.Backend{Host: host, Addrs: addrs})
	}
	generator, err := traffic.New(cfg)
	if err != nil {
		return err
	}
	w.traffic = generator
	if err = generator.Start(ctx); errors.Is(err, traffic.ErrFiles) {
		return fmt.Errorf("%w: %w", err, scenarios.ErrUnsupported)
	}
	return err
}

// Cue implements scenarios.World.
func (w *World) Cue(c plan.Cue) error {
	if c.On {
		return w.traffic.StartLine(c.Line)
	}
	return w.traffic.StopLine(c.Line)
}

// StopTraffic implements scenarios.World.
func (w *World) StopTraffic(ctx context.Context) error {
	if w.traffic == nil || w.quiet {
		return nil
	}
	w.quiet = true
	w.traffic.Stop(ctx)
	return nil
}

// Until implements scenarios.World.
func (w *World) Until(ctx context.Context, at clock.Instant, done func() bool) error {
	timer := time.NewTimer(at.Sub(hostclock.Now()))
	defer timer.Stop()
	for {
		if err := w.failure(); err != nil {
			return err
		}
		if done != nil && done() {
			return nil
		}
		select {
		case <-timer.C:
			return nil
		case <-w.changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// brokenOffDrain bounds how long the traffic of an aborted run may take to end.
const brokenOffDrain = 500 * time.Millisecond

// Down implements scenarios.World. It is safe to call after an Up that failed at any point.
func (w *World) Down(ctx context.Context) error {
	// An aborted run still has traffic; do not wait for all of it.
	brief, cancel := context.WithTimeout(ctx, brokenOffDrain)
	defer cancel()
	errs := []error{w.Settle(ctx), w.StopTraffic(brief)}
	w.stopCapture()
	w.programs.end()
	if w.traffic != nil {
		w.traffic.Close()
	}
	if w.watchdog != nil {
		w.watchdog.Stop()
	}
	w.lastTables()
	if w.pair != nil {
		errs = append(errs, w.recordLosses(w.pair.Losses(nil)), w.recordLosses(w.pair.Overruns()))
		w.resetAll(ctx)
		for _, leak := range w.pair.Close(ctx) {
			w.record(trace.Event{At: hostclock.Now(), Kind: trace.KindLeak, Leak: &leak})
		}
	}
	errs = append(errs, w.closeDisks())
	if w.nodes != nil {
		errs = append(errs, w.nodes.Close())
	}
	if w.ended != nil {
		w.ended()
		w.ended = nil
	}
	return errors.Join(errs...)
}

// record passes an event to the recorder and wakes Until.
func (w *World) record(e trace.Event) {
	w.view.note(e)
	w.cfg.Recorder.Record(e)
	w.watchDamage(e)
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

func (w *World) fail(err error) {
	w.mu.Lock()
	if w.failed == nil {
		w.failed = err
	}
	w.mu.Unlock()
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

func (w *World) failure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed
}

func (w *World) process(node string) *Process {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.processes[node]
}

// lives returns how many processes a node has had.
func (w *World) lives(node string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.started[node]
}

func (w *World) setProcess(node string, p *Process) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.processes[node] = p
}

// each runs do for all nodes in parallel.
func (w *World) each(nodes []string, do func(node string) error) error {
	errs := make([]error, len(nodes))
	var wg sync.WaitGroup
	for i, node := range nodes {
		wg.Go(func() { errs[i] = do(node) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
