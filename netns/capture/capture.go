// Package capture captures packets at the edges of a pair. It records which host made and
// which forwarded each RST, who announces a VIP, and which load balancer forwards the VIP's
// packets. It sees the frames that leave a switch's ports, so it does not see frames that a
// cut drops. It sends nothing, judges nothing and changes nothing.
//
// # Which RSTs are recorded
//
// The capture records every TCP segment with RST from or to a service port, once at each
// edge where it is delivered. Copies that a switch floods count once. The traffic generator
// sends no RST while the system under test behaves (see package traffic), so each RST is
// evidence, provided that the capture ends before the generator is closed. RSTs of a load
// balancer's own connections to backends (health checks) are not recorded. A RST that a
// load balancer only forwards is recorded at both edges, with the host that made it as its
// origin. A RST of a connection whose ends have acknowledged each other's FIN is only
// counted, in a note; see closes. So is a RST that answers a challenge ACK; see
// lab.Challenges.
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
	"baton/scenarios/lab"
)

// Host is a network namespace with a name. Do runs f on a thread inside it.
type Host interface {
	Name() string
	Do(f func() error) error
}

// Edge is a point of capture.
type Edge struct {
	Name string // lab.Clients, lab.Backends, lab.Sync
	Host Host   // the switch, or one end of a cable
	// Interfaces to capture on, by index, with their names in evidence. None means all
	// interfaces of the namespace.
	Interfaces map[int]string
	// Cable means that the interfaces are ends of cables, not ports of a switch: received
	// frames are captured too.
	Cable bool
	// VIPs are the addresses from which only the forwarding load balancer sends at this
	// edge: the services' VIPs or the SNAT addresses.
	VIPs []netip.Addr
	// Forwarded are further such source networks: the clients', at the backend edge, where
	// dnat keeps client addresses.
	Forwarded []netip.Prefix
	// Keep is the memory for the edge's latest frames in bytes; 0 disables it.
	Keep int
}

// Config configures a capture. The callbacks may be nil. They are called from one
// goroutine, not the one that reads the packets.
type Config struct {
	Edges []Edge
	// Hosts maps MAC addresses, as net.HardwareAddr prints them, to their owners.
	Hosts map[string]string
	// Addresses maps IP addresses to their owners, for advertisements of virtual routers.
	Addresses map[netip.Addr]string
	// WireRoles derives the load balancers' roles from the wire, for nodes that do not
	// report them.
	WireRoles bool
	// LoadBalancers are the hosts that forward.
	LoadBalancers []string
	// Ports are the services' ports; RSTs of other ports are not recorded. None means all.
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
	// EntriesPerSecond limits the calls of Entry; 200 by default. Further RSTs get "unknown
	// (limit)".
	EntriesPerSecond int

	// Snap is how many bytes of a frame are kept; DefaultSnap by default.
	Snap int
}

// DefaultSnap covers the headers and the beginning of the payload.
const DefaultSnap = 256

// Capture is a running capture.
type Capture struct {
	cfg    Config
	edges  []*edge
	kept   []*edge // the same edges, also after Stop
	owners map[mac]string
	// virtual maps virtual routers' MAC addresses to their current owners. It belongs to
	// the reading goroutine.
	virtual map[mac]string
	roles   *wireRoles // nil if the nodes report their roles
	lbs     map[string]bool
	stop    int // eventfd

	pairing  pairing
	settled  chan *sighting
	read     chan struct{} // closed when the reader has ended
	recorded chan struct{} // closed when every RST is recorded
	tid      atomic.Int64
	stopOnce sync.Once

	frames, lost atomic.Uint64
}

// Start opens the sockets and begins to read. Packets are captured from its return on.
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

// Stop reads what has arrived until now, records it and ends.
func (c *Capture) Stop() {
	c.stopOnce.Do(func() {
		one := [8]byte{1}
		_, _ = unix.Write(c.stop, one[:])
		<-c.read
		<-c.recorded
		c.close()
	})
}

// Started notes that a load balancer was started, for roles derived from the wire.
func (c *Capture) Started(node string) {
	if c.roles != nil {
		c.roles.started(node, hostclock.Now())
	}
}

// Stats are a capture's counters.
type Stats struct {
	Frames uint64 // read
	// Lost counts the frames for which the kernel's ring was full. If it is not 0, the
	// absence of a packet proves nothing.
	Lost uint64
	// CPU is the CPU time of the reading thread.
	CPU time.Duration
}

// Stats returns the current counters.
func (c *Capture) Stats() Stats {
	s := Stats{Frames: c.frames.Load(), Lost: c.lost.Load()}
	if tid := c.tid.Load(); tid != 0 {
		s.CPU = hostclock.ThreadCPU(int(tid))
	}
	return s
}

// Mark protects the frames around an instant from being overwritten. Only the first
// evidence.FocusMost calls do.
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
			c.endTracks()
			c.noteUncounted()
			c.recordLoss()
			return
		}
	}
}

// awaitBlocks waits until the kernel has handed over the blocks with the packets sent so
// far: when a block is full or blockRetire old.
func awaitBlocks() { _, _ = unix.Poll(nil, int(3*blockRetire/time.Millisecond)) }

// endTracks records the last turn of each track, in a fixed order.
func (c *Capture) endTracks() {
	for _, e := range c.edges {
		for _, l := range e.tracks {
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

// noteUncounted records how many RSTs were only counted, because their connections had ended or
// because they answered challenge ACKs.
func (c *Capture) noteUncounted() {
	for _, e := range c.edges {
		if e.late > 0 {
			c.cfg.Record(trace.Event{At: hostclock.Now(), Kind: trace.KindNote,
				Note: fmt.Sprintf("%d RSTs at the %s edge after both ends had acknowledged the other's FIN: not counted", e.late, e.Name)})
		}
		if e.answers > 0 {
			c.cfg.Record(trace.Event{At: hostclock.Now(), Kind: trace.KindNote, Note: lab.ChallengesAnswered(e.answers)})
		}
	}
}

// recordLoss records that the capture has lost frames, if it has.
func (c *Capture) recordLoss() {
	for _, e := range c.edges {
		missed := trace.Missed{What: "frames of the " + e.Name + " edge", Count: e.lost, Why: "the ring of the capture was full"}
		if e.lossUnknown != nil {
			missed.Why = "the kernel does not report the number: " + e.lossUnknown.Error()
		}
		if missed.Count > 0 || e.lossUnknown != nil {
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
