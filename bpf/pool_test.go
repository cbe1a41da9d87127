package bpf

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"baton/impl/dataplane"
	"baton/impl/dataplane/model"
	"baton/impl/flow"
)

const poolAddr = "198.18.1.101"

// poolService has two SNAT addresses.
func poolService() dataplane.Service {
	s := labService(flow.UDP, poolPort, dataplane.FullNAT, dataplane.RoundRobin, 8080)
	s.SNATPool = []flow.Addr{address(poolAddr)}
	return s
}

// pooled returns the reply tuples of consecutive flows of the pool: each has the first address and
// port of its probe sequence that the flows before it have left free.
func pooled(n int) (replies []flow.Tuple) {
	taken := map[flow.Tuple]bool{}
	for i := range n {
		hash := model.Hash(toVIP(flow.UDP, uint16(41000+i), poolPort)) ^ testConfig().SNATSeed
		for attempt := 0; ; attempt++ {
			snat := []string{snatAddr, poolAddr}[model.SNATAddress(2, hash, attempt)]
			r := tuple(flow.UDP, backendAddr, 8080, snat, model.SNATPort(testConfig().SNATPorts, hash, attempt))
			if !taken[r] {
				taken[r] = true
				replies = append(replies, r)
				break
			}
		}
	}
	return replies
}

// poolTests: new flows take the ports of every SNAT address of their service.
func poolTests() []packetTest {
	replies := pooled(8)
	var opened []string
	var steps []step
	for i, r := range replies {
		o := toVIP(flow.UDP, uint16(41000+i), poolPort)
		steps = append(steps, in(o, 0, forwarded(r.Reverse())))
		opened = append(opened, line(o, r, flow.Unreplied, flow.Opened, 30*time.Second))
	}
	return []packetTest{{
		rule:  "two SNAT addresses with four ports each serve eight flows of a backend",
		steps: steps,
		table: append([]string(nil), opened...), events: opened,
	}, {
		rule:  "a reply to an address of the pool reaches its client",
		steps: append(append([]step(nil), steps...), replyTo(replies)...),
		table: assured(replies), events: append(append([]string(nil), opened...), assured(replies)...),
	}}
}

func replyTo(replies []flow.Tuple) (steps []step) {
	for i, r := range replies {
		steps = append(steps, back(r, 0, forwarded(toVIP(flow.UDP, uint16(41000+i), poolPort).Reverse())))
	}
	return steps
}

func assured(replies []flow.Tuple) (lines []string) {
	for i, r := range replies {
		lines = append(lines, line(toVIP(flow.UDP, uint16(41000+i), poolPort), r, flow.Assured, flow.Opened, 2*time.Minute))
	}
	return lines
}

// TestPortsUsed: a sweep counts this node's SNAT ports in use to the backend with the most.
func TestPortsUsed(t *testing.T) {
	cfg := testConfig()
	cfg.MaxFlows = 64
	cfg.Services = []dataplane.Service{poolService(), affine(labService(flow.UDP, affinePort, dataplane.FullNAT, dataplane.RoundRobin, 8081, 8082)),
		labService(flow.UDP, dnatPort, dataplane.DNAT, dataplane.RoundRobin, 8081)}
	eachSubject(t, cfg, func(t *testing.T, s subject) {
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		entry := func(service, sport, backend uint16, snat string, port uint16) flow.Entry {
			return flow.Entry{Original: toVIP(flow.UDP, sport, service), Reply: tuple(flow.UDP, backendAddr, backend, snat, port),
				State: flow.Assured, Origin: flow.Synced, Remaining: time.Minute}
		}
		short := entry(poolPort, 1004, 8080, poolAddr, 20002)
		short.Remaining = time.Second
		must(s.Apply([]flow.Entry{
			entry(poolPort, 1000, 8080, snatAddr, 20000), entry(poolPort, 1001, 8080, poolAddr, 20000), entry(poolPort, 1002, 8080, poolAddr, 20003),
			entry(poolPort, 1003, 8080, poolAddr, 20004), // of the peer's half
			short,
			entry(affinePort, 1000, 8081, snatAddr, 20000), entry(affinePort, 1001, 8082, snatAddr, 20000), entry(affinePort, 1002, 8082, snatAddr, 20001),
			flow.AffinityOf(toVIP(flow.UDP, 1000, affinePort), address(backendAddr), 8081),
			entry(dnatPort, 1000, 8081, clientAddr, 20000),
		}))
		_, err := s.Sweep(origin.Add(2*time.Second), 0)
		must(err)
		backend := func(port uint16) dataplane.Backend { return dataplane.Backend{Addr: address(backendAddr), Port: port} }
		want := map[flow.Service]dataplane.PortUse{
			cfg.Services[0].Service: {Backend: backend(8080), Used: 3, Ports: 8},
			cfg.Services[1].Service: {Backend: backend(8082), Used: 2, Ports: 4},
		}
		if diff := cmp.Diff(want, s.PortsUsed()); diff != "" {
			t.Errorf("ports in use (-want +got):\n%s", diff)
		}
	})
}
