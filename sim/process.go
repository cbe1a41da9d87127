package sim

import (
	"fmt"
	"time"

	"baton/impl/bfd"
	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/dataplane/faulty"
	"baton/impl/dataplane/model"
	"baton/impl/driver"
	"baton/impl/flow"
	"baton/impl/node"
	"baton/impl/trace"
	"baton/scenarios/lab"
)

// process is a load balancer: a host and, while it runs, its daemon. Like the real one, the daemon
// is a single loop: it takes one input at a time and executes its effects before the next.
type process struct {
	w           *World
	index       uint8
	id          string
	cfg         node.Config // without what each start draws anew
	speaks      uint8       // newest sync protocol version that it offers
	tables      dataplane.Config
	certificate certificate // on disk; a daemon reads it at start
	presents    certificate // read by the running daemon
	tracked     prober
	checks      checks
	clock       hostClock
	random      *Random

	life      uint64 // number of the running daemon, 0 if none runs; events of earlier ones are ignored
	powered   bool   // the host is on
	peers     [len(pathLinks)]peerEntry
	frozen    bool
	freezes   uint64                              // number of freezes so far
	ration    *ration                             // CPU throttling; nil if there is none
	core      *node.Node                          // nil until the daemon has booted
	driver    *driver.Driver                      // of the core
	dataplane *model.Dataplane                    // nil without a daemon, unless it is pinned
	table     *faulty.Dataplane                   // the daemon's access to the dataplane, with injected faults
	refusals  map[flow.Service]dataplane.Refusals // refusal counts already recorded
	version   uint64                              // of the dataplane's contents, unique in the world
	leased    clock.Instant                       // end of the lease by the host's clock; 0 without a lease
	until     clock.Instant                       // end of the lease in true time
	role      string
	refused   string // reason of the latest refused role change
	lost      uint64 // dropped flow events counted so far
	started   int

	timerAt  clock.Instant // of the scheduled timer event
	polling  bool          // a poll is scheduled
	sweeping uint64        // stamp of the sweeps that are wanted; 0 matches none
	overdue  bool          // a sweep waits until the daemon is free
	since    clock.Instant // passed to each sweep, see node.Expire
	inbox    []node.Input  // queued while frozen or busy
	beats    []node.Input  // heartbeats queued likewise; they are read first
	loop     loop
	defended clock.Instant     // no claim of a VIP is answered before
	exited   func()            // called when the daemon has exited by itself
	awaited  *trace.Fault      // the node's fault whose receipt is outstanding
	deferred map[uint64]packet // replies held back by the dataplane, by id

	buf frameBuffer
}

// Delays of a daemon, and ranges of its host's clock.
const (
	bootMin, bootMax = 8 * time.Millisecond, 40 * time.Millisecond // from the start of the process to its first step
	attachMax        = time.Millisecond                            // from the first step until links and programs are known
	wakeMin, wakeMax = 5 * time.Microsecond, 80 * time.Microsecond // lateness of a timer
	offsetMax        = 1000 * time.Hour                            // of a clock's origin
	driftMax         = 50_000                                      // parts per billion
)

func newProcess(w *World, index uint8, id string) (*process, error) {
	p := &process{w: w, index: index, id: id, powered: true, certificate: good, random: NewRandom(w.cfg.Seed, "nodes/"+id)}
	var err error
	if p.cfg, err = nodeConfig(w.plan, len(w.vips), w.cfg.Seed, id); err != nil {
		return nil, err
	}
	if p.speaks, err = protocolVersion(w.plan, id); err != nil {
		return nil, err
	}
	if p.tables, err = w.dataplaneConfig(id); err != nil {
		return nil, err
	}
	if p.tracked, err = w.newProber(id); err != nil {
		return nil, err
	}
	if p.checks, err = w.newChecks(id); err != nil {
		return nil, err
	}
	p.setClock()
	return p, nil
}

// wallClock is the time of day, the same on all hosts.
func (w *World) wallClock() time.Duration {
	return time.Duration(split(w.cfg.Seed, "wall clock")>>2) + time.Duration(w.now)
}

// setClock draws a new clock for the host, as at each boot.
func (p *process) setClock() {
	draw := NewRandom(p.w.cfg.Seed, fmt.Sprintf("clocks/%s/%d", p.id, p.started))
	limit := max(driftMax, p.w.chaos.drift)
	p.clock = hostClock{
		base:  clock.Instant(draw.Between(time.Second, offsetMax)),
		drift: int64(draw.Below(int(2*limit+1))) - limit,
	}
	p.clock.base = p.clock.base.Add(-time.Duration(p.w.now)) // it starts to count at boot
	p.clock.base = max(p.clock.base, -p.w.now+1)
}

