package sim

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"baton/impl/arbiter"
	"baton/impl/clock"
	"baton/impl/flow"
	"baton/impl/trace"
	"baton/scenarios"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// Config configures a World.
type Config struct {
	// Seed determines everything that the plan leaves open.
	Seed     uint64
	Recorder scenarios.Recorder
	// Evidence makes the world keep copies of the tables for the evidence of a failed run.
	Evidence bool
	// EveryPacket sends each packet hop by hop through the dataplane's model. By
	// default an exchange that nothing can interfere with is computed at once, with
	// the same outcome; see express.go.
	EveryPacket bool
}

// World executes a plan in virtual time. It implements scenarios.World.
type World struct {
	cfg   Config
	plan  *plan.Plan
	chaos chaos

	now   clock.Instant
	limit clock.Instant // end of the current call of run
	queue queue
	event event // being handled; reused for the next one
	// timers are the retransmission timers.
	timers queue
	dirty  bool // something was recorded or became ready

	damaged bool // a fault has damaged a dataplane

	hosts     []host
	index     map[flow.Addr]uint8 // of clients and backends in hosts
	firstBack uint8               // index of the first backend
	lanes     [linkCount][]lane
	cuts      []rule
	isCut     [linkCount]bool
	ports     [linkCount][]port // by host
	vips      []vip
	snat      [lab.Families]uint8 // index of each family's backend-side VIP, where it has services
	pooled    bool                // a service has more SNAT addresses than that one
	services  []service
	capture   capture

	processes [2]*process
	arbiter   arbiter.Register
	stream    *stream // the latest sync stream
	dialing   bool
	generated uint64 // last number returned by serial
	// pendingHandshake continues the sync handshake with a frozen listener.
	pendingHandshake func()

	lines      []*line
	generators []*generator
	conns      slab[conn]
	servers    slab[server]
	datagrams  slab[datagram]
	waiting    int // generators that have not opened everything yet
	ending     int // generators that have not ended yet

	random    *Random // draws for endpoints: initial sequence numbers, start times
	lastFault string
	faultID   int // of the latest fault
	stopped   bool
	tables    tables // for the evidence
}

var _ scenarios.World = (*World)(nil)

// service is a service of the plan as endpoints see it.
type service struct {
	plan.Service
	id  flow.Service
	vip uint8 // index into World.vips
}

// vip is an address that the load balancers share, on one link.
type vip struct {
	addr flow.Addr
	link uint8
}

// snatVIP is the backend-side VIP of every service of a family.
var snatVIP = [lab.Families]flow.Addr{flow.AddrFrom(lab.IPv4.BackendVIP()), flow.AddrFrom(lab.IPv6.BackendVIP())}

// familyOf is the family of an address.
func familyOf(a flow.Addr) lab.Family {
	if a.Is4() {
		return lab.IPv4
	}
	return lab.IPv6
}

// epoch is the true time at which a world starts. It is not zero because a zero instant means unset.
const epoch = clock.Instant(time.Second)

// NewWorld returns a world in which nothing has been started.
func NewWorld(p *plan.Plan, cfg Config) (*World, error) {
	p = p.Drawn(cfg.Seed)
	w := &World{cfg: cfg, plan: p, chaos: chaosOf(p), now: epoch, limit: epoch, random: NewRandom(cfg.Seed, "endpoints"), lastFault: ""}
	w.layout()
	if err := w.addServices(); err != nil {
		return nil, err
	}
	if err := w.wire(); err != nil {
		return nil, err
	}
	for i, id := range lab.Nodes() {
		p, err := newProcess(w, uint8(i), id)
		if err != nil {
			return nil, err
		}
		w.processes[i] = p
	}
	return w, nil
}

func (w *World) addServices() error {
	for _, s := range w.plan.Services {
		if !s.Guard.In(plan.Sim) {
			continue
		}
		addr, err := parseAddr(s.VIP)
		if err != nil {
			return fmt.Errorf("sim: service %s: %w", s.Name, err)
		}
		w.services = append(w.services, service{Service: s, vip: w.vipIndex(addr, onClients),
			id: s.ID()})
	}
	for _, s := range w.services { // behind the services' own
		family := familyOf(s.id.VIP)
		w.snat[family] = w.vipIndex(snatVIP[family], onBackends)
	}
	for family := range lab.Family(lab.Families) {
		for _, a := range family.BackendVIPs(w.plan.SNATs(plan.Sim, family))[1:] {
			w.vipIndex(flow.AddrFrom(a), onBackends)
			w.pooled = true
		}
	}
	if len(w.services) == 0 {
		w.snat[lab.IPv4] = w.vipIndex(snatVIP[lab.IPv4], onBackends)
	}
	for i := range w.hosts {
		w.hosts[i].arp = make([]neighbour, len(w.vips))
		for v := range w.hosts[i].arp {
			w.hosts[i].arp[v].lb = nobody
		}
	}
	w.capture.lanes = make([]edgeLane, len(w.vips)+1)
	return nil
}

