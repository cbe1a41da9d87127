package node_test

import (
	"slices"
	"testing"
	"time"

	"baton/impl/flow"
	. "baton/impl/node"
)

const labDefer = 5 * time.Millisecond

// newDeferringPair returns a lab in which lb1 is MASTER, and knows that lb2 is in sync.
func newDeferringPair(t *testing.T) *lab {
	l := newPair(t, func(c *Config) { c.Defer = labDefer })
	l.until(time.Second, "lb1 knows that lb2 is in sync", func() bool { return l.nodes["lb1"].node.Status().PairInSync })
	return l
}

// replies makes the dataplane of a node defer the replies of flows, by their numbers.
func (l *lab) replies(id string, flows ...int) {
	var events []flow.Event
	for _, i := range flows {
		events = append(events, flow.Event{Entry: labEntry(i), Deferred: flow.Deferred{ID: uint64(i), Bytes: 60}})
	}
	l.step(l.nodes[id], Flows{Events: events})
}

func (l *lab) wantReplies(when string, sent, dropped []uint64) {
	l.t.Helper()
	if n := l.nodes["lb1"]; !slices.Equal(n.replied, sent) || !slices.Equal(n.dropped, dropped) {
		l.t.Errorf("%s: sent %v and dropped %v, want %v and %v", when, n.replied, n.dropped, sent, dropped)
	}
}

func (l *lab) wantDeferred(want DeferStats) {
	l.t.Helper()
	got := l.nodes["lb1"].node.Status().Defer
	if got == nil {
		l.t.Fatal("replies are not deferred")
	}
	if got.Waited = 0; got.DeferStats != want {
		l.t.Errorf("deferred %+v, want %+v", got.DeferStats, want)
	}
}

// TestReplyWaitsForThePeer: a client gets the reply once the peer has the flow.
func TestReplyWaitsForThePeer(t *testing.T) {
	l := newDeferringPair(t)
	l.open("lb1", 1)
	l.replies("lb1", 1)
	l.run(labDelay)
	l.wantReplies("on the way to the peer", nil, nil)
	l.run(2 * labDelay)
	l.wantReplies("acknowledged", []uint64{1}, nil)
	if _, has := l.nodes["lb2"].table[labEntry(1).Original]; !has {
		t.Error("the peer does not have the flow")
	}
	l.replies("lb1", 1)
	l.wantReplies("retransmitted", []uint64{1, 1}, nil)
	l.wantDeferred(DeferStats{Acked: 2})
	if waited := l.nodes["lb1"].node.Status().Defer.Waited; waited != 2*labDelay {
		t.Errorf("waited %v, want %v for the first alone", waited, 2*labDelay)
	}
}

// TestReplyWaitsForItsOwnFlow: not for flows before or after it.
func TestReplyWaitsForItsOwnFlow(t *testing.T) {
	l := newDeferringPair(t)
	l.open("lb1", 1)
	l.run(4 * labDelay)
	l.dropSync["lb1"] = true
	l.open("lb1", 2)
	l.replies("lb1", 2, 1)
	l.run(4 * labDelay)
	l.wantReplies("of two flows", []uint64{1}, nil)
}

// TestReplyWaitsNoLongerThanTheLimit: the peer does not answer.
func TestReplyWaitsNoLongerThanTheLimit(t *testing.T) {
	l := newDeferringPair(t)
	l.dropSync["lb2"] = true
	l.open("lb1", 1)
	l.replies("lb1", 1)
	l.run(labDefer / 2)
	l.open("lb1", 2)
	l.replies("lb1", 2)
	l.run(labDefer/2 - time.Microsecond)
	l.wantReplies("before the limit", nil, nil)
	l.run(2 * time.Microsecond)
	l.wantReplies("at the limit of the first", []uint64{1}, nil)
	l.run(labDefer)
	l.wantReplies("at the limit of both", []uint64{1, 2}, nil)
	l.wantDeferred(DeferStats{TimedOut: 2})
}

// TestReplyOfAFlowWhoseEventWasLost: it waits for the limit, since no acknowledgement covers it.
func TestReplyOfAFlowWhoseEventWasLost(t *testing.T) {
	l := newDeferringPair(t)
	l.replies("lb1", 1)
	l.run(labDefer - time.Microsecond)
	l.wantReplies("before the limit", nil, nil)
	l.run(2 * time.Microsecond)
	l.wantDeferred(DeferStats{TimedOut: 1})
}

