package bpf

import (
	"bytes"
	"net"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/vishvananda/netlink"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/dataplane/model"
	"baton/impl/flow"
)

// origin is when the tests' time begins: late enough for any age of an entry.
const origin = clock.Instant(10 * time.Hour)

// The event ring is small here, so that a test can fill it. A record of 40 bytes has
// a header of 8, and the ring is never filled to its last byte.
const (
	eventRing = 4096
)

// eventCapacity is how many events the ring holds. An IPv6 event has 88 bytes.
func eventCapacity() int {
	if inIPv6 {
		return (eventRing - 1) / 96
	}
	return (eventRing - 1) / 48
}

// subject is a dataplane under test: the programs or their model. The tests put
// both through the same harness, so that they cannot drift apart.
type subject interface {
	dataplane.Dataplane
	advance(now clock.Instant)
	// packet returns the verdict on a frame, and the resulting frame.
	packet(link string, frame []byte) (model.Verdict, []byte)
	// claims returns the reply tuples in use, with their original tuples.
	claims() map[flow.Tuple]flow.Tuple
	// reset empties the tables and brings the first services back.
	reset()
}

// modelSubject is the model.
type modelSubject struct {
	*model.Dataplane
	t    testing.TB
	cfg  dataplane.Config
	host model.Host
	now  clock.Instant
}

func newModelSubject(t testing.TB, cfg dataplane.Config) *modelSubject {
	s := &modelSubject{t: t, cfg: cfg, host: model.Host{
		MaxEvents: eventCapacity(),
		ClientMAC: model.MAC(clientMAC), BackendMAC: model.MAC(backendMAC),
		// See newProgramSubject.
		Own:       ownAddresses(),
		Broadcast: broadcastAddresses(), TunnelSources: []flow.Addr{flow.IPv4(198, 18, 1, 1), address("198.18.1.1"), tunnelAddress("198.18.1.1")},
	}}
	s.reset()
	return s
}

func (s *modelSubject) reset() {
	d, err := model.New(s.cfg, s.host)
	if err != nil {
		s.t.Fatal(err)
	}
	s.Dataplane = d
	s.advance(origin)
}

func (s *modelSubject) advance(now clock.Instant) {
	s.now = now
	s.Advance(now)
}

func (s *modelSubject) packet(link string, frame []byte) (model.Verdict, []byte) {
	frame = slices.Clone(frame)
	out := s.Packet(s.now, link, frame)
	if out.Verdict == model.Forward || out.Verdict == model.Relay {
		return out.Verdict, out.Frame
	}
	return out.Verdict, frame
}

func (s *modelSubject) claims() map[flow.Tuple]flow.Tuple { return s.Claims() }

// programSubject is the programs, loaded with a fake clock and run by
// BPF_PROG_RUN in a namespace that has their links.
type programSubject struct {
	*Dataplane
	t      testing.TB
	worker chan func()
	index  map[string]int // of the links
	moved  bool           // the services are not the first ones
	direct int            // packets that the programs addressed to their neighbour themselves
	fast   dataplane.Fast // as counted last
}

// neighbourMAC is that of the clients and backends.
var neighbourMAC = net.HardwareAddr{2, 0, 0, 0, 9, 9}

// The verdicts of the programs (linux/bpf.h).
const (
	tcxNext     = 0xffffffff
	tcxDrop     = 2
	tcxRedirect = 7
)

func newProgramSubject(t testing.TB, cfg dataplane.Config) *programSubject {
	needRoot(t)
	n := newNamespace(t)
	wire(t, n, "client0", "198.18.0.1/24", n, "client1", "198.18.0.1/24")
	wire(t, n, "backend0", "198.18.1.1/24", n, "backend1", "198.18.1.1/24")
	if inIPv6 || inAcross {
		addIPv6(t, n, "client0", "198.18.0.1")
		addIPv6(t, n, "backend0", "198.18.1.1")
	}
	if cfg.Defer {
		routeAll(t, n, "client0") // user space sends a deferred reply to any source
	}
	s := &programSubject{t: t, worker: make(chan func()), index: map[string]int{}}
	t.Cleanup(startWorker(t, n, s.worker))
	s.inside(func() {
		client, backend := s.link("client0", clientMAC), s.link("backend0", backendMAC)
		s.neighbour(client, neighbourMAC, clientAddr, otherClient)
		s.neighbour(backend, neighbourMAC, backendAddr, secondBackend)
		d, err := load(cfg, client, backend, options{fakeClock: true, eventRing: eventRing, hook: inHook})
		if err != nil {
			t.Error(err)
			return
		}
		s.Dataplane = d
	})
	if s.Dataplane == nil {
		t.FailNow()
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	s.now = s.fakeNow
	s.reset()
	return s
}

// routeAll sends packets to unknown networks to a link.
func routeAll(t testing.TB, n ns.NetNS, link string) {
	t.Helper()
	inside(t, n, func() error {
		l, err := netlink.LinkByName(link)
		if err != nil {
			return err
		}
		for _, all := range []net.IPNet{{IP: net.IPv4zero, Mask: net.CIDRMask(0, 32)}, {IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)}} {
			if err := netlink.RouteAdd(&netlink.Route{LinkIndex: l.Attrs().Index, Dst: &all}); err != nil {
				return err
			}
		}
		return nil
	})
}

