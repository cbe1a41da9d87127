package bpf

import (
	"sync/atomic"
	"testing"

	"github.com/cilium/ebpf"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// The table of entries can be full while that of claims is not, between the two steps of a
// removal. A new flow that then finds no room for its entry gives its claim back.
func TestAFullTableKeepsNoClaim(t *testing.T) {
	s := newProgramSubject(t, testConfig())
	s.must(s.Lease(clock.Never))
	for i := range testConfig().MaxFlows {
		s.must(s.Apply([]flow.Entry{filler(i)}))
	}
	released := filler(0).Reply
	s.must(s.shared.Replies.Delete(toTuple[ipv4](released)))
	if got, _ := fate(t, s, "client0", fromClient(toVIP(flow.TCP, 43000, dnatPort), syn)); got != "drop table-full" {
		t.Errorf("got %s, want drop table-full", got)
	}
	if got, want := len(s.claims()), testConfig().MaxFlows-1; got != want {
		t.Errorf("%d reply tuples are claimed, want %d", got, want)
	}
	s.must(s.shared.Replies.Put(toTuple[ipv4](released), toTuple[ipv4](filler(0).Original))) // a claim that matches the entry
}

// A claim can be older than the entry of its flow: a packet on it is not the entry's reply.
func TestAReplyHasTheTupleOfItsEntry(t *testing.T) {
	s := newProgramSubject(t, testConfig())
	s.must(s.Lease(clock.Never))
	o, r := toVIP(flow.TCP, 40000, dnatPort), dnatReply(flow.TCP, 40000, 8081)
	former := dnatReply(flow.TCP, 40000, 8082)
	s.must(s.Apply([]flow.Entry{{Original: o, Reply: r, State: flow.Established, Origin: flow.Synced}}))
	s.must(s.shared.Replies.Put(toTuple[ipv4](former), toTuple[ipv4](o)))
	for _, p := range []step{back(former, ack, "drop miss"), back(r, ack, forwarded(o.Reverse()))} {
		if got, _ := fate(t, s, p.link, p.frame); got != p.want {
			t.Errorf("got %s, want %s", got, p.want)
		}
	}
	s.must(s.shared.Replies.Delete(toTuple[ipv4](former)))
}

// wordReopening is WORD_REOPENING of types.h.
const wordReopening = 1 << 9

// A packet that reopens an entry owns it until it has written the new one.
func TestAnEntryThatIsReopenedIsNotRemoved(t *testing.T) {
	s := newProgramSubject(t, testConfig())
	o, r := toVIP(flow.TCP, 40000, dnatPort), dnatReply(flow.TCP, 40000, 8081)
	s.must(s.Apply([]flow.Entry{{Original: o, Reply: r, State: flow.Closed, Origin: flow.Synced}}))
	var conn rawConn[ipv4]
	s.must(s.shared.Conns.Lookup(toTuple[ipv4](o), &conn))
	conn.Word |= wordReopening
	s.must(s.shared.Conns.Put(toTuple[ipv4](o), conn))
	s.must(s.Delete([]flow.Tuple{o}))
	if _, found, err := s.Lookup(o); err != nil || !found {
		t.Errorf("the entry is there: %v, error %v", found, err)
	}
	if owner := s.claims()[r]; owner != o {
		t.Errorf("the reply tuple is claimed by %v, want %v", owner, o)
	}
	conn.Word &^= wordReopening
	s.must(s.shared.Conns.Put(toTuple[ipv4](o), conn))
}

// Services are replaced under traffic: a packet sees the old or the new backends, never a
// missing service, or the size of one table with the contents of another.
func TestNoPacketIsDroppedWhileServicesAreReplaced(t *testing.T) {
	with := func(backends ...uint16) []dataplane.Service {
		return []dataplane.Service{labService(flow.UDP, dnatPort, dataplane.DNAT, dataplane.RoundRobin, backends...)}
	}
	many, few := with(8081, 8082, 8083, 8084, 8085, 8086, 8087, 8088), with(8081)
	keeps := func(last uint16) []dataplane.Service {
		return []dataplane.Service{ranged(with()[0], last, backendAddr)}
	}
	for name, by := range map[string][2][]dataplane.Service{
		"backends":              {many, few},
		"a port by a range":     {few, keeps(dnatPort + 9)},
		"a range by a narrower": {keeps(dnatPort + 9), keeps(dnatPort + 1)},
	} {
		t.Run(name, func(t *testing.T) { replaceServices(t, by[0], by[1]) })
	}
}

// TestReplacedServicesStayWhilePacketsSearch: a packet that has not found the new service, because it was not
// written yet, still finds the old one. What nobody replaces is written without a wait.
func TestReplacedServicesStayWhilePacketsSearch(t *testing.T) {
	to := func(backends ...uint16) dataplane.Service {
		return labService(flow.UDP, dnatPort, dataplane.DNAT, dataplane.RoundRobin, backends...)
	}
	port, others := []dataplane.Service{to(8081)}, []dataplane.Service{to(8082)}
	portRange := []dataplane.Service{ranged(to(), dnatPort+9, backendAddr)}
	narrow := []dataplane.Service{ranged(to(), dnatPort+1, backendAddr)}
	for _, c := range []struct {
		name             string
		was, is          []dataplane.Service
		waits            int
		services, ranges int // in the maps while packets search
		ranged           bool
	}{
		{"a port by a range", port, portRange, 1, 2, 1, false},
		{"a range by a port", portRange, port, 1, 2, 1, true},
		{"a range by a narrower one", portRange, narrow, 1, 2, 2, true},
		{"backends by others", port, others, 1, 1, 0, false},
		{"nothing", port, port, 0, 0, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newProgramSubject(t, labConfig(c.was...))
			f := s.Dataplane.families[0].(*family[ipv4])
			waits := 0
			s.Dataplane.quiesce = func() error {
				waits++
				var isRanged bool
				s.must(f.objs.Ranged.Get(&isRanged))
				if services, ranges := entries[rawServiceKey[ipv4], rawService[ipv4]](f.services.kernel), entries[rawPortKey[ipv4], rawServiceKey[ipv4]](f.ranges.kernel); services != c.services || ranges < c.ranges || isRanged != c.ranged {
					t.Errorf("while packets search there are %d services and %d ranges, searched %t; want %d, at least %d, %t", services, ranges, isRanged, c.services, c.ranges, c.ranged)
				}
				return s.Dataplane.grace.wait()
			}
			s.must(s.Dataplane.SetServices(c.is, s.cfg.VIPs))
			if services := entries[rawServiceKey[ipv4], rawService[ipv4]](f.services.kernel); waits != c.waits || services != 1 {
				t.Errorf("%d waits, want %d; then %d services are left", waits, c.waits, services)
			}
		})
	}
}

