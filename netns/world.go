package netns

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
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
	"baton/scenarios/evidence"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// WorldConfig is what a World needs besides the plan.
type WorldConfig struct {
	// Dir receives the nodes' configurations and logs, and evidence. It exists.
	Dir string
	// Baton is the path of the program whose node command is a node.
	Baton string
	// UpgradeTo is the path of the program that an upgraded node runs, "" for Baton.
	UpgradeTo string
	// Subject is what the nodes are; nil is the reference node.
	Subject subject.Subject
	// Seed decides what is left to chance: which packets a lossy link loses.
	Seed uint64
	// AllowUnsafe allows the nodes settings that bring historical bugs back.
	AllowUnsafe bool
	// EvidenceLimit is how many bytes of evidence the run may leave, 0 if none is
	// wanted; the captures take several times as much memory.
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
	traffic   *traffic.Generator
	quiet     bool // the traffic was stopped
	capture   *capture.Capture

	faults  atomic.Int64     // how many were begun
	changed chan struct{}    // holds one token once an event was recorded
	view    *view            // of roles and faults, for the captures
	tables  tables           // for the evidence
	disks   map[string]*disk // of the nodes, where the plan fills one

	programs programs // that the scenario runs

	mu      sync.Mutex
	failed  error          // a node ended by itself
	started map[string]int // processes of each node
	// busy has for each machine what is closed once the latest fault has come to its end.
	busy map[string]chan struct{}
}

var _ scenarios.World = (*World)(nil)

// NewWorld returns a world in which nothing exists yet.
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

// Host returns a host of the running world, nil if there is none of that name: for
// who wants to do more to it than a plan can say.
func (w *World) Host(name string) *Host {
	if w.pair == nil {
		return nil
	}
	return w.pair.Host(name)
}

// Up implements scenarios.World: topology, captures, watchdog, nodes.
func (w *World) Up(ctx context.Context) error {
	if w.plan.ChaosIn(plan.Netns) {
		return fmt.Errorf("netns: chaos lines: links of namespaces are not impaired and clocks do not drift at will; guard them by [%s]: %w",
			plan.Sim, scenarios.ErrUnsupported)
	}
	if key := w.plan.Simulated(plan.Netns); key != "" {
		return fmt.Errorf("netns: only the simulator has %s; guard the line by [%s]: %w", key, plan.Sim, scenarios.ErrUnsupported)
	}
	// A busy machine must not be mistaken for a slow node. Where this is refused the
	// watchdog says what it cost.
	if err := realtime.Harness(); err != nil {
		w.record(trace.Event{At: hostclock.Now(), Kind: trace.KindNote, Note: err.Error()})
	}
	var err error
	if w.nodes, err = w.cfg.Subject.Open(subject.Lab{Plan: w.plan, Devices: devices, Dir: w.cfg.Dir, Baton: w.cfg.Baton, UpgradeTo: w.upgradeTo(), AllowUnsafe: w.cfg.AllowUnsafe}); err != nil {
		return err
	}
	pair, err := NewPair(w.plan.Lab())
	if err != nil {
		return err
	}
	w.pair = pair
	pair.match = w.plan.Match
	if err := errors.Join(w.prepare(), w.makeDisks()); err != nil {
		return err
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

// startNode starts a node as its subject says.
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
		Args: command.Args, Contained: command.Contained, Dir: w.cfg.Dir, Log: log, Trace: w.told(node),
		Died: func(p *Process, exit Exit) {
			how := fmt.Sprintf("%s; its last words: %s", exit, lastWords(log))
			if own := lastOwnWords(log); command.Contained && own != "" {
				how += "; before that: " + own
			}
			w.record(trace.Event{At: exit.At, Node: node, Kind: trace.KindDied, Died: &trace.Died{Why: how}})
			w.fail(fmt.Errorf("netns: node %s ended by itself: %s: %w", node, how, scenarios.ErrDied))
		},
	})
}

// probeGap is the shortest outage of a probe that is told: a handover's is meant to
// stay below 20 ms, which a threshold of as much would not show.
const probeGap = 5 * time.Millisecond

// StartTraffic implements scenarios.World.
func (w *World) StartTraffic(ctx context.Context) error {
	guests := [lab.Families][]netip.Addr{lab.IPv4.Guests(), lab.IPv6.Guests()}
	cfg := traffic.Config{Run: uint64(hostclock.Now()), Seed: w.cfg.Seed, Record: w.record, Services: w.echoed(), Guests: guests, GapUDP: probeGap}
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

// brokenOffDrain is how long the traffic of a run that was broken off may take to end.
const brokenOffDrain = 500 * time.Millisecond

// Down implements scenarios.World. It is safe to call whatever Up has got to.
func (w *World) Down(ctx context.Context) error {
	// A run that was broken off has traffic still, whose end nobody needs to wait for.
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
		errs = append(errs, w.tellLosses(w.pair.Losses(nil)), w.tellLosses(w.pair.Overruns()))
		w.resetAll(ctx)
		for _, leak := range w.pair.Close(ctx) {
			w.record(trace.Event{At: hostclock.Now(), Kind: trace.KindLeak, Leak: &leak})
		}
	}
	errs = append(errs, w.closeDisks())
	if w.nodes != nil {
		errs = append(errs, w.nodes.Close())
	}
	return errors.Join(errs...)
}

// record hands an event on and wakes whoever waits in Until.
func (w *World) record(e trace.Event) {
	w.view.note(e)
	w.cfg.Recorder.Record(e)
	if evidence.IsDamage(e) {
		w.capture.Mark(e.At)
	}
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

// lives is how many processes a node has had.
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

// each does something to several nodes at the same instant, as nearly as it can.
func (w *World) each(nodes []string, do func(node string) error) error {
	errs := make([]error, len(nodes))
	var wg sync.WaitGroup
	for i, node := range nodes {
		wg.Go(func() { errs[i] = do(node) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
