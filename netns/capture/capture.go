// Package capture watches the wire at the edges of a pair: which hosts send RSTs
// and who made them, who announces a VIP, and which load balancer carries its
// packets. It sees what a switch delivers: frames leaving its ports, so that what
// a cut drops is not seen. It sends nothing, judges nothing, and changes nothing.
//
// # Which RSTs are recorded
//
// Every TCP segment with RST set, from or to a service port, once at each edge
// where it is delivered; copies that a switch floods count once. The traffic
// generator makes none while the system under test behaves (see package
// traffic), so each is evidence, provided that the capture ends before the
// generator is closed. Those of a load balancer's own connections to backends, which are
// probes, are not recorded. A RST that a load balancer only passes on is recorded at
// both edges, with the host that made it as its origin. One of a connection whose ends
// have acknowledged each other's FIN is only counted, in a note, see closes.
//
// Package netns calls it. It needs CAP_NET_RAW in the namespaces of the edges.
package capture

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/clock"
	"baton/impl/flow"
	"baton/impl/trace"
	"baton/netns/internal/hostclock"
)

// Host is a network namespace with a name. Do runs f on a thread inside it.
type Host interface {
	Name() string
	Do(f func() error) error
}

// Edge is one place to listen at.
type Edge struct {
	Name string // lab.Clients, lab.Backends, lab.Sync
	Host Host   // the switch, or an end of a cable
	// Interfaces to listen on, by index, with the names that evidence gives them.
	// None means all of the namespace.
	Interfaces map[int]string
	// Cable says that the interfaces are ends of cables, not ports of a switch:
	// what they receive is captured too.
	Cable bool
	// VIPs are the addresses from which only the forwarding load balancer sends at
	// this edge: the services' VIPs, or the SNAT addresses.
	VIPs []netip.Addr
	// Forwarded are further such addresses: those of the clients, at the backend
	// edge, where dnat keeps them.
	Forwarded []netip.Prefix
	// Keep is the memory for the edge's latest frames in bytes; 0 keeps none.
	Keep int
}

// Config is what a capture needs to know. The callbacks may be nil; they are
// called from one goroutine that is not the one that reads the wire.
type Config struct {
	Edges []Edge
	// Hosts names the owner of each MAC address, as net.HardwareAddr prints it.
	Hosts map[string]string
	// Addresses names the owner of each address, for advertisements of virtual routers.
	Addresses map[netip.Addr]string
	// WireRoles records the roles of load balancers as the wire shows them, for those
	// that do not tell theirs.
	WireRoles bool
	// LoadBalancers are those of the hosts that forward.
	LoadBalancers []string
	// Ports are the services' ports; a RST of other ports is not recorded. None means all.
	Ports  []uint16
	Record func(trace.Event) // called from several goroutines

	// Role returns the role that a load balancer had at an instant.
	Role func(node string, at clock.Instant) string
	// Fault returns the last fault before an instant.
	Fault func(at clock.Instant) string
	// Entry returns how a load balancer's table knows a flow: opened, synced,
	// adopted, none. The tuple is the original one (client to VIP) where the client
	// edge shows it, else the reply tuple at the backend edge (backend to SNAT).
	Entry func(node string, t flow.Tuple) string
	// EntriesPerSecond bounds the calls of Entry; 200 by default. A RST beyond gets
	// "unknown (limit)".
	EntriesPerSecond int

	// Snap is how much of a frame is kept; DefaultSnap by default.
	Snap int
}

// DefaultSnap holds the headers and the begin of the payload.
const DefaultSnap = 256

// Capture is a running capture.
type Capture struct {
	cfg    Config
	edges  []*edge
	kept   []*edge // the same, and after Stop too
	owners map[mac]string
	// virtual has the present owners of virtual routers' MAC addresses. The reading
	// goroutine alone uses it.
	virtual map[mac]string
	roles   *wireRoles // nil where the load balancers tell theirs
	lbs     map[string]bool
	stop    int // eventfd

	pairing  pairing
	settled  chan *sighting
	read     chan struct{} // closed when the reader has ended
	recorded chan struct{} // closed when every RST has been recorded
	tid      atomic.Int64
	stopOnce sync.Once

	frames, lost atomic.Uint64
}

// Start opens the sockets and begins to read. What is on the wire once it has
// returned is captured.
func Start(cfg Config) (*Capture, error) {
	if cfg.Snap == 0 {
		cfg.Snap = DefaultSnap
	}
	if cfg.EntriesPerSecond == 0 {
		cfg.EntriesPerSecond = 200
	}
	if cfg.Record == nil {
		return nil, errors.New("capture: nowhere to record events")
	}
	c := &Capture{cfg: cfg, owners: map[mac]string{}, virtual: map[mac]string{}, lbs: map[string]bool{}, stop: -1,
		settled: make(chan *sighting, 1024), read: make(chan struct{}), recorded: make(chan struct{})}
	for _, name := range cfg.LoadBalancers {
		c.lbs[name] = true
	}
	if cfg.WireRoles {
		c.roles = newWireRoles(cfg.LoadBalancers, cfg.Record)
	}
	for address, name := range cfg.Hosts {
		parsed, err := net.ParseMAC(address)
		if err != nil || len(parsed) != len(mac{}) {
			return nil, fmt.Errorf("capture: %q of host %s is no Ethernet address", address, name)
		}
		c.owners[mac(parsed)] = name
	}
	var err error
	if c.stop, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return nil, fmt.Errorf("capture: create eventfd: %w", err)
	}
	for _, e := range cfg.Edges {
		opened, err := c.open(e)
		if err != nil {
			c.close()
			return nil, fmt.Errorf("capture: listen at the %s edge: %w", e.Name, err)
		}
		c.edges = append(c.edges, opened)
	}
	c.kept = c.edges
	go c.run()
	go c.recordRSTs()
	return c, nil
}

