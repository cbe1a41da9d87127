// Package traffic loads a pair of load balancers and records what the clients saw: lost,
// moved or corrupted TCP sessions, failed connects, and outages. Sockets are opened in the
// namespaces of clients and backends; everything runs in this process.
//
// The load is open-loop. The plan alone determines every message's intended send time. A
// stall does not slow the generator down, and is measured from the intended time. The
// package judges nothing: it records trace events for the checks.
//
// # No RST of its own
//
// The generator never causes a RST while the system under test behaves. A session ends with
// its last answer read, then FIN, then the other side's FIN. SO_LINGER is never set. A
// connection that failed or was given up stays open and is read until Close, since a closed
// socket would answer late segments with a RST. So a run ends with Stop, then the end of
// the capture, then Close.
//
// Package netns calls it. It needs CAP_SYS_ADMIN, to enter the namespaces, and
// CAP_SYS_RESOURCE for more file descriptors than the limit.
package traffic

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/netns/internal/hostclock"
	"baton/netns/internal/sctpstack"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// Host is a network namespace with a name. Do runs f on a thread inside it.
type Host interface {
	Name() string
	Do(f func() error) error
}

// Backend is a host on which the services' echo servers listen. Every answer carries its
// name, at most 28 bytes long.
type Backend struct {
	Host
	Addrs []netip.Addr // one per family of the services
}

// Timeouts of the generators; zero means the default.
type Timeouts struct {
	// Connect is the timeout of a connection; for connects it counts from the intended time
	// and includes the echo. Default 3 s, in which Linux sends three SYNs.
	Connect time.Duration
	// Drain is how long Stop waits for outstanding answers. Default 5 s. A session that is
	// still unanswered then is lost.
	Drain time.Duration
	// Late is the delay after its intended time at which a message counts as late in the totals.
	// Default: what a scenario tolerates of the host.
	Late time.Duration
}

// Config configures a generator.
type Config struct {
	Lines    []plan.Traffic
	Services []plan.Service
	Clients  []Host // share each line's load; each runs its own probe
	Backends []Backend
	// Probed says that the nodes probe the backends.
	Probed bool
	// Seed draws the sample of idle flows.
	Seed uint64
	// Guests are consecutive addresses of the clients' network, by family, that no host
	// has. Idle flows come from them; each client and line gets a part. An address serves
	// 50,000 flows.
	Guests [lab.Families][]netip.Addr
	// Run distinguishes the messages of this run from those of others.
	Run uint64
	// Record receives the events, from one goroutine at a time.
	Record func(trace.Event)
	// GapTCP and GapUDP are the minimum durations of a recorded gap. Defaults 50 ms and 20
	// ms.
	GapTCP, GapUDP time.Duration
	Timeouts       Timeouts
}

// Generator runs the traffic of one plan.
type Generator struct {
	cfg      Config
	lines    []*line
	streams  *loop // TCP; SCTP; UDP flows
	probes   *loop // probes, and the UDP servers that answer them
	clients  []*client
	ended    sync.WaitGroup // counts the ending generators
	events   chan trace.Event
	recorded chan struct{}               // closed once all events are recorded
	drops    uint64                      // of the host at the start
	stacks   map[string]*sctpstack.Stack // by host; none if no service is SCTP
	ticking  chan struct{}               // closed to end writeTotals
	ticked   chan struct{}

	mu     sync.Mutex // guards what follows against concurrent faults
	placed []*clientShare
	absent map[string]bool // clients that have ended or are frozen

	started   bool
	stopOnce  sync.Once
	closeOnce sync.Once
}

// New checks the configuration. It opens nothing.
func New(cfg Config) (*Generator, error) {
	cfg.setDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	g := &Generator{cfg: cfg, events: make(chan trace.Event, 4096), absent: map[string]bool{}, stacks: map[string]*sctpstack.Stack{},
		recorded: make(chan struct{}), ticking: make(chan struct{}), ticked: make(chan struct{})}
	for i, t := range cfg.Lines {
		service, target, err := cfg.target(t)
		if err != nil {
			return nil, err
		}
		g.lines = append(g.lines, newLine(i, t, service.Affinity > 0, target, &cfg, g.record))
	}
	return g, nil
}

