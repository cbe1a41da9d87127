package node_test

import (
	. "baton/impl/node"
	"testing"
	"time"

	"baton/impl/bfd"
	"baton/impl/trace"
)

// beating is a node of an idle pair, with the packets that its peer would send.
type beating struct {
	*Node
	packets [][]byte
}

func newBeating(t *testing.T, id string) *beating {
	l := newPair(t)
	l.run(5 * time.Second)
	b := &beating{Node: l.nodes[id].node}
	for i := range 2 {
		packet := bfd.Packet{State: bfd.Up, DetectMult: labMult, MyDiscr: b.Session(i).RemoteDiscr(), YourDiscr: b.PathConfig(i).BFD.LocalDiscr,
			DesiredMinTxInterval: labTx, RequiredMinRxInterval: labTx}
		b.packets = append(b.packets, packet.AppendTo(nil))
	}
	// The sync stream has messages of its own now and then.
	b.Step(b.Now(), Stream{ID: b.StreamID()})
	b.Release(b.Ready())
	return b
}

// beat steps the node up to its next packet, and then through one packet of the peer on
// each path. take gets the effects.
func (b *beating) beat(take func([]Effect)) {
	for sent := false; !sent; {
		b.Step(b.Deadline(), Timer{})
		effects := b.Ready()
		for _, e := range effects {
			_, is := e.(*SendBFD)
			sent = sent || is
		}
		take(effects)
	}
	for i, packet := range b.packets {
		b.Step(b.Now(), Packet{Path: i, Data: packet, TTL: 255, At: b.Now()})
		take(b.Ready())
	}
}

// TestAHeartbeatAllocatesNothing: neither receiving nor sending nor renewing the lease
// allocates if effects are released.
func TestAHeartbeatAllocatesNothing(t *testing.T) {
	for _, id := range []string{"lb1", "lb2"} {
		b := newBeating(t, id)
		hundred := func() { // because AllocsPerRun rounds down
			for range 100 {
				b.beat(b.Release)
			}
		}
		hundred() // the gates follow the stream
		allocs := testing.AllocsPerRun(10, hundred)
		for i := 0; allocs != 0 && i < 4; i++ { // what the runtime allocates meanwhile counts too, but not each time
			allocs = testing.AllocsPerRun(10, hundred)
		}
		if allocs != 0 {
			t.Errorf("%s: %v allocations in a hundred heartbeats", id, allocs)
		}
	}
}

func TestUnreleasedEffectsAreNeverOverwritten(t *testing.T) {
	b := newBeating(t, "lb1")
	type shown struct {
		state string
		lease trace.Lease
		grant Lease
	}
	var kept []Effect
	var were []shown
	show := func(e Effect) (s shown) {
		switch e := e.(type) {
		case *SendBFD:
			s.state = string(e.Data)
		case *Lease:
			s.grant = *e
		case *Trace:
			if e.Event.Lease != nil {
				s.lease = *e.Event.Lease
			}
		}
		return s
	}
	for range 10 {
		b.beat(func(effects []Effect) {
			half := len(effects) / 2
			for _, e := range effects[half:] {
				kept, were = append(kept, e), append(were, show(e))
			}
			b.Release(effects[:half])
		})
	}
	for i, e := range kept {
		if is := show(e); is != were[i] {
			t.Errorf("%T was %+v and is %+v", e, were[i], is)
		}
	}
}
