package bpf

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/dataplane/model"
	"baton/impl/flow"
)

// The services of the table tests, by port.
const (
	fullnatPort   = 80
	dnatPort      = 81
	maglevPort    = 82
	emptyPort     = 83
	leastPort     = 85
	poolPort      = 86
	limitPort     = 87
	directPort    = 88
	directMaglev  = 89
	tunnelPort    = 94
	tunnelMaglev  = 95
	challengePort = 91
	resumedPort   = 92
	unknownPort   = 99
	unknownVIP    = "198.18.0.101"
	otherClient   = "198.18.0.12"
	secondBackend = "198.18.1.12"
)

func testConfig() dataplane.Config {
	cfg := labConfig(
		labService(flow.TCP, fullnatPort, dataplane.FullNAT, dataplane.RoundRobin, 8080),
		labService(flow.TCP, dnatPort, dataplane.DNAT, dataplane.RoundRobin, 8081, 8082),
		labService(flow.TCP, maglevPort, dataplane.DNAT, dataplane.Maglev, 8083, 8084, 8085),
		labService(flow.TCP, emptyPort, dataplane.FullNAT, dataplane.RoundRobin),
		labService(flow.UDP, fullnatPort, dataplane.FullNAT, dataplane.RoundRobin, 8080),
		labService(flow.UDP, dnatPort, dataplane.DNAT, dataplane.RoundRobin, 8081),
		affineService(8081, 8082),
		affine(labService(flow.UDP, affinePort, dataplane.FullNAT, dataplane.Maglev, 8083, 8084)),
		leastService(8081, 8082, 8083),
		poolService(),
		limitService(dataplane.Limits{Flows: 5, Embryonic: 3, SourceFlows: 3, SourceEmbryonic: 2}),
		challengeService(dataplane.Limits{SYNChallenge: 2}),
		resumedService(),
	)
	cfg.Services = append(cfg.Services, rangeServices()...)
	cfg.Services = append(cfg.Services, directServices(directPorts)...)
	cfg.Services = append(cfg.Services, directServices(tunnelPorts)...)
	cfg.Services = append(cfg.Services, sctpServices()...)
	cfg.VIPs = append(cfg.VIPs, dataplane.VIP{Addr: address(unknownVIP).Netip(), Link: "client0"})
	cfg.SNATPorts = dataplane.PortRange{First: 20000, Last: 20003}
	cfg.SNATPeer = dataplane.PortRange{First: 20004, Last: 20007}
	cfg.SNATSeed, cfg.DatagramSeed = 0x5eed, 0x5eed
	cfg.ChallengeKey = [2]uint64{0x5eed, 0x5eed << 32}
	cfg.MaxFlows = 8
	return cfg
}

func tuple(proto flow.Proto, src string, sport uint16, dst string, dport uint16) flow.Tuple {
	return flow.Tuple{Proto: proto, Src: address(src), SrcPort: sport, Dst: address(dst), DstPort: dport}
}

// toVIP is the original tuple of the lab's client.
func toVIP(proto flow.Proto, sport, dport uint16) flow.Tuple {
	return tuple(proto, clientAddr, sport, vipAddr, dport)
}

// dnatReply is the reply tuple of toVIP in dnat mode.
func dnatReply(proto flow.Proto, sport, backendPort uint16) flow.Tuple {
	return tuple(proto, backendAddr, backendPort, clientAddr, sport)
}

// snatReply is the reply tuple of toVIP in fullnat mode at the i-th probe for a port.
func snatReply(proto flow.Proto, sport uint16, i int) flow.Tuple {
	hash := model.Hash(toVIP(proto, sport, fullnatPort)) ^ testConfig().SNATSeed
	return tuple(proto, backendAddr, 8080, snatAddr, model.SNATPort(testConfig().SNATPorts, hash, i))
}

// resumedService is a fullnat service whose flows follow from their tuple.
func resumedService() dataplane.Service {
	return labService(flow.TCP, resumedPort, dataplane.FullNAT, dataplane.Maglev, 8083, 8084, 8085)
}

// resumedReply is the reply tuple of toVIP for that service at the i-th probe for a port of a
// half.
func resumedReply(sport uint16, half dataplane.PortRange, i int) flow.Tuple {
	original := toVIP(flow.TCP, sport, resumedPort)
	slots, hash := model.Slots(resumedService()), model.Hash(original)
	backend := slots[hash%uint64(len(slots))]
	return tuple(flow.TCP, backendAddr, backend.Port, snatAddr, model.SNATPort(half, hash^testConfig().SNATSeed, i))
}

// maglevReply is the reply tuple of toVIP for the service that Maglev balances.
func maglevReply(sport uint16) flow.Tuple {
	original := toVIP(flow.TCP, sport, maglevPort)
	for _, s := range testConfig().Services {
		if s.Port == maglevPort {
			slots := model.Slots(s)
			return dnatReply(flow.TCP, sport, slots[model.Hash(original)%uint64(len(slots))].Port)
		}
	}
	panic("testConfig has no such service")
}

// lifetimes are how long the entries of the tests live.
var lifetimes = dataplane.DefaultTimeouts()

