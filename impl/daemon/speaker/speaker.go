// Package speaker is a BFD speaker: it drives the sessions of a configuration over
// real sockets, thousands of them in one process. `baton bfd` runs it. It decides
// nothing about BFD, which is impl/bfd's, and does nothing about what it finds but
// tell: by its log and its control socket.
//
// One thread does it all, so that nothing needs a lock and nobody else's schedule
// stands between the wire and a session. It sleeps in a poller until packets wait or
// the earliest deadline has come; a heap orders the sessions by deadline. Packets of
// all sessions come by one socket for each port and protocol and are read in batches
// (recvmmsg); each session has a socket of its own to send from, because its source
// port is its own (RFC 5881 section 4). Packets to the echo port, which a system sends
// to itself by way of its peer, leave and come back by a packet socket for each
// interface and protocol. What the kernel stamped on a packet is the
// instant that its session gets, and sockets are read before deadlines are looked at:
// a thread that was kept from running takes no packet that came in time for silence.
// Between two looks it rests for a small part of the shortest interval, so that many
// sessions share a wake-up. Nothing is allocated for a packet.
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

// Speaker drives sessions. Open makes one, Run lets it live, Close ends what Open
// opened; whoever else wants something of it goes through Call.
type Speaker struct {
	log      *slog.Logger
	poller   *poller.Poller
	ports    bfdio.SourcePorts
	receives []*receiver
	sessions []*session // in the order of the configuration
	due      agenda
	rest     time.Duration // between two looks

	byDiscr map[uint32]*session
	paths   map[kind]*bfd.Table[*session]
	links   map[int]string // names of interfaces by index
	echoes  echoes

	calls   calls
	ended   bool
	strays  uint64        // packets of no session
	lateMax time.Duration // of the loop behind a deadline
}

// kind is what sessions of one table have in common: a packet that came to the port
// of multihop must not reach a session that trusts in a TTL of 255.
type kind struct{ multihop bool }

// receiver is a listener with what its packets are for.
type receiver struct {
	*bfdio.Listener
	kind   kind
	v6     bool
	filter *bfdio.Filter // nil without one
}

// receiveBuffer is what the kernel may keep for a listener while the loop does not come
// to it: that of a thousand sessions at 10 ms for some 20 ms.
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

// add makes a session, its sockets, and those that it shares with others.
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

// openControl gives a session what its control packets need.
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

// listen returns the receiver of a kind and protocol, which it opens if it is the first.
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

// allow has the filter let a session's packets pass.
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

// restMax and restShare: the loop rests for a fiftieth of the shortest interval
// between two looks, and for two milliseconds at most. A packet may go out as much
// later than its jittered instant.
const (
	restMax   = 2 * time.Millisecond
	restShare = 50
)

// Run drives the sessions until Stop. The goroutine should be locked to its thread.
func (s *Speaker) Run() error {
	defer s.follow()()
	for !s.ended {
		began := boottime.Now()
		if s.due.earliest().After(began) { // among many sessions one is always due
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

// look takes what came, and only then does what is due: a packet that waits may be the
// reason why a session is not to go down.
func (s *Speaker) look() {
	s.receive()
	s.receiveEchoes()
	s.advance()
}

// pause sleeps until an instant.
func pause(until clock.Instant) {
	at := unix.NsecToTimespec(int64(until))
	_ = unix.ClockNanosleep(boottime.ID, unix.TIMER_ABSTIME, &at, nil) // a signal ends it early: no harm
}

// maxBatches bounds what is taken from one socket at a look, so that a flood cannot
// keep the sessions from sending.
const maxBatches = 16

// receive hands the packets that wait to their sessions.
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

// link names an interface. Sessions' own are known from the start; a packet by an
// interface that is new is for the one of that name.
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

// advance does what is due now; what falls due meanwhile waits for the next look.
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

// settle carries out what a session has come to, and looks when it wants to be called
// next.
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

// calls are functions that other goroutines want run between two looks.
type calls struct {
	wake  func()
	mu    sync.Mutex
	queue []func()
}

// Call has the loop run f. It does not block.
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
