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

// settled is the world of the load after five seconds: one MASTER, sessions open.
func settled(t *testing.T, edit ...func(*World)) *outing {
	t.Helper()
	p, err := plan.Parse("hosts.scn", []byte(load+"@1s end\n"))
	if err != nil {
		t.Fatal(err)
	}
	o := &outing{}
	if o.World, err = NewWorld(p, Config{Seed: 1, Recorder: o}); err != nil {
		t.Fatal(err)
	}
	for _, e := range edit {
		e(o.World)
	}
	_ = o.Up(t.Context())
	o.pass(t, 3*time.Second)
	if err := o.StartTraffic(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.pass(t, 2*time.Second)
	return o
}

func (o *outing) pass(t *testing.T, d time.Duration) {
	t.Helper()
	if err := o.Until(t.Context(), o.now.Add(d), nil); err != nil {
		t.Fatal(err)
	}
}

// next empties the queue and returns the packets that were in it.
func (o *outing) next() []packet {
	var packets []packet
	for o.queue.next() < o.now.Add(time.Second) {
		var e event
		if o.queue.pop(&e); e.kind == evPacket {
			packets = append(packets, e.packet)
		}
	}
	return packets
}

// TestUnknownSegmentsAreReset (RFC 9293 section 3.10.7.1): an endpoint answers a segment of no
// connection with a RST that the sender accepts. It does not answer a RST.
func TestUnknownSegmentsAreReset(t *testing.T) {
	o := settled(t)
	backend, client := o.firstBack, uint8(2)
	master := o.hosts[client].arp[0].lb
	stray := flow.Tuple{Src: snatVIP[lab.IPv4], Dst: o.hosts[backend].addrs[lab.IPv4], SrcPort: 3, DstPort: 80, Proto: flow.TCP}
	o.next()
	for _, c := range []struct {
		what string
		p    packet
		want *packet // its flags, seq and ack; nil for no answer
	}{
		{"data", packet{flags: ack, seq: 7, ack: 99, length: 64}, &packet{flags: rst, seq: 99}},
		{"a FIN without ACK", packet{flags: fin, seq: 7, length: 10}, &packet{flags: rst | ack, ack: 18}},
		{"a RST", packet{flags: rst, seq: 7}, nil},
	} {
		p := c.p
		p.tuple, p.link, p.from, p.to, p.origin = stray, onBackends, master, backend, client
		o.deliver(&p)
		got := o.next()
		switch {
		case c.want == nil && len(got) == 0:
		case c.want == nil || len(got) != 1:
			t.Errorf("%s: %d answers", c.what, len(got))
		case got[0].flags != c.want.flags || got[0].seq != c.want.seq || got[0].ack != c.want.ack || got[0].to != master:
			t.Errorf("%s: answered by %+v", c.what, got[0])
		}
	}
}

// TestCachesLatchOnTheLastAnnouncement: a host that has an entry for a VIP sends to the node that
// announced it last, separately for each VIP, even if the announcement is false.
func TestCachesLatchOnTheLastAnnouncement(t *testing.T) {
	o := settled(t)
	client, backend := &o.hosts[2], &o.hosts[o.firstBack]
	master := client.arp[0].lb
	other := 1 - master
	if master > 1 || backend.arp[o.snat[lab.IPv4]].lb != master {
		t.Fatalf("the client sends to %d, the backend to %d", master, backend.arp[o.snat[lab.IPv4]].lb)
	}
	all := node.Announce{VIPs: len(o.vips)}
	lost := func(lose ...bool) func() bool {
		return func() bool { l := lose[0]; lose = lose[1:]; return l }
	}
	o.announce(other, all, lost(true, false)) // of the VIPs' announcements the clients' is lost
	o.pass(t, time.Millisecond)
	if client.arp[0].lb != master || backend.arp[o.snat[lab.IPv4]].lb != other {
		t.Errorf("after one VIP's: client %d, backend %d", client.arp[0].lb, backend.arp[o.snat[lab.IPv4]].lb)
	}
	o.announce(other, all, lost(false, false))
	o.pass(t, time.Millisecond)
	if client.arp[0].lb != other {
		t.Error("the client has not followed")
	}
	before := o.processes[other].relayed(t)
	o.pass(t, 300*time.Millisecond)
	if o.processes[other].relayed(t) == before {
		t.Error("no packet went to the node that announced last")
	}
	o.announce(master, all, lost(false, false))
	o.pass(t, time.Millisecond)
	if client.arp[0].lb != master || backend.arp[o.snat[lab.IPv4]].lb != master {
		t.Error("the true MASTER's announcement does not win them back")
	}
	client.arp[0].lb, client.arp[0].asking = nobody, false
	o.announce(other, all, lost(false, false))
	o.pass(t, delayMax+2*jitterMax)
	if client.arp[0].lb == other {
		t.Error("a host without an entry took one over from an announcement")
	}
}

// relayed returns how many packets a node has relayed to its peer.
func (p *process) relayed(t *testing.T) uint64 {
	t.Helper()
	c, err := p.dataplane.Counters()
	if err != nil {
		t.Fatal(err)
	}
	return c.Relayed
}

// TestClientsNoticeAnotherBackend: an echo from another backend counts the session as moved, an echo
// of another flow as corrupt.
func TestClientsNoticeAnotherBackend(t *testing.T) {
	o := settled(t)
	c := o.conns.at(o.generators[0].all[0])
	echo := func(tag uint32, backend uint8) {
		c.waits = append(c.waits, o.now)
		c.echo(tag, backend)
	}
	other := o.firstBack
	if c.backend == other {
		other++
	}
	totals := &c.gen.line.totals
	echo(c.tag, c.backend)
	if totals.Moved+totals.Corrupt != 0 {
		t.Fatalf("its own backend's echo: %+v", totals)
	}
	echo(c.tag, other)
	if totals.Moved != 1 || totals.Corrupt != 0 {
		t.Errorf("another backend's echo: %+v", totals)
	}
	echo(c.tag+1, other)
	if totals.Corrupt != 1 {
		t.Errorf("another flow's echo: %+v", totals)
	}
	moved := count(func(e *trace.Event) bool { return e.Traffic != nil && e.Traffic.Event == trace.TrafficMoved })
	if moved(o) != 1 {
		t.Error("it is not in the trace")
	}
}

// TestProbesMeasureTheOutage: when the MASTER crashes, a UDP probe reports one outage, from the last
// answered datagram before it to the first after it, and the number of missed ones.
func TestProbesMeasureTheOutage(t *testing.T) {
	o := settled(t)
	crashed := o.now
	if err := o.Do(t.Context(), plan.Fault{Verb: fault.Crash, Hosts: []string{o.master()}}); err != nil {
		t.Fatal(err)
	}
	o.pass(t, 2*time.Second)
	var gaps []trace.Gap
	for _, e := range o.events {
		if e.Gap != nil && e.Gap.Proto == "udp" {
			gaps = append(gaps, *e.Gap)
		}
	}
	if len(gaps) != 1 {
		t.Fatalf("outages: %v", gaps)
	}
	g := gaps[0]
	period := 10 * time.Millisecond // of 100 probes a second
	if early := crashed.Sub(g.From); early < 0 || early > period+time.Millisecond {
		t.Errorf("the outage begins %v before the crash", early)
	}
	// Both ends were answered; the instants between them were missed.
	if took := g.To.Sub(g.From); took < 3*50*time.Millisecond*2/3 || took > 250*time.Millisecond || g.Missed != int(took/period)-1 {
		t.Errorf("an outage of %v with %d missed", took, g.Missed)
	}
}