// Stop reads what has been delivered until now, records the rest and ends.
func (c *Capture) Stop() {
	c.stopOnce.Do(func() {
		one := [8]byte{1}
		_, _ = unix.Write(c.stop, one[:])
		<-c.read
		<-c.recorded
		c.close()
	})
}

// Started notes that a load balancer begins anew, where roles are read from the wire.
func (c *Capture) Started(node string) {
	if c.roles != nil {
		c.roles.started(node, hostclock.Now())
	}
}

// Stats is what a capture has done so far.
type Stats struct {
	Frames uint64 // read
	// Lost frames found the kernel's ring full. If there are any, absence proves nothing.
	Lost uint64
	// CPU is the processor time of the reading thread.
	CPU time.Duration
}

// Stats returns the numbers of this moment.
func (c *Capture) Stats() Stats {
	s := Stats{Frames: c.frames.Load(), Lost: c.lost.Load()}
	if tid := c.tid.Load(); tid != 0 {
		s.CPU = hostclock.ThreadCPU(int(tid))
	}
	return s
}

// Mark keeps the frames around an instant in memory, however many come after them. Of
// instants without a pause between them only the first counts, and only so many of these.
func (c *Capture) Mark(at clock.Instant) {
	for _, e := range c.kept {
		e.history.mark(at)
	}
}

// run reads the rings until Stop.
func (c *Capture) run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c.tid.Store(int64(unix.Gettid()))
	defer close(c.read)
	defer close(c.settled)

	fds := []unix.PollFd{{Fd: int32(c.stop), Events: unix.POLLIN}}
	for _, e := range c.edges {
		fds = append(fds, unix.PollFd{Fd: int32(e.ring.fd), Events: unix.POLLIN})
	}
	for {
		timeout := -1
		if len(c.pairing.waiting) > 0 {
			timeout = int(settleTime / time.Millisecond / 2)
		}
		_, err := unix.Poll(fds, timeout)
		if err != nil && err != unix.EINTR {
			panic(fmt.Sprintf("capture: poll descriptors of our own: %v", err))
		}
		stopping := fds[0].Revents != 0
		if stopping {
			awaitBlocks()
		}
		for _, e := range c.edges {
			c.readEdge(e)
		}
		for _, s := range c.pairing.settled(hostclock.Now(), stopping) {
			c.settled <- s
		}
		if stopping {
			c.endLanes()
			c.noteLate()
			c.tellLoss()
			return
		}
	}
}

// awaitBlocks gives the kernel the time to hand over the blocks that hold what
// is on the wire now: it does so when a block is full or blockRetire old.
func awaitBlocks() { _, _ = unix.Poll(nil, int(3*blockRetire/time.Millisecond)) }

// endLanes records the last turn of each lane, in an order that does not vary.
func (c *Capture) endLanes() {
	for _, e := range c.edges {
		for _, l := range e.lanes {
			if event, any := l.end(); any {
				c.cfg.Record(event)
			}
			if more := l.changes - maxChanges; more > 0 {
				c.cfg.Record(trace.Event{At: l.last, Kind: trace.KindNote,
					Note: fmt.Sprintf("%d more changes of the forwarder of %s at the %s edge", more, l.vip, l.edge)})
			}
		}
	}
}

// noteLate says how many RSTs came when there was nothing left to reset.
func (c *Capture) noteLate() {
	for _, e := range c.edges {
		if e.late > 0 {
			c.cfg.Record(trace.Event{At: hostclock.Now(), Kind: trace.KindNote,
				Note: fmt.Sprintf("%d RSTs at the %s edge after both ends had acknowledged the other's FIN: not counted", e.late, e.Name)})
		}
	}
}

// tellLoss says so if the capture did not see everything.
func (c *Capture) tellLoss() {
	for _, e := range c.edges {
		missed := trace.Missed{What: "frames of the " + e.Name + " edge", Count: e.lost, Why: "the ring of the capture was full"}
		if e.blind != nil {
			missed.Why = "the kernel does not say how many: " + e.blind.Error()
		}
		if missed.Count > 0 || e.blind != nil {
			c.cfg.Record(trace.Event{At: hostclock.Now(), Kind: trace.KindMissed, Missed: &missed})
		}
	}
}

func (c *Capture) close() {
	for _, e := range c.edges {
		e.ring.close()
	}
	c.edges = nil
	if c.stop >= 0 {
		_ = unix.Close(c.stop)
	}
}