// TestReplyDoesNotWaitForAPeerThatIsNotInSync: nor for one that disappears meanwhile.
func TestReplyDoesNotWaitForAPeerThatIsNotInSync(t *testing.T) {
	l := newDeferringPair(t)
	l.dropSync["lb2"] = true
	l.open("lb1", 1)
	l.replies("lb1", 1)
	l.dropStream(l.nodes["lb2"])
	l.run(labDefer / 2)
	l.wantReplies("without a stream", []uint64{1}, nil)
	l.open("lb1", 2)
	l.replies("lb1", 2)
	l.wantReplies("after it", []uint64{1, 2}, nil)
	l.wantDeferred(DeferStats{NoPeer: 2})
}

// TestReplyIsNotSentByANodeThatDoesNotForward: neither waiting nor later replies.
func TestReplyIsNotSentByANodeThatDoesNotForward(t *testing.T) {
	l := newDeferringPair(t)
	l.dropSync["lb2"] = true
	l.open("lb1", 1)
	l.replies("lb1", 1)
	l.step(l.nodes["lb1"], Link{Name: "client0"})
	l.wantReplies("demoted", nil, []uint64{1})
	l.replies("lb1", 2)
	l.wantReplies("read after it", nil, []uint64{1, 2})
	l.run(2 * labDefer)
	l.wantReplies("after the limit", nil, []uint64{1, 2})
	l.wantDeferred(DeferStats{Dropped: 2})
}

// TestReplyOfAFrozenNode: it is dropped, since the lease has expired meanwhile.
func TestReplyOfAFrozenNode(t *testing.T) {
	l := newDeferringPair(t)
	l.dropSync["lb2"] = true
	l.open("lb1", 1)
	l.replies("lb1", 1)
	l.freeze("lb1")
	l.run(2 * labDetect)
	l.thaw("lb1")
	l.run(labDelay)
	l.wantReplies("thawed", nil, []uint64{1})
}

// TestDeferredRepliesAreBounded: in number and in bytes.
func TestDeferredRepliesAreBounded(t *testing.T) {
	for name, c := range map[string]struct{ bytes, room int }{"number": {60, 4096}, "bytes": {2048, 512}} {
		t.Run(name, func(t *testing.T) {
			l := newDeferringPair(t)
			l.dropSync["lb2"] = true
			l.open("lb1", 1)
			events := make([]flow.Event, c.room+1)
			for i := range events {
				events[i] = flow.Event{Entry: labEntry(1), Deferred: flow.Deferred{ID: uint64(i + 1), Bytes: c.bytes}}
			}
			l.step(l.nodes["lb1"], Flows{Events: events})
			if sent := l.nodes["lb1"].replied; len(sent) != 1 || sent[0] != uint64(c.room+1) {
				t.Errorf("sent %d replies at once, want the one beyond the bound", len(sent))
			}
			l.run(2 * labDefer)
			l.wantDeferred(DeferStats{Full: 1, TimedOut: uint64(c.room)})
			l.replies("lb1", 1)
			l.wantDeferred(DeferStats{Full: 1, TimedOut: uint64(c.room)})
		})
	}
}

// TestDroppedRepliesMakeRoom: a node that has dropped its waiting replies and is MASTER again can
// defer as many as before.
func TestDroppedRepliesMakeRoom(t *testing.T) {
	l := newDeferringPair(t)
	l.dropSync["lb2"] = true
	l.open("lb1", 1)
	events := make([]flow.Event, 512)
	for i := range events {
		events[i] = flow.Event{Entry: labEntry(1), Deferred: flow.Deferred{ID: uint64(i + 1), Bytes: 2048}}
	}
	l.step(l.nodes["lb1"], Flows{Events: events})
	l.step(l.nodes["lb1"], Link{Name: "client0"})
	masterWithin(l, "lb2", time.Second)
	l.step(l.nodes["lb1"], Link{Name: "client0", Up: true})
	l.run(time.Second)
	l.crash("lb2")
	masterWithin(l, "lb1", 20*time.Second)
	l.replies("lb1", 1)
	l.wantDeferred(DeferStats{Dropped: 512, NoPeer: 1})
}
