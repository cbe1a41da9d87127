package bpf

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/dataplane/model"
	"baton/impl/flow"
)

// newTunnelEnds returns ends with a given number of numbers.
func newTunnelEnds(t *testing.T, numbers uint32) *tunnelEnds {
	t.Helper()
	needRoot(t)
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 16, MaxEntries: numbers + 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return openEnds(t, m)
}

func openEnds(t *testing.T, m *ebpf.Map) *tunnelEnds {
	t.Helper()
	ends, err := openTunnelEnds(m, true)
	if err != nil {
		t.Fatal(err)
	}
	return ends
}

func end(i int) flow.Addr { return flow.Addr{0x20, 1, 15: byte(i)} }

// An address keeps its number while it is named, also in the next process. A number that was never
// assigned stands for no address, and neither does 0.
func TestTunnelEndsKeepTheirNumbers(t *testing.T) {
	ends := newTunnelEnds(t, 4)
	numbers := map[ipv4]flow.Addr{}
	for i := range 4 {
		number, err := ends.number(end(i))
		if err != nil || !isTunnelEnd(&number) || number == (ipv4{}) {
			t.Fatalf("%v, %v", number, err)
		}
		numbers[number] = end(i)
	}
	if len(numbers) != 4 {
		t.Fatalf("%v for four addresses", numbers)
	}
	if number, err := ends.number(end(4)); !errors.Is(err, errNoTunnelEnd) {
		t.Errorf("a fifth of four: %v, %v", number, err)
	}
	for _, ends := range []*tunnelEnds{ends, openEnds(t, ends.kernel)} {
		for number, a := range numbers {
			if again, err := ends.number(a); again != number || err != nil || ends.address(number) != a {
				t.Errorf("%s has the number %v, and then %v, %v, which is %s", a, number, again, err, ends.address(number))
			}
		}
	}
	if got := newTunnelEnds(t, 4).address(ipv4{3: 2}); got != flow.IPv4(0, 0, 0, 2) {
		t.Errorf("a number that was never given is %s", got)
	}
}

// A number that nothing names is freed after two sweeps, and is reused after all others.
func TestTunnelEndsAreTakenBackLate(t *testing.T) {
	ends := newTunnelEnds(t, 3)
	first, _ := ends.number(end(0))
	used, _ := ends.number(end(1))
	for range keptSweeps + 1 {
		ends.name(used)
		if _, kept := ends.numbers[end(0)]; !kept {
			t.Fatalf("taken back after %d sweeps", ends.sweeps)
		}
		ends.sweep()
	}
	if _, kept := ends.numbers[end(0)]; kept {
		t.Errorf("%s is not named, and its number is not taken back", end(0))
	}
	if got := ends.address(first); got != end(0) {
		t.Errorf("an event of a moment ago names %s", got)
	}
	third, err := ends.number(end(2))
	if err != nil || third == first || third == used {
		t.Errorf("the next address got %v, %v", third, err)
	}
	if anew, err := ends.number(end(3)); err != nil || anew != first || ends.address(anew) != end(3) {
		t.Errorf("the last free number is %v, %v", anew, err)
	}
	if again, err := ends.number(end(1)); again != used || err != nil {
		t.Errorf("a named number became %v, %v", again, err)
	}
}

// A backend that returns after its number was freed has only one number, so that the next process does not
// assign a number that its entries name to another backend.
func TestATunnelEndThatComesBackHasOneNumber(t *testing.T) {
	ends := newTunnelEnds(t, 3)
	for i := range 2 {
		ends.number(end(i))
	}
	for range keptSweeps + 1 {
		ends.sweep()
	}
	if len(ends.numbers) > 0 {
		t.Fatalf("not taken back: %v", ends.numbers)
	}
	ends.number(end(2))
	back, err := ends.number(end(1))
	if err != nil {
		t.Fatal(err)
	}
	adopted := openEnds(t, ends.kernel)
	for i := range 6 {
		adopted.number(end(i))
	}
	if got := adopted.address(back); got != end(1) {
		t.Errorf("an entry to %s goes to %s after a restart", end(1), got)
	}
	if again, err := adopted.number(end(1)); again != back || err != nil {
		t.Errorf("%s had the number %v, and has %v, %v after a restart", end(1), back, again, err)
	}
}

// far is the IPv6 backend of an entry that its peer sent.
func far(i int) flow.Entry {
	o := toVIP(flow.TCP, 40000+uint16(i), tunnelPort)
	return flow.Entry{Original: o, Reply: flow.DirectReply(o, end(i)), State: flow.Established, Origin: flow.Synced, Remaining: time.Hour}
}

