package daemon

import (
	"slices"
	"testing"
	"time"

	"baton/impl/daemon/config"
	"baton/impl/daemon/control"
	"baton/impl/flow"
)

// TestTheSourceWithTheMostFlowsIsNamed: a service that has run out of SNAT ports has its flows
// counted by source. Affinities and other services' flows do not count.
func TestTheSourceWithTheMostFlowsIsNamed(t *testing.T) {
	b := newBench(t, every(2*time.Millisecond, 3))
	greedy, other := flow.IPv4(198, 18, 0, 12), flow.IPv4(198, 18, 0, 13)
	var entries []flow.Entry
	add := func(source flow.Addr, n int, edit func(*flow.Entry)) {
		for range n {
			e := entry(len(entries) + 1)
			e.Original.Src = source
			edit(&e)
			entries = append(entries, e)
		}
	}
	add(greedy, 3, func(*flow.Entry) {})
	add(other, 2, func(*flow.Entry) {})
	add(other, 5, func(e *flow.Entry) { e.Original.DstPort = 81 })
	add(other, 1, func(e *flow.Entry) { *e = flow.AffinityOf(e.Original, e.Reply.Src, 80) })
	if err := b.dp.Apply(entries); err != nil {
		t.Fatal(err)
	}
	b.dp.noPort = 7
	b.tick()
	const want = "service web: 7 new flows found no free SNAT port, and 198.18.0.12 has the most flows, 3: add addresses to snat_pool, widen snat_ports, or add backends"
	b.settle(t, "named", func() bool {
		s := control.Status{Services: []control.Service{{Name: "web", At: entryService.String()}}}
		b.refusals.describe(&s, time.Now())
		return slices.Contains(s.Alarms, want)
	})
}

// TestTheSourcesOfARangeAreCountedOverItsPorts: flows to a port of the range with a service of its
// own do not count.
func TestTheSourcesOfARangeAreCountedOverItsPorts(t *testing.T) {
	b := newBench(t, every(2*time.Millisecond, 3))
	wide, alone := checkedService(config.TCP), checkedService(config.TCP)
	wide.Name, wide.Port = "wide", config.Ports{First: 80, Last: 89}
	alone.Name, alone.Port = "alone", config.Ports{First: 85}
	b.loop.unserved.configure(&config.Config{Services: []config.Service{wide, alone}})
	b.dp.refused, b.dp.noPort = wide.Dataplane().Service, 7
	var entries []flow.Entry
	for i, port := range []uint16{81, 83, 89, 80, 80, 85, 85, 85, 85} {
		e := entry(i + 1)
		e.Original.Src, e.Original.DstPort = flow.IPv4(198, 18, 0, 12), port
		if i > 2 {
			e.Original.Src = flow.IPv4(198, 18, 0, 13)
		}
		entries = append(entries, e)
	}
	if err := b.dp.Apply(entries); err != nil {
		t.Fatal(err)
	}
	b.tick()
	const want = "service wide: 7 new flows found no free SNAT port, and 198.18.0.12 has the most flows, 3: add addresses to snat_pool, widen snat_ports, or add backends"
	b.settle(t, "named", func() bool {
		s := control.Status{Services: []control.Service{{Name: "wide", At: b.dp.refused.String()}}}
		b.refusals.describe(&s, time.Now())
		return slices.Contains(s.Alarms, want)
	})
}
