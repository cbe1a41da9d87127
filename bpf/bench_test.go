package bpf

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/dataplane/model"
	"baton/impl/flow"
)

// manyPorts are the ports of the backends that least-conn compares.
var manyPorts = ports(9000, 100)

func ports(first, n uint16) (all []uint16) {
	for i := range n {
		all = append(all, first+i)
	}
	return all
}

// pressedPort is the port of a service that challenges every source after its first flow.
const pressedPort = challengePort + 1

// benchSubject returns the programs with room for n flows and a lease that never ends.
func benchSubject(b *testing.B, n int) *programSubject {
	cfg := labConfig(
		labService(flow.TCP, fullnatPort, dataplane.FullNAT, dataplane.RoundRobin, 8080, 8081),
		labService(flow.TCP, dnatPort, dataplane.DNAT, dataplane.RoundRobin, 8081),
		labService(flow.TCP, maglevPort, dataplane.DNAT, dataplane.Maglev, 8083, 8084, 8085),
		leastService(manyPorts...),
		challengeService(dataplane.Limits{SYNChallenge: n}),
		labService(flow.TCP, pressedPort, dataplane.DNAT, dataplane.RoundRobin, 8081),
	)
	cfg.Services[len(cfg.Services)-1].Limits.SYNChallenge = 1
	cfg.SNATPorts = dataplane.PortRange{First: 1024, Last: 65535}
	cfg.MaxFlows = n
	s := newProgramSubject(b, cfg)
	s.must(s.Lease(clock.Never))
	return s
}

// unaddressed gives a frame the Ethernet address of the loopback device, on which a
// program without a context runs.
func unaddressed(frame []byte) []byte {
	copy(frame, make([]byte, 6))
	return frame
}

// hopsMax is how often the programs forward one frame: each time its TTL is one less.
const hopsMax = 254

// BenchmarkHit measures a packet of a flow that has an entry, as timed by the kernel.
// The program runs repeatedly on one packet, so the flow's translation changes only the
// TTL.
func BenchmarkHit(b *testing.B) {
	o := toVIP(flow.TCP, 40000, dnatPort)
	for _, bm := range []struct {
		name    string
		program func(*programSubject) *ebpf.Program
		frame   []byte
	}{
		{"original", func(s *programSubject) *ebpf.Program { return s.shared.FromClient }, fromClient(o, ack)},
		{"reply", func(s *programSubject) *ebpf.Program { return s.shared.FromBackend }, fromBackend(o.Reverse(), ack)},
	} {
		for _, flows := range []int{1, 1 << 20} {
			b.Run(fmt.Sprintf("%s/flows=%d", bm.name, flows), func(b *testing.B) {
				s := benchSubject(b, flows)
				s.must(s.Apply(manyEntries(flows - 1)))
				s.must(s.Apply([]flow.Entry{{Original: o, Reply: o.Reverse(), State: flow.Established, Origin: flow.Synced}}))
				frame := withTTL(unaddressed(bm.frame), hopsMax+1)
				var inKernel time.Duration
				b.ResetTimer()
				for left := b.N; left > 0; left -= hopsMax {
					n := min(left, hopsMax)
					code, perRun, err := bm.program(s).Benchmark(frame, n, nil)
					if err != nil || code != tcxRedirect {
						b.Fatalf("verdict %d, %v", code, err)
					}
					inKernel += time.Duration(n) * perRun
				}
				b.ReportMetric(float64(inKernel.Nanoseconds())/float64(b.N), "ns/op")
			})
		}
	}
}

// BenchmarkNewFlow measures a SYN that opens a flow, as timed by the kernel: backend
// choice, claim, entry, event. It includes the kernel's overhead of a single run.
func BenchmarkNewFlow(b *testing.B) {
	for _, bm := range []struct {
		name string
		port uint16
	}{{"fullnat", fullnatPort}, {"dnat", dnatPort}, {"maglev", maglevPort}, {"dnat with a threshold", challengePort}, {fmt.Sprintf("least-conn of %d", len(manyPorts)), leastPort}} {
		b.Run(bm.name, func(b *testing.B) {
			s := benchSubject(b, 1<<20)
			var inKernel time.Duration
			b.ResetTimer()
			for i := range b.N {
				if i > 0 && i%20000 == 0 { // within the ports of the backends
					b.StopTimer()
					s.reset()
					s.must(s.Lease(clock.Never))
					b.StartTimer()
				}
				t := toVIP(flow.TCP, uint16(1024+i%60000), bm.port)
				code, took, err := s.shared.FromClient.Benchmark(unaddressed(fromClient(t, syn)), 1, nil)
				if err != nil || code != tcxRedirect {
					b.Fatalf("flow %d: verdict %d, %v", i, code, err)
				}
				inKernel += took
			}
			b.ReportMetric(float64(inKernel.Nanoseconds())/float64(b.N), "ns/op")
		})
	}
}

