package bpf

import (
	"testing"

	"baton/impl/clock"
	"baton/impl/flow"
)

// TestMergeSparesWhatIsThere: neither an existing entry nor another flow's reply tuple is
// overwritten, and entries made by packets are not deleted.
func TestMergeSparesWhatIsThere(t *testing.T) {
	s := newProgramSubject(t, testConfig())
	s.must(s.Lease(clock.Never))
	replicated := func(client, port uint16) flow.Entry {
		return flow.Entry{Original: toVIP(flow.TCP, client, dnatPort), Reply: dnatReply(flow.TCP, client, port), State: flow.Established, Origin: flow.Synced}
	}
	gone, kept, missing := replicated(40000, 8081), replicated(40001, 8081), replicated(40002, 8081)
	opened := toVIP(flow.TCP, 40003, dnatPort)
	s.must(s.Apply([]flow.Entry{gone, kept}))
	s.packet("client0", fromClient(opened, syn))
	mine, _, err := s.Lookup(opened)
	s.must(err)

	other := kept
	other.State = flow.FinWait
	rival := missing
	rival.Original, rival.Reply = toVIP(flow.TCP, 40009, dnatPort), mine.Reply
	moved := kept
	moved.Reply = dnatReply(flow.TCP, 40001, 8082)
	again := mine
	again.State, again.Origin = flow.Established, flow.Synced
	s.must(s.Merge([]flow.Entry{other, moved, missing, again, rival}, []flow.Tuple{gone.Original, opened}))

	for _, want := range []struct {
		original flow.Tuple
		state    flow.State // 0: none
	}{{gone.Original, 0}, {kept.Original, flow.Established}, {missing.Original, flow.Established}, {opened, mine.State}, {rival.Original, 0}} {
		if got, found, err := s.Lookup(want.original); err != nil || found != (want.state != 0) || got.State != want.state {
			t.Errorf("%s: %+v, found %v, %v; want state %s", want.original, got, found, err, want.state)
		}
	}
	checkClaims(t, s)
}

// TestMergeDeletesNothingThatAPacketHasChangedMeanwhile: an entry that was replicated when it was
// looked up is only removed if it is unchanged.
func TestMergeDeletesNothingThatAPacketHasChangedMeanwhile(t *testing.T) {
	s := newProgramSubject(t, testConfig())
	s.must(s.Lease(clock.Never))
	original := toVIP(flow.TCP, 40000, dnatPort)
	e := flow.Entry{Original: original, Reply: dnatReply(flow.TCP, 40000, 8081), State: flow.Closed, Origin: flow.Synced}
	s.must(s.Apply([]flow.Entry{e}))
	looked, err := s.v4().replicated([]flow.Tuple{original})
	s.must(err)
	if len(looked) != 1 {
		t.Fatalf("%d replicated entries, want 1", len(looked))
	}
	s.packet("client0", fromClient(original, syn)) // opens the flow anew
	removed, err := s.v4().removeUnchanged(looked, s.now())
	s.must(err)
	if got, found, err := s.Lookup(original); len(removed) != 0 || !found || err != nil || got.State != flow.SynSent {
		t.Errorf("removed %d, then found %v: %+v, %v; want the flow that the packet has opened", len(removed), found, got, err)
	}
}
