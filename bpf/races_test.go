package bpf

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// Several CPUs process packets of the same few flows at the same time, while user space
// removes their entries. In any order, every claim must end with an entry and every entry
// with its claim: a leaked claim is a SNAT port lost forever.
func TestClaimsSurviveRaces(t *testing.T) {
	const senders, rounds = 2, 6000
	cfg := labConfig(
		labService(flow.TCP, fullnatPort, dataplane.FullNAT, dataplane.RoundRobin, 8080, 8081, 8082),
		labService(flow.TCP, dnatPort, dataplane.DNAT, dataplane.RoundRobin, 8083, 8084),
		labService(flow.TCP, maglevPort, dataplane.DNAT, dataplane.Maglev, 8085, 8086),
	)
	s := newProgramSubject(t, cfg)
	s.must(s.Lease(clock.Never))

	var packets sync.WaitGroup
	var arrived atomic.Int64
	for range senders {
		random := rand.New(rand.NewPCG(1, 1)) // the same for all
		packets.Go(func() {
			for round := range int64(rounds) {
				flags := []int{syn, syn, syn, rst, ack, fin | ack}[random.IntN(6)]
				frame := fromClient(randomFlow(random), flags)
				if flags&rst != 0 { // with the number that its receiver expects
					frame = withNumbers(frame, clientISN+1, 0)
				}
				frame = unaddressed(frame)
				for arrived.Add(1); arrived.Load() < senders*(round+1); {
					runtime.Gosched()
				}
				if _, _, err := s.shared.FromClient.Benchmark(frame, 1, nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { packets.Wait(); close(done) }()
	swept := make(chan error)
	go func() { swept <- sweepUntil(s, done) }()
	merged := make(chan error)
	go func() { merged <- mergeUntil(s, done) }()
	if err := deleteUntil(s, done); err != nil {
		t.Fatal(err)
	}
	if err := <-merged; err != nil {
		t.Fatal(err)
	}
	if err := <-swept; err != nil {
		t.Fatal(err)
	}

	checkClaims(t, s)
	if c := counters(t, s); c.Created < rounds/10 {
		t.Errorf("only %d flows were opened: the race was none", c.Created)
	}
}

func randomFlow(random *rand.Rand) flow.Tuple {
	port := []uint16{fullnatPort, dnatPort, maglevPort}[random.IntN(3)]
	return toVIP(flow.TCP, uint16(40000+random.IntN(2)), port)
}

func sweepUntil(s *programSubject, done chan struct{}) error {
	for !closed(done) {
		if _, err := s.Sweep(origin.Add(24*time.Hour), 0); err != nil {
			return err
		}
	}
	return nil
}

func deleteUntil(s *programSubject, done chan struct{}) error {
	random := rand.New(rand.NewPCG(99, 1))
	for !closed(done) {
		if err := s.Delete([]flow.Tuple{randomFlow(random), randomFlow(random)}); err != nil {
			return err
		}
	}
	return nil
}

// mergeUntil adds and removes replicated entries of the same flows, some with the reply
// tuples that the packets choose and some with others.
func mergeUntil(s *programSubject, done chan struct{}) error {
	random := rand.New(rand.NewPCG(7, 1))
	for !closed(done) {
		o := randomFlow(random)
		e := flow.Entry{Original: o, Reply: dnatReply(flow.TCP, o.SrcPort, uint16(8083+random.IntN(4))), State: flow.Established, Origin: flow.Synced}
		if err := s.Merge([]flow.Entry{e}, []flow.Tuple{randomFlow(random)}); err != nil {
			return err
		}
	}
	return nil
}

func closed(done chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}