// Entries of backends that no service has are written and read as they are, and are forwarded. They
// keep their backends' numbers through sweeps, and lose them with their last entry.
func TestEntriesOfUnknownTunnelEnds(t *testing.T) {
	acrossFamilies(t)
	s := newProgramSubject(t, testConfig())
	s.must(s.Lease(clock.Never))
	s.must(s.Apply([]flow.Entry{far(0), far(1)}))
	for range 2 * keptSweeps {
		_, err := s.Sweep(origin, origin)
		s.must(err)
	}
	s.must(s.Apply([]flow.Entry{far(2)}))
	for i := range 3 {
		verdict, out := s.packet("client0", fromClient(far(i).Original, ack))
		if _, dst := ends(out); verdict != model.Forward || dst != end(i) {
			t.Errorf("%s to %s, want the backend %s", verdict, dst, end(i))
		}
		if e, ok, err := s.Lookup(far(i).Original); !ok || err != nil || e.Reply != far(i).Reply {
			t.Errorf("%v, %v, %v; want %s", e, ok, err, far(i).Reply)
		}
	}
	held, err := s.Examine([]flow.Tuple{far(0).Original})
	s.must(err)
	if len(held) != 1 || !held[0].Sound || held[0].Reply != far(0).Reply {
		t.Errorf("examined %v", held)
	}
	s.must(s.Delete([]flow.Tuple{far(0).Original}))
	for range keptSweeps + 1 {
		_, err := s.Sweep(origin, origin)
		s.must(err)
	}
	left := slices.Collect(maps.Keys(s.v4().ends.numbers))
	for i, want := range []bool{false, true, true} {
		if slices.Contains(left, end(i)) != want {
			t.Errorf("%s among %v: want %v", end(i), left, want)
		}
	}
	for _, of := range []string{backendAddr, secondBackend} {
		if !slices.Contains(left, tunnelAddress(of)) {
			t.Errorf("the service's %s is not among %v", tunnelAddress(of), left)
		}
	}
}

// Entries for whose backends there is no number are refused, and the others are written.
func TestEntriesWithoutANumberAreRefused(t *testing.T) {
	acrossFamilies(t)
	s := newProgramSubject(t, testConfig())
	ends := s.v4().ends
	for i := len(ends.numbers); i < len(ends.addrs)-2; i++ { // one is left, since 0 is unused
		a := flow.Addr{0x20, 2, 13: byte(i >> 16), 14: byte(i >> 8), 15: byte(i)}
		ends.numbers[a] = uint32(i + 1)
		ends.addrs[i+1] = a
	}
	err := s.Apply([]flow.Entry{far(0), far(1), far(0), far(2)})
	var refused *flow.RefusedError
	if !errors.As(err, &refused) || refused.Entries != 2 {
		t.Errorf("%v, want 2 entries refused", err)
	}
	if got := table(t, s); len(got) != 1 {
		t.Errorf("table %q, want one entry", got)
	}
}

// An adopted table has the numbers of its entries.
func TestAnAdoptedTableHasItsTunnelEnds(t *testing.T) {
	acrossFamilies(t)
	service := directServices(tunnelPorts)[0]
	cfg := labConfig(service)
	cfg.Pin = pinFolder(t)
	l := newLab(t, cfg)
	var want []flow.Entry
	for i := range 5 {
		want = append(want, far(i))
	}
	if err := l.dp.Apply(want); err != nil {
		t.Fatal(err)
	}
	cfg.Services[0].Backends = []dataplane.Backend{{Addr: end(9), Port: tunnelPort}, cfg.Services[0].Backends[0]}
	if got := l.restart(t, cfg); !got.Taken {
		t.Fatalf("adoption %+v", got)
	}
	for _, e := range want {
		if got, ok, err := l.dp.Lookup(e.Original); !ok || err != nil || got.Reply != e.Reply {
			t.Errorf("%v, %v, %v; want %s", got, ok, err, e.Reply)
		}
	}
}

// A client's flows stay with an IPv6 backend, and the load of each is counted.
func TestBalanceOverTunnelEnds(t *testing.T) {
	acrossFamilies(t)
	cfg := testConfig()
	for _, s := range directServices(tunnelPorts)[:1] {
		s.Port, s.Balance, s.Affinity = 3000, dataplane.LeastConn, time.Minute
		for i := range s.Backends {
			s.Backends[i].Port = s.Port
		}
		cfg.Services = append(cfg.Services, s)
	}
	cfg.MaxFlows = 64
	eachSubject(t, cfg, func(t *testing.T, s subject) {
		if err := s.Lease(clock.Never); err != nil {
			t.Fatal(err)
		}
		to := map[string]map[flow.Addr]int{}
		for i := range 12 {
			for _, client := range []string{clientAddr, otherClient} {
				verdict, out := s.packet("client0", fromClient(tuple(flow.TCP, client, uint16(40000+i), vipAddr, 3000), syn))
				if verdict != model.Forward {
					t.Fatalf("%s: %s", client, verdict)
				}
				if _, dst := ends(out); to[client] == nil {
					to[client] = map[flow.Addr]int{dst: 1}
				} else {
					to[client][dst]++
				}
			}
			if _, err := s.Sweep(origin, origin); err != nil {
				t.Fatal(err)
			}
		}
		if fmt.Sprint(to[clientAddr]) == fmt.Sprint(to[otherClient]) || len(to[clientAddr]) != 1 || len(to[otherClient]) != 1 {
			t.Errorf("flows went to %v, want one backend for each client", to)
		}
	})
}

// A node with only IPv4 cannot get an IPv6 backend while it runs: errors about its packets would go to
// the host's stack.
func TestTheFirstTunnelEndNeedsARestart(t *testing.T) {
	s := newProgramSubject(t, testConfig())
	services := testConfig().Services
	for i := range services {
		if services[i].Mode.Encapsulates() {
			services[i].Backends = []dataplane.Backend{{Addr: end(1), Port: services[i].Port}}
		}
	}
	s.host.TunnelSources = append(s.host.TunnelSources, end(2))
	if err := s.SetServices(services, testConfig().VIPs); err == nil || !strings.Contains(err.Error(), "is the first IPv6 address") {
		t.Errorf("an IPv6 backend without an IPv6 table: %v", err)
	}
}