// start starts the daemon.
func (p *process) start() {
	p.started++
	p.life = p.w.serial()
	p.frozen = false
	p.role = "Init"
	p.timerAt = clock.Never
	life := p.life
	p.w.at(p.w.now.Add(p.random.Between(bootMin, bootMax)), func() { p.boot(life) })
}

// boot creates the daemon's dataplane and core once the process has started.
func (p *process) boot(life uint64) {
	if p.life != life {
		return
	}
	if p.frozen {
		p.inbox = append(p.inbox, nil)
		return
	}
	cfg := p.cfg
	cfg.Incarnation = p.w.serial()<<20 | p.random.Uint64()>>44
	cfg.Paths = append([]node.Path(nil), cfg.Paths...)
	for i := range cfg.Paths {
		cfg.Paths[i].BFD.LocalDiscr = uint32(p.random.Uint64()) | 1
		session := &cfg.Paths[i].BFD
		session.Seed = p.random.Uint64()
		session.Auth.FirstSeq = bfd.ResumedSeq(p.w.wallClock(), session.DesiredMinTxInterval, session.RequiredMinRxInterval)
	}
	tables := p.tables
	tables.DatagramSeed = p.random.Uint64()
	if cfg.GatesOff {
		tables.SNATSeed = p.random.Uint64() // as the daemon does
	}
	tables.ChallengeKey = [2]uint64{tables.DatagramSeed, uint64(p.index)}
	tables.SNATTurn = 1 + tables.DatagramSeed>>1 // never 0, which turns this off
	dp, err := p.newDataplane(tables)
	if err != nil {
		panic(fmt.Sprintf("sim: configuration was checked: %v", err))
	}
	if a := dp.Adopted(); a.Taken {
		cfg.Adopted = &a.Pedigree
	}
	core, err := node.New(cfg, p.clock.local(p.w.now))
	if err != nil {
		panic(fmt.Sprintf("sim: configuration was checked: %v", err))
	}
	p.core, p.dataplane, p.lost, p.presents = core, dp, 0, p.certificate
	p.table = faulty.Wrap(dp, tables.MaxFlows)
	p.deferred = map[uint64]packet{}
	p.loop = loop{since: p.w.now}
	p.driver = p.newDriver()
	p.changed()
	p.setLease(0)
	for _, in := range []node.Input{p.linkState(onClients), p.linkState(onBackends), node.Dataplane{Ready: true}} {
		p.w.at(p.w.now.Add(p.random.Between(0, attachMax)), func() { p.input(life, in) })
	}
	p.followPeers()
	p.guarded(p.driver.Start)
	p.settleCore()
	p.track(life)
	p.startChecks(life)
	p.input(life, node.Services{Catalog: p.catalog()})
	p.w.dial()
}

// newDataplane returns a dataplane that adopts the pinned table of an earlier daemon, if there is one.
func (p *process) newDataplane(cfg dataplane.Config) (*model.Dataplane, error) {
	if p.dataplane == nil {
		return model.New(cfg, p.hostSide())
	}
	return model.Adopt(cfg, p.hostSide(), p.dataplane)
}

func (p *process) hostSide() model.Host {
	return model.Host{
		ClientMAC: macOf(onClients, p.index), BackendMAC: macOf(onBackends, p.index),
		Own:           p.addresses(),
		TunnelSources: []flow.Addr{p.addressOn(onBackends, lab.IPv4), p.addressOn(onBackends, lab.IPv6)},
		MaxEvents:     p.w.chaos.maxEvents,
		Send:          p.release,
		MTU:           linkMTU + ip6Len, // hosts here read no ICMP, so a full segment must fit with an outer header
	}
}

func (p *process) addressOn(link uint8, f lab.Family) flow.Addr {
	return flow.AddrFrom(lab.Host{Kind: lab.Node, Number: int(p.index) + 1}.Addr(linkNames[link], f))
}

// addresses returns all addresses of the host.
func (p *process) addresses() (own []flow.Addr) {
	for f := range lab.Family(lab.Families) {
		own = append(own, p.addressOn(onClients, f), p.addressOn(onBackends, f), p.addressOn(onSync, f))
	}
	return own
}

