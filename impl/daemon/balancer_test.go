package daemon

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"baton/impl/clock/boottime"
	"baton/impl/daemon/checker"
	"baton/impl/daemon/config"
	"baton/impl/daemon/control"
	"baton/impl/flow"
	"baton/impl/health"
	"baton/impl/node"
)

var backendOne, backendTwo = netip.MustParseAddrPort("198.18.1.11:80"), netip.MustParseAddrPort("198.18.1.12:80")

func checkedService(proto config.Proto) config.Service {
	return config.Service{
		Name: "web", Proto: proto, VIP: netip.MustParseAddr("198.18.0.100"), Port: config.Ports{First: 80}, Mode: config.FullNAT, Balance: config.RoundRobin,
		SNAT: config.Address{Addr: netip.MustParseAddr("198.18.1.100")}, Backends: []netip.AddrPort{backendOne, backendTwo},
		Check: config.Check{Type: config.CheckTCP, Interval: config.Duration(20 * time.Millisecond), Timeout: config.Duration(10 * time.Millisecond),
			Rise: 2, Fall: 2, OnDown: config.OnDownMove},
	}
}

// TestTheBalancerTakesADeadBackendOut and asks for the services to be written.
func TestTheBalancerTakesADeadBackendOut(t *testing.T) {
	var dead atomic.Bool
	probe := func(_ context.Context, _ config.Service, backend netip.AddrPort) error {
		if dead.Load() && backend == backendOne {
			return errors.New("refused")
		}
		return nil
	}
	s := checkedService(config.TCP)
	b := newBalancer([]config.Service{s}, boottime.Now, probe, func(string) {}, func(node.Decided) {})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); b.run(ctx) }()
	defer func() { cancel(); <-ended }()

	serving := func(n int) func() bool {
		return func() bool { return len(b.services([]config.Service{s})[0].Backends) == n }
	}
	dead.Store(true)
	awaitCondition(t, "the dead backend is out", serving(1))
	awaitCondition(t, "the services are to be written", func() bool { return len(b.dirty) == 1 })
	if list, err := b.flush(func() error { return errEnded }); len(list) > 0 || err == nil {
		t.Errorf("before the services are written, flows leave %v", list)
	}
	if list, err := b.flush(func() error { return nil }); err != nil || len(list) != 1 || list[0].backend != backendOne {
		t.Errorf("flows leave %v, %v", list, err)
	}
	dead.Store(false)
	awaitCondition(t, "it is back", serving(2))
	if b.step("nobody", health.Timer{}) {
		t.Error("an unknown service took an input")
	}
}

// TestAProbeThatShowsNothingChangesNoBackend: it neither takes one out nor brings one back.
func TestAProbeThatShowsNothingChangesNoBackend(t *testing.T) {
	refused, nothing := errors.New("refused"), checker.ErrUndecided
	s := checkedService(config.UDP)
	s.Check.Timeout = config.Duration(patience)
	var b *balancer
	served := make(chan int) // the backends with new flows when a probe of backendOne begins
	answers := []error{nothing, nothing, nothing, refused, refused, nothing, nothing, nothing, nil, nil}
	left := answers
	probe := func(ctx context.Context, _ config.Service, backend netip.AddrPort) error {
		if backend != backendOne {
			return nil
		}
		select {
		case served <- len(b.services([]config.Service{s})[0].Backends):
		case <-ctx.Done():
		}
		if len(left) == 0 {
			return nothing
		}
		answer := left[0]
		left = left[1:]
		return answer
	}
	b = newBalancer([]config.Service{s}, boottime.Now, probe, func(string) {}, func(node.Decided) {})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); b.run(ctx) }()
	defer func() { cancel(); <-ended }()

	for i, want := range []int{2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 2} {
		if got := <-served; got != want {
			t.Errorf("%d backends get new flows after the answers %v, want %d", got, answers[:i], want)
		}
	}
}

// TestFlowsLeaveOnceTheServicesAreWritten: except those of a backend drained during the
// write, to which new flows would still go.
func TestFlowsLeaveOnceTheServicesAreWritten(t *testing.T) {
	s := checkedService(config.UDP)
	b := newBalancer([]config.Service{s}, boottime.Now, func(context.Context, config.Service, netip.AddrPort) error { return nil }, func(string) {}, func(node.Decided) {})
	var probes sync.WaitGroup
	defer probes.Wait()
	drain := func(backend netip.AddrPort) {
		b.step(s.Name, health.Drain{Backend: backend})
		b.turn(t.Context(), &probes)
	}
	drain(backendOne)
	for i, want := range []netip.AddrPort{backendOne, backendTwo} {
		list, err := b.flush(func() error {
			if i == 0 {
				drain(backendTwo)
			}
			return nil
		})
		if err != nil || len(list) != 1 || list[0].backend != want {
			t.Errorf("flows leave %v after writing %d, %v; want those of %v", list, i+1, err, want)
		}
	}
}

