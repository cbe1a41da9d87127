package sim

import (
	"testing"
	"time"

	"baton/impl/flow"
	"baton/impl/node"
	"baton/impl/trace"
	"baton/scenarios/fault"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// do carries out a fault.
func (o *outing) do(t *testing.T, f plan.Fault) {
	t.Helper()
	if err := o.Do(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

// TestResetsAreSeenAtBothEdges: RSTs of clients and of backends are both recorded.
func TestResetsAreSeenAtBothEdges(t *testing.T) {
	o := settled(t)
	backend, client := o.firstBack, uint8(2)
	master := o.hosts[client].arp[0].lb
	for _, stray := range []packet{
		{link: onBackends, to: backend, tuple: flow.Tuple{Src: snatVIP[lab.IPv4], Dst: o.hosts[backend].addrs[lab.IPv4], SrcPort: 3, DstPort: 80, Proto: flow.TCP}},
		{link: onClients, to: client, tuple: flow.Tuple{Src: o.vips[0].addr, Dst: o.hosts[client].addrs[lab.IPv4], SrcPort: 80, DstPort: 3, Proto: flow.TCP}},
	} {
		before := len(o.events)
		stray.from, stray.origin, stray.flags, stray.seq, stray.ack, stray.length = master, master, ack, 7, 99, 64
		o.deliver(&stray)
		o.pass(t, 10*time.Millisecond)
		seen := 0
		for _, e := range o.events[before:] {
			if e.RST != nil && e.RST.Edge == linkNames[stray.link] && e.RST.Sender == o.hosts[stray.to].name {
				seen++
			}
		}
		if seen != 1 {
			t.Errorf("%d RSTs of %s seen at the %s edge", seen, o.hosts[stray.to].name, linkNames[stray.link])
		}
	}
}

// TestAHungSessionIsLost: a session that waits for an answer when the traffic ends is lost.
func TestAHungSessionIsLost(t *testing.T) {
	o := settled(t)
	o.do(t, plan.Fault{Verb: fault.Cut, On: &lab.Selector{From: o.master(), To: lab.Backends, Both: true}})
	o.pass(t, time.Second)
	if err := o.StopTraffic(t.Context()); err != nil {
		t.Fatal(err)
	}
	lost, totals := 0, trace.Totals{}
	for _, e := range o.events {
		switch {
		case e.Traffic != nil && e.Traffic.Name == "web" && e.Traffic.Event == trace.TrafficLost:
			lost++
		case e.Totals != nil && e.Totals.Name == "web" && e.Totals.Final:
			totals = *e.Totals
		}
	}
	if totals.Opened != 50 || totals.Lost != 50 || lost != 50 {
		t.Errorf("%d events of lost sessions, totals %+v; want all of the 50", lost, totals)
	}
}

// TestLatencyIsToldOverTime: each answer is counted once, and a crash shows only in the stretches
// after it.
func TestLatencyIsToldOverTime(t *testing.T) {
	o := settled(t)
	o.pass(t, time.Second)
	crashed := o.now
	o.do(t, plan.Fault{Verb: fault.Crash, Hosts: []string{o.master()}})
	o.pass(t, 2*time.Second)
	if err := o.StopTraffic(t.Context()); err != nil {
		t.Fatal(err)
	}
	answers, received, before, after := 0, 0, 0.0, 0.0
	for _, e := range o.events {
		if e.Totals == nil || e.Totals.Name != "web" {
			continue
		}
		received = int(e.Totals.Received)
		for _, l := range e.Totals.Latency {
			answers += l.Answers
			switch {
			case l.From.Add(trace.LatencyStretch) <= crashed:
				before = max(before, l.P99)
			case l.From > crashed:
				after = max(after, l.P99)
			}
		}
	}
	if answers != received || answers == 0 {
		t.Errorf("latency of %d answers of %d", answers, received)
	}
	if before <= 0 || before > 10 || after < 100 {
		t.Errorf("p99 up to %v ms before the crash, %v ms after it", before, after)
	}
}

// TestACutStopsAnnouncements: a host that is cut off does not follow gratuitous ARP.
func TestACutStopsAnnouncements(t *testing.T) {
	o := settled(t)
	client, backend := &o.hosts[2], &o.hosts[o.firstBack]
	master := client.arp[0].lb
	other := 1 - master
	o.do(t, plan.Fault{Verb: fault.Cut, On: &lab.Selector{From: o.hosts[other].name, To: client.name}})
	o.announce(other, node.Announce{VIPs: len(o.vips)}, func() bool { return false })
	o.pass(t, time.Millisecond)
	if client.arp[0].lb != master {
		t.Error("the client follows an announcement that was cut off")
	}
	if backend.arp[o.snat[lab.IPv4]].lb != other {
		t.Error("the backend, to which nothing is cut, does not follow")
	}
}

// TestAProcessThatEndsLosesItsTable: the dataplane is removed with the process, and a node that returns
// starts with an empty one.
func TestAProcessThatEndsLosesItsTable(t *testing.T) {
	for _, verb := range []string{fault.Crash, fault.Kill} {
		o := settled(t)
		p := o.processOf(o.master())
		held := func() (n int) {
			_ = p.dataplane.Dump(func(flow.Entry) bool { n++; return true })
			return n
		}
		if held() == 0 {
			t.Fatal("the MASTER holds nothing; the test proves nothing")
		}
		for _, v := range []string{verb, fault.Restore} {
			o.do(t, plan.Fault{Verb: v, Hosts: []string{p.id}})
		}
		if err := o.Until(t.Context(), o.now.Add(5*time.Second), func() bool { return p.core != nil }); err != nil {
			t.Fatal(err)
		}
		if p.core == nil || held() != 0 {
			t.Errorf("%s: booted %v, with %d entries of its former life", verb, p.core != nil, held())
		}
	}
}
