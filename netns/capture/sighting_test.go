package capture

import (
	"net/netip"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/flow"
	"baton/impl/trace"
	"baton/scenarios/lab"
)

var (
	clientAddr  = flow.IPv4(198, 18, 0, 11)
	backendAddr = flow.IPv4(198, 18, 1, 11)
	snatAddr    = flow.IPv4(198, 18, 1, 100)
	probeAddr   = flow.IPv4(198, 18, 1, 1)
	backendMAC  = mac{2, 0, 0, 0, 0, 9}
)

// watching returns a capture of both edges that reads no socket.
func watching() (c *Capture, clients, backends *edge) {
	c = &Capture{cfg: Config{Ports: []uint16{80}, Addresses: map[netip.Addr]string{addrOf(probeAddr): "lb1"}},
		owners: map[mac]string{lb1MAC: "lb1", clientMAC: "client1", backendMAC: "backend1"}, lbs: map[string]bool{"lb1": true}}
	at := func(name string, vip flow.Addr) *edge {
		return &edge{Edge: Edge{Name: name, VIPs: []netip.Addr{addrOf(vip)}}, closes: closes{}, tracks: []*forwarderTrack{{}, {}}}
	}
	return c, at(lab.Clients, vipAddr), at(lab.Backends, snatAddr)
}

func segmentOf(src, dst mac, from, to flow.Addr, sport, dport uint16) frame {
	return frame{kind: frameTCP, flags: tcpRST, src: src, dst: dst, seq: 7, ack: 9,
		tuple: flow.Tuple{Src: from, Dst: to, SrcPort: sport, DstPort: dport, Proto: flow.TCP}}
}

// TestARSTIsKnownByTheTupleOfItsTable: a RST is reported with the tuple of the original direction,
// whichever end sent it.
func TestARSTIsKnownByTheTupleOfItsTable(t *testing.T) {
	c, clients, backends := watching()
	for _, tt := range []struct {
		name     string
		edge     *edge
		frame    frame
		reversed bool
		relayed  bool
	}{
		{"to a client", clients, segmentOf(lb1MAC, clientMAC, vipAddr, clientAddr, 80, 40123), true, true},
		{"from a client", clients, segmentOf(clientMAC, lb1MAC, clientAddr, vipAddr, 40123, 80), false, false},
		{"to a backend", backends, segmentOf(lb1MAC, backendMAC, snatAddr, backendAddr, 20001, 80), true, true},
		{"to a backend, from the client's address", backends, segmentOf(lb1MAC, backendMAC, clientAddr, backendAddr, 40123, 80), true, true},
		{"from a backend", backends, segmentOf(backendMAC, lb1MAC, backendAddr, snatAddr, 80, 20001), false, false},
	} {
		s := c.sighting(tt.edge, &tt.frame, 1)
		want := tt.frame.tuple
		if tt.reversed {
			want = want.Reverse()
		}
		if s.original != want || s.relayed != tt.relayed || s.tuple != tt.frame.tuple || s.seq != 7 || s.ack != 9 {
			t.Errorf("%s: known as %v, relayed %v; want %v, %v", tt.name, s.original, s.relayed, want, tt.relayed)
		}
	}
}

// TestOnlyRSTsOfServicesAreSeen: RSTs of other ports, of a load balancer's own probes, and copies that
// the switch floods to other ports are not recorded.
func TestOnlyRSTsOfServicesAreSeen(t *testing.T) {
	c, clients, backends := watching()
	for _, tt := range []struct {
		name    string
		edge    *edge
		frame   frame
		ifindex int
		seen    int
	}{
		{"to a client", clients, segmentOf(lb1MAC, clientMAC, vipAddr, clientAddr, 80, 40123), 1, 1},
		{"its copy", clients, segmentOf(lb1MAC, clientMAC, vipAddr, clientAddr, 80, 40123), 2, 0},
		{"to a client, of another port", clients, segmentOf(lb1MAC, clientMAC, vipAddr, clientAddr, 22, 40123), 1, 0},
		{"from a backend", backends, segmentOf(backendMAC, lb1MAC, backendAddr, snatAddr, 80, 20001), 1, 1},
		{"from a backend to a probe", backends, segmentOf(backendMAC, lb1MAC, backendAddr, probeAddr, 80, 20001), 1, 0},
		{"of a probe", backends, segmentOf(lb1MAC, backendMAC, probeAddr, backendAddr, 20002, 80), 1, 0},
		{"of the same address among the clients", clients, segmentOf(lb1MAC, clientMAC, probeAddr, clientAddr, 80, 40124), 1, 1},
	} {
		before := len(c.pairing.waiting)
		c.look(tt.edge, &tt.frame, tt.ifindex, 1)
		if seen := len(c.pairing.waiting) - before; seen != tt.seen {
			t.Errorf("a RST %s was seen %d times, want %d", tt.name, seen, tt.seen)
		}
	}
}

// TestARSTIsRecordedWithWhatIsKnownOfIt: the record has the host that made the RST, and the role and
// table entry of the load balancer that sent or received it.
func TestARSTIsRecordedWithWhatIsKnownOfIt(t *testing.T) {
	for _, tt := range []struct {
		name             string
		sender, receiver string
		origin           string
		lb, role, entry  string
	}{
		{"forwarded to a client", "lb1", "client1", "backend1", "lb1", "Master of lb1", "entry of lb1"},
		{"sent to a load balancer", "backend1", "lb2", "backend1", "lb2", "Master of lb2", "entry of lb2"},
		{"past both", "backend1", "client1", "backend1", "", "", entryUnknown},
	} {
		var got trace.Event
		c := &Capture{lbs: map[string]bool{"lb1": true, "lb2": true}, settled: make(chan *sighting, 1), recorded: make(chan struct{}),
			cfg: Config{EntriesPerSecond: 1, Record: func(e trace.Event) { got = e },
				Role:  func(node string, at clock.Instant) string { return "Master of " + node },
				Fault: func(at clock.Instant) string { return "fault before " + time.Duration(at).String() },
				Entry: func(node string, _ flow.Tuple) string { return "entry of " + node }}}
		c.settled <- &sighting{at: ms(3), edge: lab.Clients, sender: tt.sender, receiver: tt.receiver, origin: tt.origin, seq: 7}
		close(c.settled)
		c.recordRSTs()
		if r := got.RST; r == nil || got.Node != tt.origin || got.At != ms(3) || r.Origin != tt.origin || r.Sender != tt.sender ||
			r.LB != tt.lb || r.Role != tt.role || r.Entry != tt.entry || r.Fault != "fault before 3ms" {
			t.Errorf("%s: %s %+v", tt.name, got.Node, got.RST)
		}
	}
}

// TestARSTThatIsAttributedExplainsNoOther: a RST has one counterpart, even if that was settled earlier.
func TestARSTThatIsAttributedExplainsNoOther(t *testing.T) {
	first, made, second := rstAt(1, lab.Clients, "lb1", 7, 80, 40123), rstAt(1.9, lab.Backends, "backend1", 7, 80, 20001), rstAt(15, lab.Clients, "lb1", 7, 80, 40123)
	p := pairing{waiting: []*sighting{first, made, second}}
	if done := p.settled(first.at.Add(settleTime), false); len(done) != 1 || done[0] != first || first.origin != "backend1" {
		t.Fatalf("settled %d RSTs, the first of %q", len(done), first.origin)
	}
	p.settled(clock.Never, true)
	if made.origin != "backend1" || second.origin != "lb1" {
		t.Errorf("origins %q and %q: one RST of the backend explains two", made.origin, second.origin)
	}
}