// The payload is so long that no frame needs padding.
const payload = "29 bytes of payload, no fewer"

func fromClient(t flow.Tuple, flags int) []byte  { return frameTo(clientMAC, t, flags, payload) }
func fromBackend(t flow.Tuple, flags int) []byte { return frameTo(backendMAC, t, flags, payload) }

// step is one packet, or another action, and its expected outcome.
type step struct {
	after time.Duration // that time has passed since the last step
	do    func(dataplane.Dataplane) error
	link  string
	frame []byte
	blind bool   // the frame keeps its numbers, which an attacker has guessed
	want  string // of fate
}

func in(t flow.Tuple, flags int, want string) step {
	return step{link: "client0", frame: fromClient(t, flags), want: want}
}

func back(t flow.Tuple, flags int, want string) step {
	return step{link: "backend0", frame: fromBackend(t, flags), want: want}
}

// blindly sends a segment of an off-path attacker with guessed numbers.
func blindly(seq, acked uint32, s step) step {
	s.frame, s.blind = withNumbers(s.frame, seq, acked), true
	return s
}

func later(d time.Duration, s step) step {
	s.after = d
	return s
}

func do(f func(dataplane.Dataplane) error) step { return step{do: f} }

func onMiss(p dataplane.MissPolicy) step {
	return do(func(d dataplane.Dataplane) error { return d.SetMiss(p) })
}

func setMAC(link string, mac net.HardwareAddr) step {
	return do(func(d dataplane.Dataplane) error { return d.SetMAC(link, [6]byte(mac)) })
}

func leaseUntil(at clock.Instant) step {
	return do(func(d dataplane.Dataplane) error { return d.Lease(at) })
}

func apply(entries ...flow.Entry) step {
	return do(func(d dataplane.Dataplane) error { return d.Apply(entries) })
}

func forwarded(t flow.Tuple) string { return "forward " + t.String() }

// packetTest is one rule.
type packetTest struct {
	rule   string
	steps  []step
	table  []string // afterwards; nil for no entries
	events []string
}

// line describes an entry as the tables of the tests do.
func line(original, reply flow.Tuple, state flow.State, origin flow.Origin, remaining time.Duration) string {
	return entryLine(flow.Entry{Original: original, Reply: reply, State: state, Origin: origin, Remaining: remaining})
}

// eachSubject runs a test against the model and against the programs.
func eachSubject(t *testing.T, cfg dataplane.Config, f func(*testing.T, subject)) {
	t.Run("model", func(t *testing.T) { f(t, newModelSubject(t, cfg)) })
	t.Run("programs", func(t *testing.T) { f(t, newProgramSubject(t, cfg)) })
	t.Run("programs over XDP", func(t *testing.T) {
		overXDP(t)
		f(t, newProgramSubject(t, cfg))
	})
}

func TestPackets(t *testing.T) {
	eachSubject(t, testConfig(), func(t *testing.T, s subject) {
		dropped := map[string]bool{}
		left := 0 // out by -run
		for _, tests := range [][]packetTest{openTests(), hairpinTests(), affinityTests(), leastConnTests(), poolTests(), limitTests(), challengeTests(), rangeTests(), tcpTests(), blindTests(), icmpTests(), strictTests(), fragmentTests(), missTests(), passTests(), refuseTests(), leaseTests(), tableTests(), relayTests(), directTests(directPorts), directTests(tunnelPorts), tunnelTests(), sctpTests()} {
			for _, tt := range tests {
				left++
				t.Run(tt.rule, func(t *testing.T) { left--; tt.run(t, s, dropped) })
			}
		}
		for reason := range dataplane.DropKinds {
			if left == 0 && !dropped["drop "+reason.String()] {
				t.Errorf("no test drops a packet for %s", reason)
			}
		}
	})
}

// counts reports whether a segment advances its connection's sequence numbers.
func (s step) counts() bool {
	at := partsOf(s.frame)
	return !s.blind && len(s.frame) == at.l4+20+len(payload) && (at.l4 == 34 || at.l4 == 54) && at.proto == byte(flow.TCP)
}

func (tt packetTest) run(t *testing.T, s subject, dropped map[string]bool) {
	s.reset()
	now, talk := origin, conversation{}
	if err := s.Lease(clock.Never); err != nil {
		t.Fatal(err)
	}
	for i, st := range tt.steps {
		now = now.Add(st.after)
		s.advance(now)
		if st.do != nil {
			if err := st.do(s); err != nil {
				t.Fatalf("step %d: %v", i, err)
			}
			continue
		}
		frame := st.frame
		if st.counts() {
			frame = talk.number(t, s, st.link, frame)
		}
		got, _ := fate(t, s, st.link, frame)
		dropped[strings.Split(strings.Replace(got, "refuse", "drop", 1), ":")[0]] = true
		if got != st.want {
			t.Fatalf("step %d: got  %s\n        want %s", i, got, st.want)
		}
	}
	slices.Sort(tt.table)
	if diff := cmp.Diff(tt.table, table(t, s)); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(tt.events, events(t, s)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	checkClaims(t, s)
}
