package bpf

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"baton/impl/dataplane"
	"baton/impl/dataplane/model"
	"baton/impl/flow"
)

// The services with port ranges: a wide one, a narrow one within it, and a single port of that.
const (
	widePort     = 200
	lastWidePort = 299
	narrowPort   = 250
	lastNarrow   = 251
)

// ranged gives a service a range of ports. Its backends keep the port.
func ranged(s dataplane.Service, last uint16, backends ...string) dataplane.Service {
	s.Last = last
	for _, b := range backends {
		s.Backends = append(s.Backends, dataplane.Backend{Addr: address(b)})
	}
	return s
}

func wideService(backends ...string) dataplane.Service {
	return ranged(labService(flow.TCP, widePort, dataplane.FullNAT, dataplane.LeastConn), lastWidePort, backends...)
}

func narrowService(backends ...string) dataplane.Service {
	return affine(ranged(labService(flow.TCP, narrowPort, dataplane.DNAT, dataplane.Maglev), lastNarrow, backends...))
}

// mappedService sends all of its ports to one of the backend's.
func mappedService(l dataplane.Limits) dataplane.Service {
	s := ranged(labService(flow.UDP, widePort, dataplane.FullNAT, dataplane.RoundRobin, 8081), lastWidePort)
	s.Limits = l
	return s
}

func rangeServices() []dataplane.Service {
	return []dataplane.Service{
		mappedService(dataplane.Limits{Flows: 3, SourceFlows: 2}),
		ranged(labService(flow.UDP, widePort+10, dataplane.DNAT, dataplane.RoundRobin), widePort+20, backendAddr),
		wideService(backendAddr, secondBackend),
		narrowService(backendAddr, secondBackend),
		affine(labService(flow.TCP, narrowPort, dataplane.FullNAT, dataplane.RoundRobin, 8080)),
	}
}