// startWorker runs the functions of a channel on one thread in the namespace.
func startWorker(t testing.TB, n ns.NetNS, work chan func()) (stop func()) {
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		ready <- n.Set()
		for f := range work {
			f()
		}
	}()
	if err := <-ready; err != nil {
		t.Fatal(err)
	}
	return func() { close(work) }
}

func (s *programSubject) inside(f func()) {
	done := make(chan struct{})
	s.worker <- func() { defer close(done); f() }
	<-done
}

func (s *programSubject) link(name string, mac net.HardwareAddr) *net.Interface {
	l, err := netlink.LinkByName(name)
	if err == nil {
		err = netlink.LinkSetHardwareAddr(l, mac)
	}
	if err != nil {
		s.t.Error(err)
	}
	i, err := net.InterfaceByName(name)
	if err != nil {
		s.t.Error(err)
		return &net.Interface{}
	}
	s.index[name] = i.Index
	return i
}

// neighbour adds neighbour entries to the kernel.
func (s *programSubject) neighbour(l *net.Interface, mac net.HardwareAddr, addrs ...string) {
	for _, name := range addrs {
		for _, a := range []flow.Addr{address(name), tunnelAddress(name)} {
			err := netlink.NeighSet(&netlink.Neigh{LinkIndex: l.Index, IP: a.Netip().AsSlice(), HardwareAddr: mac, State: netlink.NUD_PERMANENT})
			if err != nil {
				s.t.Error(err)
			}
		}
	}
}

// asCame gives a frame that the programs have addressed to a neighbour the addresses
// that it came with, which the model leaves.
func (s *programSubject) asCame(came, out []byte, link string) []byte {
	own := map[string]net.HardwareAddr{"client0": backendMAC, "backend0": clientMAC}[link]
	if bytes.Equal(out[:6], neighbourMAC) && bytes.Equal(out[6:12], own) {
		s.direct++
		copy(out, came[:12])
	}
	return out
}

// v4 returns the IPv4 programs.
func (s *programSubject) v4() *family[ipv4] { return s.families[0].(*family[ipv4]) }

func (s *programSubject) fakeNow() clock.Instant {
	return clock.Instant(s.control.values[0].FakeNow)
}

func (s *programSubject) advance(now clock.Instant) { s.control.values[0].FakeNow = int64(now) }

func (s *programSubject) reset() {
	s.advance(origin)
	var all []flow.Tuple
	s.must(s.Dump(func(e flow.Entry) bool { all = append(all, e.Original); return true }))
	s.must(s.Delete(all))
	_, err := s.Poll(dataplane.AllPending, func(flow.Event) {})
	s.must(err)
	for _, f := range s.families {
		s.must(f.beginTurns(s.cfg.SNATTurn))
	}
	if d := s.deferral; d != nil {
		clear(d.waiting)
		d.packets, d.bytes = 0, 0
	}
	s.must(s.Lease(0))
	s.must(s.Relay(0))
	for _, link := range []string{"client0", "backend0"} {
		s.must(s.SetPeerMAC(link, [6]byte{}))
	}
	s.must(s.SetMiss(dataplane.MissDrop))
	forgetValidated(s.t, s.Dataplane)
	s.resetServices()
	for _, f := range s.families {
		_, err := f.sweep(clock.Never, 0)
		s.must(err)
		s.must(f.objects().FragmentIds.Set(uint32(0)))
		switch f := f.(type) {
		case *family[ipv4]:
			f.evicted.Store(0)
		case *family[ipv6]:
			f.evicted.Store(0)
		}
	}
	s.must(s.shared.Counters.Put(uint32(0), make([]lbCounters, ebpf.MustPossibleCPU())))
}

func (s *programSubject) SetServices(services []dataplane.Service, vips []dataplane.VIP) error {
	s.moved = true
	return s.Dataplane.SetServices(services, vips)
}

// resetServices brings the first services back, and lets round robin begin anew.
func (s *programSubject) resetServices() {
	if s.moved {
		s.must(s.Dataplane.SetServices(s.cfg.Services, s.cfg.VIPs))
		s.moved = false
	}
	for _, service := range s.cfg.Services {
		switch f := s.of(service.VIP).(type) {
		case *family[ipv4]:
			resetService(s, f, service)
		case *family[ipv6]:
			resetService(s, f, service)
		}
	}
}

func resetService[A addr](s *programSubject, f *family[A], service dataplane.Service) {
	var value rawService[A]
	key := toServiceKey[A](service.Service)
	s.must(f.objs.Services.Lookup(key, &value))
	value.Next = 0
	s.must(f.objs.Services.Put(key, value))
	s.must(f.objs.Refusals.Put(key, rawRefusals{}))
}