// record queues an event. It blocks if Record is slow.
func (g *Generator) record(e trace.Event) { g.events <- e }

// Start opens the servers, then the clients' connections. It returns when each session,
// idle flow and probe was answered once, has failed, or has exceeded Timeouts.Connect; or
// when ctx is done, with its error. Even then what was started must be stopped.
func (g *Generator) Start(ctx context.Context) error {
	var err error
	if g.drops, err = hostDrops(); err != nil {
		return err
	}
	g.started = true
	go g.handOver()
	go g.writeTotals()
	if err := raiseFileLimit(g.cfg.descriptors()); err != nil {
		return err
	}
	spareProcs()
	if err := g.startLoops(); err != nil {
		return err
	}
	for _, host := range g.cfg.Clients {
		namespace, err := namespaceOf(host)
		if err != nil {
			return err
		}
		g.clients = append(g.clients, &client{name: host.Name(), namespace: namespace, sctp: g.stacks[host.Name()]})
	}
	return g.open(ctx)
}

// startLoops starts the threads and the servers on them. Probes have their own thread with
// a raised priority: it needs a few percent of a CPU, and must be punctual while hundreds
// of sessions recover from a takeover.
func (g *Generator) startLoops() error {
	if err := g.openStacks(); err != nil {
		return err
	}
	streams, err := newLoop(g.late)
	if err != nil {
		return err
	}
	probes, err := newLoop(g.late)
	if err != nil {
		streams.release()
		return err
	}
	probes.raised = true
	g.streams, g.probes = streams, probes
	for _, b := range g.cfg.Backends {
		opened, err := b.listen(&g.cfg, g.stacks[b.Host.Name()])
		for _, l := range opened {
			err = errors.Join(err, g.serversOf(b, l.proto).serve(l))
		}
		if err != nil {
			streams.release()
			probes.release()
			g.streams, g.probes = nil, nil
			return err
		}
	}
	go streams.run()
	go probes.run()
	return nil
}

// loops returns the running loops.
func (g *Generator) loops() []*loop {
	if g.streams == nil {
		return nil
	}
	return []*loop{g.streams, g.probes}
}

// open starts every line on every client and waits until their connections are established.
func (g *Generator) open(ctx context.Context) error {
	opened := make(chan struct{}, len(g.lines)*len(g.clients))
	start := hostclock.Now().Add(slot) // one grid for all schedules
	expected := 0
	for _, line := range g.lines {
		if line.From > 0 {
			continue // starts later, by a cue
		}
		if err := g.startLine(line, start, func() { opened <- struct{}{} }); err != nil {
			return err
		}
		expected += len(line.senders)
	}
	for range expected {
		select {
		case <-opened:
		case <-ctx.Done():
			return fmt.Errorf("traffic: wait for sessions to open: %w", ctx.Err())
		}
	}
	return nil
}

// startLine starts a line on each of its clients that is present. onReady is called for each of them.
func (g *Generator) startLine(line *line, start clock.Instant, onReady func()) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, i := range line.senders {
		from := g.clients[i]
		if g.absent[from.name] {
			continue
		}
		if err := g.startShare(line, i, start, readiness{onReady: onReady}); err != nil {
			return fmt.Errorf("traffic: start %s on %s: %w", line.Name, from.name, err)
		}
	}
	return nil
}