// rangeTests: a packet belongs to the service of exactly its port, else to the narrowest range that contains it.
func rangeTests() []packetTest {
	to := func(proto flow.Proto, sport, dport uint16) flow.Tuple { return toVIP(proto, sport, dport) }
	kept := func(proto flow.Proto, backend string, sport, dport uint16) flow.Tuple {
		return tuple(proto, backend, dport, clientAddr, sport)
	}
	snat := func(o flow.Tuple, backend string, port uint16) flow.Tuple {
		first := model.SNATPort(testConfig().SNATPorts, model.Hash(o)^testConfig().SNATSeed, 0)
		return tuple(o.Proto, backend, port, snatAddr, first)
	}
	synSent := func(o, r flow.Tuple) string { return line(o, r, flow.SynSent, flow.Opened, time.Minute) }
	affinityTo := func(dport uint16, backend string, port uint16) string {
		return entryLine(withLife(flow.AffinityOf(to(flow.TCP, 0, dport), address(backend), port), affinity))
	}
	services := func(of ...dataplane.Service) step {
		return do(func(d dataplane.Dataplane) error { return d.SetServices(of, testConfig().VIPs) })
	}
	narrow := narrowService(backendAddr)
	plain := ranged(labService(flow.TCP, narrowPort, dataplane.DNAT, dataplane.Maglev), lastNarrow, backendAddr)
	alone := labService(flow.TCP, narrowPort, dataplane.FullNAT, dataplane.RoundRobin, 8080)
	wide := to(flow.TCP, 40000, widePort)
	inNarrow := to(flow.TCP, 40000, narrowPort+1)
	onPort := to(flow.TCP, 40000, narrowPort)
	limited := func(sport uint16) flow.Tuple { return to(flow.UDP, sport, widePort+sport%7) }
	open := func(sport uint16) step {
		o := limited(sport)
		return in(o, 0, forwarded(snat(o, backendAddr, 8081).Reverse()))
	}
	unreplied := func(sport uint16) string {
		return line(limited(sport), snat(limited(sport), backendAddr, 8081), flow.Unreplied, flow.Opened, 30*time.Second)
	}
	var loads []flow.Entry
	var loadLines []string
	for i := range uint16(2) {
		o := to(flow.TCP, 50000+i, widePort+1+i)
		e := flow.Entry{Original: o, Reply: snat(o, backendAddr, o.DstPort), State: flow.Established, Origin: flow.Synced, Remaining: time.Second}
		loads, loadLines = append(loads, e), append(loadLines, entryLine(e))
	}
	return []packetTest{{
		rule: "range: the first and the last port belong to it, and their neighbours to nobody; the port is kept",
		steps: []step{
			services(wideService(backendAddr)),
			in(wide, syn, forwarded(snat(wide, backendAddr, widePort).Reverse())),
			back(snat(wide, backendAddr, widePort), syn|ack, forwarded(wide.Reverse())),
			in(wide, ack, forwarded(snat(wide, backendAddr, widePort).Reverse())),
			in(to(flow.TCP, 40001, widePort-1), syn, "drop no-service"), in(to(flow.TCP, 40001, lastWidePort+1), syn, "drop no-service"),
			in(to(flow.TCP, 40001, lastWidePort), syn, forwarded(snat(to(flow.TCP, 40001, lastWidePort), backendAddr, lastWidePort).Reverse())),
		},
		table: []string{
			line(wide, snat(wide, backendAddr, widePort), flow.Established, flow.Opened, lifetimes.Established),
			synSent(to(flow.TCP, 40001, lastWidePort), snat(to(flow.TCP, 40001, lastWidePort), backendAddr, lastWidePort)),
		},
		events: []string{
			synSent(wide, snat(wide, backendAddr, widePort)), line(wide, snat(wide, backendAddr, widePort), flow.Established, flow.Opened, lifetimes.Established),
			synSent(to(flow.TCP, 40001, lastWidePort), snat(to(flow.TCP, 40001, lastWidePort), backendAddr, lastWidePort)),
		},
	}, {
		rule: "range: all ports are from 1 to 65535",
		steps: []step{
			services(ranged(labService(flow.TCP, 1, dataplane.DNAT, dataplane.RoundRobin), flow.LastPort, backendAddr)),
			in(to(flow.TCP, 40000, 0), syn, "drop no-service"),
			in(to(flow.TCP, 40000, 1), syn, forwarded(kept(flow.TCP, backendAddr, 40000, 1).Reverse())),
			in(to(flow.TCP, 40000, 65535), syn, forwarded(kept(flow.TCP, backendAddr, 40000, 65535).Reverse())),
		},
		table: []string{
			synSent(to(flow.TCP, 40000, 1), kept(flow.TCP, backendAddr, 40000, 1)),
			synSent(to(flow.TCP, 40000, 65535), kept(flow.TCP, backendAddr, 40000, 65535)),
		},
		events: []string{
			synSent(to(flow.TCP, 40000, 1), kept(flow.TCP, backendAddr, 40000, 1)),
			synSent(to(flow.TCP, 40000, 65535), kept(flow.TCP, backendAddr, 40000, 65535)),
		},
	}, {
		rule: "range: a port alone wins over a narrow range, which wins over a wide one; a change of them moves no open flow",
		steps: []step{
			services(wideService(backendAddr), plain, alone),
			in(inNarrow, syn, forwarded(kept(flow.TCP, backendAddr, 40000, narrowPort+1).Reverse())),
			in(onPort, syn, forwarded(snat(onPort, backendAddr, 8080).Reverse())),
			services(wideService(secondBackend)),
			in(inNarrow, syn, forwarded(kept(flow.TCP, backendAddr, 40000, narrowPort+1).Reverse())),
			in(to(flow.TCP, 40001, narrowPort+1), syn, forwarded(snat(to(flow.TCP, 40001, narrowPort+1), secondBackend, narrowPort+1).Reverse())),
		},
		table: []string{
			synSent(inNarrow, kept(flow.TCP, backendAddr, 40000, narrowPort+1)), synSent(onPort, snat(onPort, backendAddr, 8080)),
			synSent(to(flow.TCP, 40001, narrowPort+1), snat(to(flow.TCP, 40001, narrowPort+1), secondBackend, narrowPort+1)),
		},
		events: []string{
			synSent(inNarrow, kept(flow.TCP, backendAddr, 40000, narrowPort+1)), synSent(onPort, snat(onPort, backendAddr, 8080)),
			synSent(to(flow.TCP, 40001, narrowPort+1), snat(to(flow.TCP, 40001, narrowPort+1), secondBackend, narrowPort+1)),
		},
	}, {
		rule: "range: affinity is of a client to the whole range, and not of a port alone within it",
		steps: []step{
			services(narrow, affine(alone)),
			in(inNarrow, syn, forwarded(kept(flow.TCP, backendAddr, 40000, narrowPort+1).Reverse())),
			in(onPort, syn, forwarded(snat(onPort, backendAddr, 8080).Reverse())),
			services(narrow),
			in(to(flow.TCP, 40001, narrowPort), syn, forwarded(kept(flow.TCP, backendAddr, 40001, narrowPort).Reverse())),
		},
		table: []string{
			affinityTo(narrowPort, backendAddr, 0), affinityTo(narrowPort+1, backendAddr, 0),
			synSent(inNarrow, kept(flow.TCP, backendAddr, 40000, narrowPort+1)), synSent(onPort, snat(onPort, backendAddr, 8080)),
			synSent(to(flow.TCP, 40001, narrowPort), kept(flow.TCP, backendAddr, 40001, narrowPort)),
		},
		events: []string{
			affinityTo(narrowPort+1, backendAddr, 0), synSent(inNarrow, kept(flow.TCP, backendAddr, 40000, narrowPort+1)),
			affinityTo(narrowPort, backendAddr, 8080), synSent(onPort, snat(onPort, backendAddr, 8080)),
			affinityTo(narrowPort, backendAddr, 0), synSent(to(flow.TCP, 40001, narrowPort), kept(flow.TCP, backendAddr, 40001, narrowPort)),
		},
	}, {
		rule: "range: a client's flows to all ports go to one backend",
		steps: []step{
			services(affine(ranged(labService(flow.TCP, narrowPort, dataplane.DNAT, dataplane.RoundRobin), lastNarrow, backendAddr, secondBackend))),
			in(onPort, syn, forwarded(kept(flow.TCP, backendAddr, 40000, narrowPort).Reverse())),
			in(inNarrow, syn, forwarded(kept(flow.TCP, backendAddr, 40000, narrowPort+1).Reverse())),
		},
		table: []string{
			affinityTo(narrowPort, backendAddr, 0),
			synSent(onPort, kept(flow.TCP, backendAddr, 40000, narrowPort)), synSent(inNarrow, kept(flow.TCP, backendAddr, 40000, narrowPort+1)),
		},
		events: []string{
			affinityTo(narrowPort, backendAddr, 0),
			synSent(onPort, kept(flow.TCP, backendAddr, 40000, narrowPort)), synSent(inNarrow, kept(flow.TCP, backendAddr, 40000, narrowPort+1)),
		},
	}, {
		rule: "range: its limits are of all its ports together",
		steps: []step{
			services(mappedService(dataplane.Limits{SourceFlows: 2})),
			open(40000), open(40001), in(limited(40002), 0, "drop source-limit"), sweep(0, 0), in(limited(40002), 0, "drop source-limit"),
		},
		table: []string{unreplied(40000), unreplied(40001)}, events: []string{unreplied(40000), unreplied(40001)},
	}, {
		rule: "range: the loads of its backends are those of all its ports",
		steps: []step{
			services(wideService(backendAddr, secondBackend)),
			apply(loads...), sweep(0, 0),
			in(wide, syn, forwarded(snat(wide, secondBackend, widePort).Reverse())),
		},
		table:  append([]string{synSent(wide, snat(wide, secondBackend, widePort))}, loadLines...),
		events: []string{synSent(wide, snat(wide, secondBackend, widePort))},
	}, {
		rule: "range: a mid-flow segment of dnat by maglev is adopted at its own port, and a backend's without an entry never reaches the host",
		steps: []step{
			services(plain),
			onMiss(dataplane.MissAdopt),
			in(inNarrow, ack, forwarded(kept(flow.TCP, backendAddr, 40000, narrowPort+1).Reverse())),
			back(kept(flow.TCP, backendAddr, 40009, narrowPort), ack, "drop miss"),
			back(kept(flow.TCP, backendAddr, 40009, lastNarrow+1), ack, "pass"),
		},
		table:  []string{line(inNarrow, kept(flow.TCP, backendAddr, 40000, narrowPort+1), flow.SynSent, flow.Adopted, time.Minute)},
		events: []string{line(inNarrow, kept(flow.TCP, backendAddr, 40000, narrowPort+1), flow.SynSent, flow.Adopted, time.Minute)},
	}}
}