// entries counts the entries of a map.
func entries[K, V any](m *ebpf.Map) (n int) {
	var key K
	var value V
	for it := m.Iterate(); it.Next(&key, &value); {
		n++
	}
	return n
}

func replaceServices(t *testing.T, many, few []dataplane.Service) {
	// One processor switches between the two every few milliseconds: it takes many packets until some
	// come between two writes.
	const rounds, packets = 100, 5000
	s := newProgramSubject(t, labConfig(many...))
	s.must(s.Lease(clock.Never))
	done, sent := make(chan struct{}), make(chan error, 1)
	var count atomic.Int64
	o := toVIP(flow.UDP, 40000, dnatPort)
	go func() {
		var err error
		for frame := unaddressed(fromClient(o, 0)); err == nil && !closed(done); {
			if err = s.Delete([]flow.Tuple{o}); err == nil {
				_, _, err = s.shared.FromClient.Benchmark(frame, 1, nil)
			}
			count.Add(1)
		}
		sent <- err
	}()
	replaced := 0
	for ; (replaced < rounds || count.Load() < packets) && len(sent) == 0; replaced++ {
		s.must(s.Dataplane.SetServices(few, s.cfg.VIPs))
		s.must(s.Dataplane.SetServices(many, s.cfg.VIPs))
	}
	close(done)
	s.must(<-sent)
	c := counters(t, s)
	for _, reason := range []dataplane.Drop{dataplane.DropNoService, dataplane.DropNoBackend} {
		if n := c.Dropped[reason]; n > 0 {
			t.Errorf("%d packets dropped for %s", n, reason)
		}
	}
	if c.Created < rounds {
		t.Errorf("only %d flows were opened while services were replaced %d times", c.Created, 2*replaced)
	}
}