// startShare starts one client's share of a line.
func (g *Generator) startShare(line *line, index int, start clock.Instant, r readiness) (err error) {
	from, place, of := g.clients[index], slices.Index(line.senders, index), len(line.senders)
	on := g.streams
	if line.Kind == plan.Probe {
		on = g.probes
	}
	var made generator
	on.call(func() {
		switch {
		case line.Kind == plan.Connects:
			made = newConnects(on, line, from, place, of, plan.OwnPort(len(g.cfg.Lines), 0), start, r)
		case line.Kind == plan.Probe:
			made, err = newProbe(on, line, from, place, start, r)
		case line.Kind == plan.Bulk:
			made = newBulk(on, line, from, share(line.Count, place, of), start, r)
		case line.Kind == plan.Flows:
			made, err = newIdleFlows(on, line, from, line.guests(g.cfg.Guests[lab.FamilyOf(line.target.Addr())], index, len(g.clients)), share(line.Count, place, of), start, r)
		default:
			made = newSessions(on, line, from, share(line.Count, place, of), start, r)
		}
		if err == nil {
			on.generators = append(on.generators, made)
		}
	})
	if err == nil {
		g.placed = append(g.placed, &clientShare{generator: made, on: on, line: line, client: from.name})
	}
	return err
}

// Stop ends the load gracefully and records the final totals. It waits for outstanding
// answers for Timeouts.Drain, or until the deadline of ctx if that is earlier. The servers
// and the sockets of lost sessions stay open until Close.
func (g *Generator) Stop(ctx context.Context) {
	if !g.started {
		return
	}
	g.stopOnce.Do(func() {
		g.drain(ctx)
		close(g.ticking)
		<-g.ticked
		if n := g.hostDropped(); n > 0 {
			g.record(trace.Event{At: hostclock.Now(), Kind: trace.KindLoss,
				Loss: &trace.Loss{Count: int(n), Where: "the input queues of this machine", Why: "they were full"}})
		}
	})
}

// hostDropped returns the number of frames that this machine has dropped since the start.
func (g *Generator) hostDropped() uint64 {
	if n, err := hostDrops(); err == nil && n > g.drops {
		return n - g.drops
	}
	return 0
}

// drain ends every generator and waits for them.
func (g *Generator) drain(ctx context.Context) {
	until := hostclock.Now().Add(g.cfg.Timeouts.Drain)
	if deadline, ok := ctx.Deadline(); ok {
		until = min(until, hostclock.Now().Add(time.Until(deadline)))
	}
	g.mu.Lock()
	for _, p := range g.placed {
		p.finish(until, &g.ended)
	}
	g.mu.Unlock()
	g.ended.Wait() // every generator ends at until at the latest
}

// Close closes everything and waits until the last event is recorded. Call it after the
// capture has ended: the sockets of lost sessions may now answer with RSTs.
func (g *Generator) Close() {
	g.Stop(context.Background())
	if !g.started {
		return
	}
	g.closeOnce.Do(func() {
		for _, l := range g.loops() {
			l.stop()
		}
		g.closeStacks()
		for _, c := range g.clients {
			_ = unix.Close(c.namespace)
		}
		close(g.events)
		<-g.recorded
	})
}

// handOver passes the events to Record, so that a slow recorder delays no send.
func (g *Generator) handOver() {
	defer close(g.recorded)
	for e := range g.events {
		g.cfg.Record(e)
	}
}

// writeTotals records the totals of every line once a second, and at the end.
func (g *Generator) writeTotals() {
	defer close(g.ticked)
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for final := false; !final; {
		select {
		case <-second.C:
		case <-g.ticking:
			final = true
		}
		for _, l := range g.lines {
			now := hostclock.Now()
			t := l.traceTotals(now, final)
			g.record(trace.Event{At: now, Kind: trace.KindTotals, Totals: &t})
		}
	}
}

// late is called when a loop woke or acted late: measurements around that instant prove nothing.
func (g *Generator) late(s trace.Stall, now clock.Instant) {
	g.record(trace.Event{At: now, Kind: trace.KindStall, Stall: &s})
}

// namespaceOf opens the network namespace of a host.
func namespaceOf(host Host) (int, error) {
	fd := -1
	err := host.Do(func() (err error) {
		fd, err = unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return -1, fmt.Errorf("traffic: open network namespace of %s: %w", host.Name(), err)
	}
	return fd, nil
}