// BenchmarkChallenge measures a SYN that is challenged, a RST that answers a challenge, and one
// that does not, as timed by the kernel. It includes the kernel's overhead of a single run.
func BenchmarkChallenge(b *testing.B) {
	for _, bm := range []struct {
		name   string
		flags  int
		number func(*programSubject, flow.Tuple) uint32
		code   uint32
	}{
		{"SYN", syn, func(*programSubject, flow.Tuple) uint32 { return clientISN }, tcxRedirect},
		{"answer", rst, func(s *programSubject, t flow.Tuple) uint32 {
			return model.ChallengeNumber(s.cfg.ChallengeKey, t, s.fakeNow(), clientISN)
		}, tcxDrop},
		{"wrong answer", rst, func(*programSubject, flow.Tuple) uint32 { return clientISN }, tcxDrop},
	} {
		b.Run(bm.name, func(b *testing.B) {
			s := benchSubject(b, 1<<20)
			fate(b, s, "client0", fromClient(toVIP(flow.TCP, 1, pressedPort), syn))
			var inKernel time.Duration
			b.ResetTimer()
			for i := range b.N {
				t := toVIP(flow.TCP, uint16(1024+i%60000), pressedPort)
				binary.BigEndian.PutUint16(t.Src[13:], uint16(i/60000+i%5000))
				frame := unaddressed(withNumbers(fromClient(t, bm.flags), bm.number(s, t), 0))
				code, took, err := s.shared.FromClient.Benchmark(frame, 1, nil)
				if err != nil || code != bm.code {
					b.Fatalf("segment %d: verdict %d, %v", i, code, err)
				}
				inKernel += took
			}
			b.ReportMetric(float64(inKernel.Nanoseconds())/float64(b.N), "ns/op")
		})
	}
}

// manyEntries returns n replicated entries of one service.
func manyEntries(n int) []flow.Entry {
	entries := make([]flow.Entry, n)
	for i := range entries {
		o := toVIP(flow.TCP, uint16(i%50000+1), fullnatPort)
		o.Src[14] = byte(1 + i/50000)
		r := flow.Tuple{Proto: flow.TCP, Src: address(backendAddr), SrcPort: 8080, Dst: address(snatAddr), DstPort: uint16(i%50000 + 1)}
		r.Src[15] = byte(1 + i/50000)
		entries[i] = flow.Entry{Original: o, Reply: r, State: flow.Established, Origin: flow.Synced, Remaining: time.Hour}
	}
	return entries
}

// BenchmarkTable measures the table operations with n entries: installing them into an
// empty table, overwriting them, reading, walking with a check of each, sweeping without
// result, removing.
func BenchmarkTable(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		entries := manyEntries(n)
		tuples := make([]flow.Tuple, n)
		for i := range entries {
			tuples[i] = entries[i].Original
		}
		s := benchSubject(b, n)
		measure := func(name string, before, f func() error) {
			b.Run(fmt.Sprintf("%s/flows=%d", name, n), func(b *testing.B) {
				for range b.N {
					b.StopTimer()
					s.must(before())
					b.StartTimer()
					s.must(f())
				}
				b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
			})
		}
		install := func() error { return s.Apply(entries) }
		remove := func() error { return s.Delete(tuples) }
		nothing := func() error { return nil }
		measure("Apply", remove, install)
		measure("ApplyAgain", install, install)
		measure("Dump", nothing, func() error { return s.Dump(func(flow.Entry) bool { return true }) })
		measure("Walk", nothing, func() error {
			for {
				if end, err := s.Walk(func(flow.Held) {}); end || err != nil {
					return err
				}
			}
		})
		measure("Sweep", nothing, func() error { _, err := s.Sweep(origin, origin); return err })
		measure("Delete", install, remove)
	}
}