// ranges opens or adopts flows of services with port ranges, and sends packets of their backends that
// belong to no flow.
func (p *pair) ranges(t *rapid.T) {
	port := rapid.SampledFrom([]uint16{widePort, widePort + 10, narrowPort, narrowPort + 1, lastWidePort, lastWidePort + 1}).Draw(t, "port")
	o := originals.Draw(t, "original")
	o.DstPort = port
	switch rapid.IntRange(0, 3).Draw(t, "what") {
	case 0:
		p.send("client0", summed(t, clientMAC, o, syn))
	case 1:
		p.handshakeOf(t, o)
	case 2:
		p.adoptFlow(t, o)
	case 3:
		r := replyTuples.Draw(t, "reply")
		r.SrcPort = port
		p.send("backend0", summed(t, backendMAC, r, ack))
	}
}

// TestPrefixesFollowTheFinder: for each port, the longest prefix in the programs' map belongs to the
// service that the model finds.
func TestPrefixesFollowTheFinder(t *testing.T) {
	services := []dataplane.Service{
		{Service: flow.Service{VIP: address(vipAddr), Port: 8000, Last: 8191, Proto: flow.TCP}}, // the same prefix as a part of the next
		{Service: flow.Service{VIP: address(vipAddr), Port: 8000, Last: 8999, Proto: flow.TCP}},
		{Service: flow.Service{VIP: address(vipAddr), Port: 1, Last: flow.LastPort, Proto: flow.TCP}},
		{Service: flow.Service{VIP: address(vipAddr), Port: 8005, Last: 8006, Proto: flow.TCP}},
	}
	finder, keys := dataplane.FinderOf(services), portRanges[ipv4](services)
	for port := range 1 << 16 {
		var longest uint32
		var got rawServiceKey[ipv4]
		for k, v := range keys {
			if free := 64 - k.Bits; k.Bits >= longest && uint16(port)>>free == swapPort(k.Port)>>free {
				longest, got = k.Bits, v
			}
		}
		want, found := finder.Find(address(vipAddr), uint16(port), flow.TCP)
		if !found {
			want = flow.Service{}
		}
		if longest == 0 && !found {
			continue
		}
		if got != toServiceKey[ipv4](want) {
			t.Fatalf("port %d: prefixes %v, finder %v", port, fromServiceKey(&got), want)
		}
	}
}
