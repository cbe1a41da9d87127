// Package speaker is a BFD speaker: it runs the sessions of a configuration over real
// sockets, thousands of them in one process. `baton bfd` runs it. impl/bfd implements the
// protocol; the speaker only reports state changes, by its log and its control socket.
//
// One thread does everything, so that nothing needs a lock and no other goroutine delays a
// packet. It sleeps in a poller until packets wait or the earliest deadline has come; a
// heap orders the sessions by deadline. All sessions receive through one socket per port
// and IP version, in batches (recvmmsg); each session sends from its own socket, because
// its source port is its own (RFC 5881 section 4). Packets to the echo port, which a system
// sends to itself through its peer, use a packet socket per interface and IP version. A
// session gets the kernel's receive timestamp as the instant of a packet, and sockets are
// read before deadlines are checked, so a delayed thread does not take packets that arrived
// in time for silence. Between two rounds it rests for a small part of the shortest
// interval, so that many sessions share a wake-up. A packet costs no allocation.
package speaker

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/bfd"
	"baton/impl/clock"
	"baton/impl/clock/boottime"
	"baton/impl/daemon/bfdio"
	"baton/impl/daemon/config"
	"baton/impl/daemon/poller"
)

// Speaker runs sessions. Open makes one, Run runs it, and Close closes what Open opened;
// other goroutines use Call.
type Speaker struct {
	log      *slog.Logger
	poller   *poller.Poller
	ports    bfdio.SourcePorts
	receives []*receiver
	sessions []*session // in the configuration's order
	due      agenda
	rest     time.Duration // pause between two rounds

	byDiscr map[uint32]*session
	paths   map[kind]*bfd.Table[*session]
	links   map[int]string // interface names by index
	echoes  echoes

	calls   calls
	ended   bool
	strays  uint64        // packets of no session
	lateMax time.Duration // maximum lateness after a deadline
}

// kind separates session tables: a packet to the multihop port must not reach a session
// that relies on TTL 255.
type kind struct{ multihop bool }

// receiver is a listener and the kind of its sessions.
type receiver struct {
	*bfdio.Listener
	kind   kind
	v6     bool
	filter *bfdio.Filter // nil without one
}

// receiveBuffer is the size of a listener's receive buffer: about 20 ms of a thousand
// sessions at 10 ms.
const receiveBuffer = 4 << 20

// Open binds the sockets of all sessions in the calling thread's network namespace.
func Open(cfg *config.Speaker, log *slog.Logger) (*Speaker, error) {
	s := &Speaker{log: log, byDiscr: map[uint32]*session{}, paths: map[kind]*bfd.Table[*session]{}, links: map[int]string{}, rest: restMax}
	if err := s.open(cfg); err != nil {
		s.Close()
		return nil, fmt.Errorf("speaker: open: %w", err)
	}
	return s, nil
}

func (s *Speaker) open(cfg *config.Speaker) (err error) {
	if s.poller, err = poller.New(); err != nil {
		return err
	}
	s.calls.wake = s.poller.Wake
	for i := range cfg.Sessions {
		if err := s.add(&cfg.Sessions[i]); err != nil {
			return err
		}
	}
	return s.openFollower()
}

// add makes a session and its sockets, shared ones included.
func (s *Speaker) add(cfg *config.BFDSession) error {
	discr := bfdio.Discriminator(func(d uint32) bool { return s.byDiscr[d] != nil })
	x, err := newSession(cfg, discr, boottime.Now())
	if err != nil {
		return err
	}
	s.sessions, s.byDiscr[discr] = append(s.sessions, x), x
	s.rest = min(s.rest, x.shortest()/restShare)
	if x.peered != nil {
		err = s.openControl(x)
	}
	if err == nil {
		err = s.openEcho(x)
	}
	if err != nil {
		return fmt.Errorf("session %s: %w", cfg.Name, err)
	}
	s.due.add(x)
	return nil
}

// openControl opens what a session's control packets need.
func (s *Speaker) openControl(x *session) error {
	k := kind{multihop: x.cfg.Mode == config.MultiHop}
	port, name := bfdio.Port, x.cfg.Interface
	if k.multihop {
		port, name = bfdio.MultihopPort, ""
	} else {
		link, err := net.InterfaceByName(name)
		if err != nil {
			return fmt.Errorf("interface %s: %w", name, err)
		}
		s.links[link.Index] = name
	}
	r, err := s.listen(k, port, x.cfg.Local.Is6())
	if err != nil {
		return err
	}
	if err := r.allow(x); err != nil {
		return err
	}
	if s.paths[k] == nil {
		s.paths[k] = &bfd.Table[*session]{}
	}
	if err := s.paths[k].Add(x.discr, x.cfg.Path(), x); err != nil {
		return err
	}
	x.sender, err = bfdio.OpenSender(bfdio.Route{Local: x.cfg.Local.Addr, Peer: x.cfg.Peer.Addr, Link: name, Port: port}, &s.ports)
	return err
}