// of returns the programs for an address's family.
func (s *programSubject) of(a flow.Addr) tables {
	return s.families[slices.IndexFunc(s.families, func(f tables) bool { return f.has(a) })]
}

func (s *programSubject) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// skbContext is the head of struct __sk_buff, as far as the link's index. The
// kernel gives the packet to that device, and with it the device's address.
type skbContext struct {
	_       [2]uint32
	Mark    uint32
	_       [7]uint32
	Ifindex uint32
}

const (
	// markTurned is MARK_TURNED of the programs.
	markTurned = 0x6261746f
	// sizeofSKB is the size of struct __sk_buff.
	sizeofSKB = 192
)

// chain lists the programs on a link, in order.
func (s *programSubject) chain(link string) (programs []*ebpf.Program) {
	for _, f := range s.families {
		if link == s.cfg.ClientLink {
			programs = append(programs, f.objects().FromClient)
		} else {
			programs = append(programs, f.objects().FromBackend)
		}
	}
	return programs
}

func (s *programSubject) packet(link string, frame []byte) (model.Verdict, []byte) {
	s.t.Helper()
	if out, forwarded := s.fastPacket(link, frame); forwarded {
		return model.Forward, s.asCame(frame, out, link)
	}
	code, out, mark := s.run(link, frame, 0)
	if code == tcxRedirect && mark == markTurned {
		link, frame = "client0", out
		code, out, _ = s.run(link, frame, mark)
	}
	switch code {
	case tcxNext:
		return model.Pass, out
	case tcxDrop:
		return model.Drop, out
	case tcxRedirect:
		if bytes.Equal(out[:6], otherMAC[link]) {
			return model.Relay, out
		}
		return model.Forward, s.asCame(frame, out, link)
	}
	s.t.Fatalf("verdict %d", code)
	return 0, nil
}

// run runs a link's programs on a frame with a mark, until one of them decides.
func (s *programSubject) run(link string, frame []byte, mark uint32) (code uint32, out []byte, marked uint32) {
	s.t.Helper()
	for _, program := range s.chain(link) {
		var err error
		var after [sizeofSKB / 4]uint32
		options := ebpf.RunOptions{
			Data: frame, DataOut: make([]byte, len(frame)+256), ContextOut: &after,
			Context: skbContext{Mark: mark, Ifindex: uint32(s.index[link])},
		}
		s.inside(func() { code, err = program.Run(&options) })
		if err != nil {
			s.t.Fatalf("run on %d bytes: %v", len(frame), err)
		}
		if out, marked = options.DataOut, after[2]; code != tcxNext {
			break
		}
	}
	return code, out, marked
}

// The verdicts of XDP programs (linux/bpf.h).
const (
	xdpPass       = 2
	xdpRedirected = 4
)

// fastPacket runs the XDP program, if there is one, on a frame. The program forwards the frame or
// leaves it unchanged.
func (s *programSubject) fastPacket(link string, frame []byte) (out []byte, forwarded bool) {
	s.t.Helper()
	fast := s.families[0].fast()
	if fast == nil {
		return nil, false
	}
	program := fast.Client
	if link == s.cfg.BackendLink {
		program = fast.Backend
	}
	options := ebpf.RunOptions{Data: frame, DataOut: make([]byte, len(frame)+256)}
	var code uint32
	var err error
	s.inside(func() { code, err = program.Run(&options) })
	if err != nil {
		s.t.Fatalf("run XDP on %d bytes: %v", len(frame), err)
	}
	switch {
	case code == xdpRedirected:
		return options.DataOut, true
	case code == xdpPass && bytes.Equal(frame, options.DataOut):
		return nil, false
	}
	s.t.Fatalf("XDP: verdict %d, frame\n%x, now\n%x", code, frame, options.DataOut)
	return nil, false
}

// Counters returns the counters of the model's kind, regardless of which program counted.
func (s *programSubject) Counters() (dataplane.Counters, error) {
	c, err := s.Dataplane.Counters()
	s.fast, c.Fast = c.Fast, dataplane.Fast{}
	return c, err
}

func (s *programSubject) claims() map[flow.Tuple]flow.Tuple {
	out := map[flow.Tuple]flow.Tuple{}
	for _, f := range s.families {
		switch f := f.(type) {
		case *family[ipv4]:
			addClaims(s, f, out)
		case *family[ipv6]:
			addClaims(s, f, out)
		}
	}
	return out
}

func addClaims[A addr](s *programSubject, f *family[A], out map[flow.Tuple]flow.Tuple) {
	var reply, original rawTuple[A]
	entries := f.objs.Replies.Iterate()
	for entries.Next(&reply, &original) {
		out[fromTuple(&reply)] = fromTuple(&original)
	}
	s.must(entries.Err())
}
