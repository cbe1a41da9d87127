package capture

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"baton/impl/clock"
	"baton/impl/flow"
	"baton/scenarios/lab"
)

func ms(n float64) clock.Instant { return clock.Instant(n * float64(time.Millisecond)) }

// rstAt returns a RST with the sequence number; a load balancer's is relayed.
func rstAt(at float64, edge, sender string, seq uint32, sport, dport uint16) *sighting {
	return &sighting{at: ms(at), edge: edge, sender: sender, relayed: sender == "lb1" || sender == "lb2",
		seq: seq, flags: tcpRST, tuple: flow.Tuple{SrcPort: sport, DstPort: dport, Proto: flow.TCP}}
}

func changed(s *sighting, change func(*sighting)) *sighting {
	change(s)
	return s
}

func TestOriginOfRSTs(t *testing.T) {
	const c, b = lab.Clients, lab.Backends
	tests := []struct {
		rule      string
		sightings []*sighting
		origins   []string
	}{
		{"a backend's RST that is passed on keeps its origin, though the ports are translated",
			[]*sighting{rstAt(1, b, "backend1", 7, 80, 20001), rstAt(1.1, c, "lb1", 7, 80, 40123)}, []string{"backend1", "backend1"}},
		{"the order in which the edges are read does not matter",
			[]*sighting{rstAt(1.1, c, "lb1", 7, 80, 40123), rstAt(1, b, "backend1", 7, 80, 20001)}, []string{"backend1", "backend1"}},
		{"a client's RST that is passed on keeps its origin",
			[]*sighting{rstAt(1, c, "client1", 7, 40123, 80), rstAt(1.1, b, "lb2", 7, 20001, 80)}, []string{"client1", "client1"}},
		{"a RST with no counterpart is the sender's own",
			[]*sighting{rstAt(1, c, "lb1", 7, 80, 40123)}, []string{"lb1"}},
		{"another sequence number is another RST",
			[]*sighting{rstAt(1, b, "backend1", 8, 80, 20001), rstAt(1.1, c, "lb1", 7, 80, 40123)}, []string{"backend1", "lb1"}},
		{"another acknowledgement number is another RST",
			[]*sighting{changed(rstAt(1, b, "backend1", 7, 80, 20001), func(s *sighting) { s.ack = 1 }), rstAt(1.1, c, "lb1", 7, 80, 40123)}, []string{"backend1", "lb1"}},
		{"a RST with an ACK is another than one without",
			[]*sighting{changed(rstAt(1, b, "backend1", 7, 80, 20001), func(s *sighting) { s.flags |= tcpACK }), rstAt(1.1, c, "lb1", 7, 80, 40123)}, []string{"backend1", "lb1"}},
		{"two RSTs without a common port are two",
			[]*sighting{rstAt(1, b, "backend1", 7, 80, 20001), rstAt(1.1, c, "lb1", 7, 81, 40123)}, []string{"backend1", "lb1"}},
		{"a RST may be passed on for as long as the window",
			[]*sighting{rstAt(1, b, "backend1", 7, 80, 20001), rstAt(21, c, "lb1", 7, 80, 40123)}, []string{"backend1", "backend1"}},
		{"and no longer",
			[]*sighting{rstAt(1, b, "backend1", 7, 80, 20001), rstAt(21.1, c, "lb1", 7, 80, 40123)}, []string{"backend1", "lb1"}},
		{"the stamps of two edges may be a little out of order",
			[]*sighting{rstAt(2, b, "backend1", 7, 80, 20001), rstAt(1, c, "lb1", 7, 80, 40123)}, []string{"backend1", "backend1"}},
		{"a RST that was passed on before it was made was not passed on",
			[]*sighting{rstAt(2.1, b, "backend1", 7, 80, 20001), rstAt(1, c, "lb1", 7, 80, 40123)}, []string{"backend1", "lb1"}},
		{"so is one long before",
			[]*sighting{rstAt(1, b, "backend1", 7, 80, 20001), rstAt(40, c, "lb1", 7, 80, 40123)}, []string{"backend1", "lb1"}},
		{"so is one of the same edge",
			[]*sighting{rstAt(1, c, "client1", 7, 40123, 80), rstAt(1.1, c, "lb1", 7, 40123, 80)}, []string{"client1", "lb1"}},
		{"two load balancers that reset both ends made both",
			[]*sighting{rstAt(1, c, "lb1", 7, 80, 40123), rstAt(1, b, "lb1", 7, 20001, 80)}, []string{"lb1", "lb1"}},
		{"one backend's RST explains one relayed RST, the nearest",
			[]*sighting{rstAt(1, c, "lb1", 7, 80, 40123), rstAt(2.9, b, "backend1", 7, 80, 20001), rstAt(3, c, "lb1", 7, 80, 40123)},
			[]string{"lb1", "backend1", "backend1"}},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			var p pairing
			for _, s := range tt.sightings {
				p.add(s)
			}
			if early := p.settled(ms(3).Add(settleTime-3*time.Millisecond), false); len(early) > 1 && early[0].at >= ms(3) {
				t.Errorf("settled before its time: %+v", early[0])
			}
			p.settled(clock.Never, true)
			for i, s := range tt.sightings {
				if s.origin != tt.origins[i] {
					t.Errorf("RST %d from %s: origin %q, want %q", i, s.sender, s.origin, tt.origins[i])
				}
			}
		})
	}
}