// end ends the daemon. Pinned programs stay and forward until the lease ends.
func (p *process) end() {
	p.life, p.core, p.driver, p.table = 0, nil, nil, nil
	p.frozen, p.ration, p.polling, p.sweeping, p.overdue = false, nil, false, 0, false
	p.inbox, p.beats = nil, nil
	p.role = ""
	if p.tables.Pin == "" {
		p.clear()
	}
	p.w.continueHandshake(p)
}

// clear removes the dataplane: programs stay attached only while the process or a pin holds them.
// It records the end of a running lease.
func (p *process) clear() {
	if p.until > p.w.now {
		p.w.record(trace.Event{At: p.w.now, Node: p.id, Kind: trace.KindLease, Lease: &trace.Lease{Until: p.w.now}})
	}
	p.tellRefused()
	p.dataplane, p.refusals = nil, nil
	p.changed()
	p.setLease(0)
}

// changed invalidates everything cached from the contents of the dataplane (way).
func (p *process) changed() { p.version = p.w.serial() }

// input steps the daemon of a life with an input, or queues the input while it is frozen or busy.
func (p *process) input(life uint64, in node.Input) {
	if p.life != life || p.core == nil {
		return
	}
	if p.frozen || p.busy() {
		if _, heartbeat := in.(node.Packet); !heartbeat {
			p.inbox = append(p.inbox, in)
		} else if len(p.beats) < maxBeats { // what the socket's buffer holds
			p.beats = append(p.beats, in)
		}
		return
	}
	p.step(in)
}

// maxBeats is how many heartbeats a socket buffers while the daemon does not read.
const maxBeats = 256

func (p *process) step(in node.Input) {
	p.guarded(func() { p.driver.Step(in) })
	p.settleCore()
}

// handle handles an event of the daemon.
func (p *process) handle(e *event) {
	if e.kind == evTimer {
		p.timer(e)
		return
	}
	if e.kind == evBFD && p.powered && p.w.drops(pathLinks[e.path], 1-p.index, p.index, heartbeat) {
		return // counted as dropped even if no daemon runs
	}
	if p.core == nil {
		return
	}
	switch e.kind {
	case evWork, evPoll:
		if e.stamp != p.life {
			return
		}
	case evSweep:
		if e.stamp != p.sweeping {
			return
		}
	}
	switch e.kind {
	case evBFD:
		p.input(p.life, node.Packet{Path: int(e.path), Data: e.data, TTL: 255, At: p.clock.local(p.w.now)})
	case evWork:
		p.finish(e.stamp)
	case evPoll:
		p.poll()
	case evSweep:
		p.tick()
	}
}

// setTimer schedules the timer for the core's deadline. One event is kept; if it fires too early it
// is rescheduled.
func (p *process) setTimer() {
	at := p.clock.at(p.core.Deadline())
	if at == clock.Never {
		return
	}
	at = max(at, p.w.now)
	if p.timerAt <= at {
		return
	}
	p.timerAt = at
	e := p.w.queue.push(at.Add(p.lateness(at)), evTimer)
	e.who, e.stamp = p.index, uint64(at)
}

// lateness is how late the timer of an instant fires. It depends only on seed, instant and node.
func (p *process) lateness(at clock.Instant) time.Duration {
	return wakeMin + time.Duration(mix(p.w.cfg.Seed^uint64(at)^uint64(p.index)<<62)>>32*uint64(wakeMax-wakeMin)>>32)
}

func (p *process) timer(e *event) {
	if clock.Instant(e.stamp) != p.timerAt {
		return
	}
	p.timerAt = clock.Never
	switch {
	case p.core == nil || p.frozen || p.busy(): // checked again when that ends
	case p.clock.at(p.core.Deadline()) > p.w.now:
		p.setTimer()
	default:
		p.wake()
	}
}

// linkState is the state of a service link as the daemon sees it.
func (p *process) linkState(link uint8) node.Link {
	name := [...]string{onClients: clientSide, onBackends: backendSide}[link]
	return node.Link{Name: name, Up: p.w.carries(link, p.index), MAC: node.MAC(macOf(link, p.index))}
}

// setLease notes the end of the dataplane's lease by the host's clock; 0 means no lease.
func (p *process) setLease(until clock.Instant) {
	p.leased, p.until = until, 0
	if until != 0 {
		p.until = p.clock.at(until)
	}
}

// stepClock moves the host's clock forward.
func (p *process) stepClock(by time.Duration) {
	p.clock.step(by)
	p.setLease(p.leased)
	p.timerAt = clock.Never
	if p.core != nil && !p.frozen && !p.busy() {
		p.setTimer()
	}
}