// gateway returns the backend-side VIP to which a backend sends packets for an address: the SNAT
// address itself, or the gateway to a client.
func (w *World) gateway(to flow.Addr) uint8 {
	if w.pooled {
		for i, v := range w.vips {
			if v.link == onBackends && v.addr == to {
				return uint8(i)
			}
		}
	}
	return w.snat[familyOf(to)]
}

// vipIndex returns the index of a VIP, adding it if it is new.
func (w *World) vipIndex(addr flow.Addr, link uint8) uint8 {
	for i, v := range w.vips {
		if v.addr == addr && v.link == link {
			return uint8(i)
		}
	}
	w.vips = append(w.vips, vip{addr, link})
	return uint8(len(w.vips) - 1)
}

// Name implements scenarios.World.
func (w *World) Name() string { return plan.Sim }

// Now implements scenarios.World.
func (w *World) Now() clock.Instant { return w.now }

// Up implements scenarios.World.
func (w *World) Up(context.Context) error {
	for _, p := range w.processes {
		p.start()
	}
	w.startChaos()
	return nil
}

// Until implements scenarios.World.
func (w *World) Until(ctx context.Context, at clock.Instant, done func() bool) error {
	return w.run(ctx, at, done)
}

// Down implements scenarios.World. It also checks that a BACKUP in sync holds its MASTER's flows.
func (w *World) Down(ctx context.Context) error {
	if err := w.compareTables(ctx); err != nil {
		return err
	}
	w.capture.end(w)
	w.tellLosses(w.cuts)
	w.lastTables()
	w.stopped = true
	return nil
}

// contextEvery is the number of events between two checks of the context.
const contextEvery = 1 << 12

// run advances time to until, or until done reports true. done is called at the start and after
// each event that recorded something or made a generator ready.
func (w *World) run(ctx context.Context, until clock.Instant, done func() bool) error {
	w.limit = max(until, w.now)
	w.dirty = true
	for n := 0; ; n++ {
		if w.dirty {
			w.dirty = false
			if done != nil && done() {
				return nil
			}
		}
		if n%contextEvery == contextEvery-1 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		at := w.queue.next()
		timer := w.nextTimer()
		if g := w.nextGenerator(); g != nil && g.next < min(at, timer) {
			if g.next > w.limit {
				break
			}
			w.now = max(w.now, g.next)
			g.fire()
			continue
		}
		if min(at, timer) > w.limit {
			break
		}
		if timer < at {
			w.retransmit()
			continue
		}
		w.now = w.queue.pop(&w.event)
		w.handle(&w.event)
	}
	w.now = w.limit
	return nil
}

// nextGenerator returns the generator that acts first, nil if none will.
func (w *World) nextGenerator() *generator {
	var first *generator
	for _, g := range w.generators {
		if g.next != clock.Never && (first == nil || g.next < first.next) {
			first = g
		}
	}
	return first
}

func (w *World) handle(e *event) {
	switch e.kind {
	case evCall:
		e.call()
	case evPacket:
		w.deliver(&e.packet)
	case evTimer, evBFD, evWork, evPoll, evSweep:
		w.processes[e.who].handle(e)
	case evFrame:
		e.stream.deliver(e)
	case evGARP:
		w.latch(e)
	case evConnect:
		w.conns.at(uint32(e.stamp)).expire()
	}
}

// at schedules a function. Frequent events have their own kinds, which need no allocation.
func (w *World) at(at clock.Instant, call func()) {
	w.queue.push(max(at, w.now), evCall).call = call
}

func (w *World) record(e trace.Event) {
	w.dirty = true
	w.cfg.Recorder.Record(e)
	w.watchDamage(e)
}

// serial returns a number larger than all it returned before.
func (w *World) serial() uint64 {
	w.generated++
	return w.generated
}

func parseAddr(text string) (flow.Addr, error) {
	a, err := netip.ParseAddr(strings.TrimSpace(text))
	if err != nil {
		return flow.Addr{}, fmt.Errorf("address %q: %w", text, err)
	}
	return flow.AddrFrom(a), nil
}

// slab holds values that never move, in chunks, by index.
type slab[T any] struct {
	chunks []*[slabChunk]T
	used   uint32
}

const slabChunk = 128

func (s *slab[T]) at(i uint32) *T { return &s.chunks[i/slabChunk][i%slabChunk] }

// add returns a new zero value and its index.
func (s *slab[T]) add() (*T, uint32) {
	i := s.used
	if i%slabChunk == 0 {
		s.chunks = append(s.chunks, new([slabChunk]T))
	}
	s.used++
	return s.at(i), i
}