// The client edge shows the tuple that a table knows; both sightings must carry it.
func TestBothSightingsCarryTheOriginalTuple(t *testing.T) {
	original := flow.Tuple{Src: flow.IPv4(198, 18, 0, 11), Dst: vipAddr, SrcPort: 40123, DstPort: 80, Proto: flow.TCP}
	made, passed := rstAt(1, lab.Backends, "backend1", 7, 80, 20001), rstAt(1.1, lab.Clients, "lb1", 7, 80, 40123)
	passed.original = original
	p := pairing{waiting: []*sighting{made, passed}}
	p.settled(clock.Never, true)
	if made.original != original || passed.original != original {
		t.Errorf("original tuples %v and %v, want %v", made.original, passed.original, original)
	}
}

// Every RST is settled exactly once, in the order of time.
func TestEveryRSTIsSettledOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p pairing
		var settled []*sighting
		n := rapid.IntRange(0, 60).Draw(t, "n")
		now := 0.0
		for range n {
			now += rapid.Float64Range(0, 30).Draw(t, "pause")
			p.add(rstAt(now, rapid.SampledFrom([]string{lab.Clients, lab.Backends}).Draw(t, "edge"),
				rapid.SampledFrom([]string{"lb1", "lb2", "client1", "backend1"}).Draw(t, "sender"),
				rapid.Uint32Range(0, 3).Draw(t, "seq"), 80, 40123))
			settled = append(settled, p.settled(ms(now), false)...)
		}
		settled = append(settled, p.settled(clock.Never, true)...)
		if len(settled) != n {
			t.Fatalf("%d of %d settled", len(settled), n)
		}
		if !slices.IsSortedFunc(settled, func(a, b *sighting) int { return int(a.at - b.at) }) {
			t.Fatal("not in the order of time")
		}
		for _, s := range settled {
			if s.origin == "" {
				t.Fatalf("without an origin: %+v", s)
			}
			if !s.relayed && s.origin != s.sender {
				t.Fatalf("%s is no load balancer, but its RST is said to be made by %s", s.sender, s.origin)
			}
		}
	})
}

func TestEntriesAreAskedForAtABoundedRate(t *testing.T) {
	asked := 0
	c := entryCache{ask: func(string, flow.Tuple) string { asked++; return "opened" }, limit: rateLimit{perSecond: 3}}
	answers := map[string]int{}
	for i := range 20 { // ten in each of two seconds, each flow twice
		t := webTuple
		t.DstPort = uint16(i / 2)
		answers[c.of("lb1", t, ms(100*float64(i)))]++
	}
	if asked != 6 || answers["opened"] != 12 || answers[entryLimited] != 8 {
		t.Errorf("asked %d times, answers %v; want 6 in two seconds, for two sightings each", asked, answers)
	}
	if got := (&entryCache{}).of("lb1", webTuple, 0); got != entryUnknown {
		t.Errorf("with nobody to ask: %q", got)
	}
}
