package daemon

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"baton/impl/clock/boottime"
	"baton/impl/daemon/config"
	"baton/impl/daemon/control"
	"baton/impl/health"
	"baton/impl/node"
)

// A balancer reports its decisions, also those that it follows, and withdraws those of a
// removed service. A new service is followed like the others.
func TestTheBalancerFollowsAndTellsWhatItDecides(t *testing.T) {
	told := map[string][]health.Decision{}
	tell := func(in node.Decided) {
		service, _ := health.ServiceOf(in.Topic)
		if in.Data == nil {
			delete(told, service)
			return
		}
		decisions, err := health.DecodeDecisions(in.Data)
		if err != nil {
			t.Fatal(err)
		}
		told[service] = decisions
	}
	web, api := checkedService(config.TCP), checkedService(config.TCP)
	api.Name, api.Port.First = "api", 81
	web.Check.Type, api.Check.Type = config.CheckNone, config.CheckNone
	b := newBalancer([]config.Service{web}, boottime.Now, func(context.Context, config.Service, netip.AddrPort) error { return nil }, func(string) {}, tell)
	var probes sync.WaitGroup
	turn := func() { b.turn(t.Context(), &probes) }
	turn()
	if d := told["web"]; len(d) != 2 || d[0].Down || d[1].Drains {
		t.Errorf("a new service: %+v", d)
	}

	drained := health.AppendDecisions(nil, []health.Decision{{Backend: backendOne, Drains: true, Drain: time.Minute}, {Backend: backendTwo}})
	for _, service := range []string{"web", "api"} {
		if err := b.follow(service, drained); err != nil {
			t.Fatal(err)
		}
	}
	both := []config.Service{web, api}
	b.configure(both)
	turn()
	for i, s := range b.services(both) {
		if len(s.Backends) != 1 || !told[s.Name][0].Drains {
			t.Errorf("service %d has the backends %v, told %+v", i, s.Backends, told[s.Name])
		}
	}
	b.configure(both[:1])
	if _, there := told["api"]; there {
		t.Error("the word of a service that is gone was not withdrawn")
	}
	b.lead()
	b.step("web", health.Ready{Backend: backendOne})
	turn()
	if s := b.services(both[:1])[0]; len(s.Backends) != 2 || told["web"][0].Drains {
		t.Errorf("once it decides itself: %v, told %+v", s.Backends, told["web"])
	}
	b.configure(both)
	if s := b.services(both)[1]; len(s.Backends) != 2 {
		t.Errorf("a service that comes after that has the backends %v", s.Backends)
	}
	if err := b.follow("web", []byte{0xff}); err == nil {
		t.Error("decisions that cannot be read are followed")
	}
}

// TestADrainOutlivesATakeover: it is requested at the MASTER; the BACKUP follows it,
// refuses requests of its own, and keeps it as MASTER. The killed node then follows it in
// turn.
func TestADrainOutlivesATakeover(t *testing.T) {
	p := newPair(t)
	for _, n := range p.nodes {
		n.Services[0].Backends = []netip.AddrPort{backendOne, backendTwo}
		n.writeConfig(t)
	}
	p.start(t)
	lb1, lb2 := p.nodes[0], p.nodes[1]
	backends := func(first, second string, follows bool) func(control.Status) bool {
		return func(s control.Status) bool {
			b := s.Services[0].Backends
			return b[0].State == first && b[1].State == second && b[0].Follows == follows && b[1].Follows == follows
		}
	}
	lb2.waitStatus(t, "following", backends("up", "up", true))
	drain := func(n *testNode, backend netip.AddrPort) error {
		client, err := control.Dial(t.Context(), n.Control)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		return client.Drain(t.Context(), "web", backend, time.Hour)
	}
	if err := drain(lb1, backendOne); err != nil {
		t.Fatal(err)
	}
	s := lb2.waitStatus(t, "draining what the MASTER drains", backends("draining", "up", true))
	if left := s.Services[0].Backends[0].Left; left < 59*time.Minute || left > time.Hour || s.Services[0].Serving != 1 {
		t.Errorf("%v left, %d serve", left, s.Services[0].Serving)
	}
	if err := drain(lb2, backendTwo); err == nil || !strings.Contains(err.Error(), "follows the decisions of lb1, the MASTER") {
		t.Errorf("a drain said to the BACKUP: %v", err)
	}

	if err := lb1.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	lb1.wait(t)
	lb2.waitStatus(t, "MASTER after the other's crash", func(s control.Status) bool { return s.Role == "Master" && backends("draining", "up", false)(s) })
	lb1.start(t)
	lb1.waitStatus(t, "following the drain", backends("draining", "up", true))
}
