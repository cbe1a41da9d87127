package bpf

import (
	"fmt"
	"sync"
	"testing"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// The kernel may reuse the memory of a removed entry for another flow while a program still
// holds a pointer from its lookup. The program then sees the other flow's word; here that
// word is there from the beginning.
func TestMemoryOfAnotherFlowIsNotTouched(t *testing.T) {
	s := newProgramSubject(t, testConfig())
	o, r := toVIP(flow.TCP, 40000, dnatPort), dnatReply(flow.TCP, 40000, 8081)
	other := toVIP(flow.TCP, 40001, dnatPort)
	s.must(s.Lease(clock.Never))
	s.must(s.Apply([]flow.Entry{
		{Original: o, Reply: r, State: flow.Established, Origin: flow.Synced},
		{Original: other, Reply: dnatReply(flow.TCP, 40001, 8081), State: flow.Established, Origin: flow.Synced},
	}))
	var mine, its rawConn[ipv4]
	s.must(s.shared.Conns.Lookup(toTuple[ipv4](o), &mine))
	s.must(s.shared.Conns.Lookup(toTuple[ipv4](other), &its))
	recycled := mine
	recycled.Word = its.Word
	s.must(s.shared.Conns.Put(toTuple[ipv4](o), recycled))

	for _, p := range []step{in(o, ack|psh, "drop miss"), in(o, rst, "drop miss"), in(o, syn, "drop miss"),
		back(r, ack|psh, "drop miss"), back(r, fin|ack, "drop miss")} {
		if got, _ := fate(t, s, p.link, p.frame); got != p.want {
			t.Errorf("got %s, want %s", got, p.want)
		}
	}
	s.must(s.Delete([]flow.Tuple{o}))
	var after rawConn[ipv4]
	s.must(s.shared.Conns.Lookup(toTuple[ipv4](o), &after))
	if after != recycled {
		t.Errorf("entry %+v became %+v", recycled, after)
	}
	if got := events(t, s); len(got) != 0 {
		t.Errorf("events %q, want none", got)
	}
	s.must(s.shared.Conns.Put(toTuple[ipv4](o), mine)) // so that the claims can be released
}

// The FINs of both sides arrive on two CPUs at once: the last event of each flow has its
// final state.
func TestEventsComeInTheOrderOfTheStates(t *testing.T) {
	const flows = 20
	cfg := labConfig(labService(flow.TCP, dnatPort, dataplane.DNAT, dataplane.RoundRobin, 8081))
	s := newProgramSubject(t, cfg)
	for round := range 100 {
		s.reset()
		s.must(s.Lease(clock.Never))
		for i := range uint16(flows) {
			o, r := toVIP(flow.TCP, 40000+i, dnatPort), dnatReply(flow.TCP, 40000+i, 8081)
			s.must(s.Apply([]flow.Entry{{Original: o, Reply: r, State: flow.Established, Origin: flow.Synced}}))
			for _, p := range []step{blindly(1, 1, in(o, ack, "")), blindly(1, 1+uint32(len(payload)), back(r, ack, ""))} {
				s.packet(p.link, p.frame)
			}
		}
		s.finishOnTwoCPUs(flows)
		last := map[flow.Tuple]flow.State{}
		_, err := s.Poll(dataplane.AllPending, func(e flow.Event) { last[e.Entry.Original] = e.Entry.State })
		s.must(err)
		s.must(s.Dump(func(e flow.Entry) bool {
			if e.State != flow.Closed || last[e.Original] != e.State {
				t.Errorf("round %d: %s is %s, not closed, or its last event says %s", round, e.Original, e.State, last[e.Original])
			}
			return true
		}))
	}
}

// finishOnTwoCPUs sends the FINs of both sides of the flows, each side on its own thread.
func (s *programSubject) finishOnTwoCPUs(flows uint16) {
	length := uint32(len(payload))
	var start, done sync.WaitGroup
	start.Add(2)
	for _, link := range []string{"client0", "backend0"} {
		done.Go(func() {
			start.Done()
			start.Wait()
			for i := range flows {
				frame := fromClient(toVIP(flow.TCP, 40000+i, dnatPort), fin|ack)
				if link == "backend0" {
					frame = fromBackend(dnatReply(flow.TCP, 40000+i, 8081), fin|ack)
				}
				frame = unaddressed(withNumbers(frame, 1+length, 1+length))
				if _, _, err := s.chain(link)[0].Benchmark(frame, 1, nil); err != nil {
					s.t.Error(fmt.Errorf("FIN on %s: %w", link, err))
				}
			}
		})
	}
	done.Wait()
}