// listen returns the receiver of a kind and IP version, and opens it the first time.
func (s *Speaker) listen(k kind, port int, v6 bool) (*receiver, error) {
	for _, r := range s.receives {
		if r.kind == k && r.v6 == v6 {
			return r, nil
		}
	}
	filter, err := bfdio.NewFilter(bfdio.FilterConfig{V6: v6})
	if err != nil {
		s.log.Warn("bfd packets are not filtered by the kernel", "port", port, "error", err)
	}
	local := netip.IPv4Unspecified()
	if v6 {
		local = netip.IPv6Unspecified()
	}
	l, err := bfdio.Listen(bfdio.ListenConfig{Local: local, Port: port, Filter: filter, Buffer: receiveBuffer})
	if err != nil {
		return nil, err
	}
	r := &receiver{Listener: l, kind: k, v6: v6, filter: filter}
	s.receives = append(s.receives, r)
	return r, s.poller.Add(l.FD())
}

// allow lets a session's packets pass the filter.
func (r *receiver) allow(x *session) error {
	if r.filter == nil {
		return nil
	}
	return r.filter.Allow(x.discr, x.minTTL())
}

// Close closes the sockets. Run must have returned.
func (s *Speaker) Close() {
	for _, x := range s.sessions {
		x.close()
	}
	for _, r := range s.receives {
		r.Close()
	}
	s.echoes.close()
	if s.poller != nil {
		s.poller.Close()
	}
}

// restMax and restShare: between two rounds the loop rests for a fiftieth of the shortest
// interval, at most two milliseconds. A packet may leave as much later than its jittered
// instant.
const (
	restMax   = 2 * time.Millisecond
	restShare = 50
)

// Run drives the sessions until Stop. The goroutine should be locked to its thread.
func (s *Speaker) Run() error {
	defer s.follow()()
	for !s.ended {
		began := boottime.Now()
		if s.due.earliest().After(began) { // with many sessions one is always due
			if err := s.poller.Wait(s.due.earliest()); err != nil {
				return err
			}
			began = boottime.Now()
		}
		s.look()
		s.calls.carryOut()
		pause(began.Add(s.rest))
	}
	for _, x := range s.sessions {
		x.leave(boottime.Now())
	}
	return nil
}

// look first reads the sockets and only then handles deadlines: a waiting packet may keep a
// session up.
func (s *Speaker) look() {
	s.receive()
	s.receiveEchoes()
	s.advance()
}

// pause sleeps until an instant.
func pause(until clock.Instant) {
	at := unix.NsecToTimespec(int64(until))
	_ = unix.ClockNanosleep(boottime.ID, unix.TIMER_ABSTIME, &at, nil) // a signal may end it early
}

// maxBatches limits what is read from one socket per round, so that a flood cannot keep the
// sessions from sending.
const maxBatches = 16

// receive passes the waiting packets to their sessions.
func (s *Speaker) receive() {
	for _, r := range s.receives {
		for range maxBatches {
			datagrams, err := r.Receive()
			if err != nil {
				s.log.Warn("bfd packets not read", "error", err)
			}
			for i := range datagrams {
				s.deliver(r.kind, &datagrams[i])
			}
			if !bfdio.More(datagrams) {
				break
			}
		}
	}
}

// deliver finds the session of a control packet.
func (s *Speaker) deliver(k kind, d *bfdio.Datagram) {
	path := bfd.Path{Interface: s.link(d.Link), Remote: d.From}
	if k.multihop {
		path = bfd.Path{Local: d.To, Remote: d.From}
	}
	x, ok := s.paths[k].Find(d.Data, path)
	if !ok {
		s.strays++
		return
	}
	x.receive(d)
	s.settle(x)
}

// link returns an interface's name. Those of sessions are known from the start; an unknown
// index is looked up by name.
func (s *Speaker) link(index int) string {
	if name, ok := s.links[index]; ok {
		return name
	}
	name := ""
	if link, err := net.InterfaceByIndex(index); err == nil {
		name = link.Name
	}
	s.links[index] = name
	return name
}

// advance handles the deadlines that are due now; later ones wait for the next round.
func (s *Speaker) advance() {
	now := boottime.Now()
	for {
		x := s.due.first()
		if x == nil || now.Before(x.deadline) {
			return
		}
		s.lateMax = max(s.lateMax, now.Sub(x.deadline))
		x.advance(now)
		s.settle(x)
	}
}

// settle executes a session's effects and updates its deadline.
func (s *Speaker) settle(x *session) {
	ready := x.Ready()
	for _, packet := range ready.Packets {
		x.send(s.log, packet)
	}
	for _, packet := range ready.Echoes {
		x.sendEcho(s.log, packet)
	}
	for _, change := range ready.Changes {
		x.changed(s.log, change)
	}
	s.due.move(x, x.Deadline())
}

// calls are functions of other goroutines to run between two rounds.
type calls struct {
	wake  func()
	mu    sync.Mutex
	queue []func()
}

// Call runs f on the loop. It does not block.
func (s *Speaker) Call(f func()) {
	s.calls.mu.Lock()
	defer s.calls.mu.Unlock()
	s.calls.queue = append(s.calls.queue, f)
	s.calls.wake()
}

func (c *calls) carryOut() {
	c.mu.Lock()
	queue := c.queue
	c.queue = nil
	c.mu.Unlock()
	for _, f := range queue {
		f()
	}
}