func awaitCondition(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// TestWhichFlowsLeaveADeadBackend: those without an open connection.
func TestWhichFlowsLeaveADeadBackend(t *testing.T) {
	for _, tt := range []struct {
		name    string
		proto   flow.Proto
		state   flow.State
		onDown  config.OnDown
		backend netip.AddrPort
		leaves  bool
	}{
		{"a connection that is not open", flow.TCP, flow.SynSent, config.OnDownKeep, backendOne, true},
		{"an open connection", flow.TCP, flow.Established, config.OnDownKeep, backendOne, false},
		{"one that ends", flow.TCP, flow.FinWait, config.OnDownKeep, backendOne, false},
		{"datagrams", flow.UDP, flow.Assured, config.OnDownMove, backendOne, true},
		{"datagrams that nobody has answered", flow.UDP, flow.Unreplied, config.OnDownMove, backendOne, true},
		{"datagrams that are to stay", flow.UDP, flow.Assured, config.OnDownKeep, backendOne, false},
		{"a flow of another backend", flow.UDP, flow.Assured, config.OnDownMove, backendTwo, false},
	} {
		s := checkedService(config.Proto(tt.proto.String()))
		s.Check.OnDown = tt.onDown
		e := flow.Entry{
			Original: flow.Tuple{Src: flow.IPv4(198, 18, 0, 11), SrcPort: 1, Dst: flow.AddrFrom(s.VIP), DstPort: s.Port.First, Proto: tt.proto},
			Reply:    flow.Tuple{Src: flow.AddrFrom(tt.backend.Addr()), SrcPort: tt.backend.Port(), Dst: flow.AddrFrom(s.SNAT.Addr), DstPort: 20000, Proto: tt.proto},
			State:    tt.state,
		}
		if got := leaves(s.Dataplane().Service, e, []leaving{{s, backendOne}}); got != tt.leaves {
			t.Errorf("%s: leaves %v, want %v", tt.name, got, tt.leaves)
		}
	}
}

// TestANodeChecksItsBackends: it sends real probes, logs their results, and raises an alarm
// while no backend serves. The backend is an address of lb2's host.
func TestANodeChecksItsBackends(t *testing.T) {
	p := newPair(t)
	master, other := p.nodes[0], p.nodes[1]
	address, err := netlink.ParseAddr("198.18.1.11/24")
	if err != nil {
		t.Fatal(err)
	}
	onBackend := func(change func(netlink.Link, *netlink.Addr) error) {
		t.Helper()
		other.in(t, func() error {
			link, err := netlink.LinkByName("backend0")
			if err != nil {
				return err
			}
			return change(link, address)
		})
	}
	onBackend(netlink.AddrAdd)
	master.Check = checkedService(config.TCP).Check
	master.Check.Type, master.Check.OnDown = config.CheckICMP, ""
	master.writeConfig(t)
	p.start(t)

	serving := func(n int) func(control.Status) bool {
		return func(s control.Status) bool { return s.Services[0].Serving == n && s.Services[0].Backends[0].Probes > 0 }
	}
	master.waitStatus(t, "serving", serving(1))
	onBackend(netlink.AddrDel)
	s := master.waitStatus(t, "without a backend", serving(0))
	if b := s.Services[0].Backends[0]; b.State != "down" || !strings.Contains(b.Why, "no answer within 10ms") {
		t.Errorf("the dead backend is %+v", b)
	}
	if !strings.Contains(strings.Join(s.Alarms, "\n"), "service web has no serving backend") {
		t.Errorf("alarms %q", s.Alarms)
	}
	master.awaitLog(t, "of service web: down, was up: 2 probes in a row failed")
	onBackend(netlink.AddrAdd)
	master.waitStatus(t, "serving after the backend's return", serving(1))
	client, err := control.Dial(t.Context(), master.Control)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.Drain(t.Context(), "web", backendTwo, time.Minute); err == nil || !strings.Contains(err.Error(), "has no backend 198.18.1.12:80") {
		t.Errorf("drain of a backend that is not there: %v", err)
	}
	if err := client.Drain(t.Context(), "web", backendOne, time.Minute); err != nil {
		t.Error(err)
	}
	if s := master.waitStatus(t, "without a backend that gets new flows", serving(0)); s.Services[0].Backends[0].State != "draining" {
		t.Errorf("the drained backend is %+v", s.Services[0].Backends[0])
	}
	if err := client.Ready(t.Context(), "web", backendOne); err != nil {
		t.Error(err)
	}
	if s := master.waitStatus(t, "serving again", serving(1)); s.Role != "Master" {
		t.Errorf("the role is %s", s.Role)
	}
}

// TestARefusedReloadKeepsADrain: also of a backend and of a service that the refused file does not have.
func TestARefusedReloadKeepsADrain(t *testing.T) {
	p := newPair(t)
	p.start(t)
	n := p.nodes[0]
	n.mustEdit(t, "service api: is new, tcp 198.18.0.100:81 with 1 backends", config.Edit{Verb: config.AddService, Text: apiText})
	n.mustEdit(t, "service web: backend 198.18.1.12:80 is new", config.Edit{Verb: config.AddBackend, Service: "web", Backend: backendTwo, Weight: 1})
	client, err := control.Dial(t.Context(), n.Control)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for service, backend := range map[string]netip.AddrPort{"web": backendTwo, "api": backendOne} {
		if err := client.Drain(t.Context(), service, backend, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	refused := n.Services[0]
	refused.Name, refused.Port, refused.SNAT = "own", config.Ports{First: 82}, config.Address{Addr: netip.MustParseAddr("198.18.1.1")}
	n.Services = append(n.Services, refused)
	n.writeConfig(t)
	if _, err := client.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "198.18.1.1 is an address of this host") {
		t.Fatalf("reload: %v", err)
	}
	for _, n := range p.nodes {
		s := n.waitStatus(t, "serving as before", serves("web*=1112 api+=11"))
		if web, api := s.Services[0].Backends[1], s.Services[1].Backends[0]; web.State != "draining" || api.State != "draining" {
			t.Errorf("%s: %s and %s after the refused reload", n.Node, web.State, api.State)
		}
	}
}
