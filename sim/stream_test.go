package sim

import (
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/ctsync"
	"baton/scenarios/fault"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// TestAStreamEndsBehindWhatWasSentOnIt: the last frames of a killed daemon still arrive, and its
// kernel's RST crosses the link like other segments.
func TestAStreamEndsBehindWhatWasSentOnIt(t *testing.T) {
	o := settled(t)
	dead := o.processOf(o.master())
	peer := lab.Peer(dead.id)
	on := lab.Selector{From: dead.id, To: peer, Only: lab.Stream}
	o.do(t, plan.Fault{Verb: fault.Delay, On: &on, Time: 100 * time.Millisecond})
	o.pass(t, time.Second)
	killed, began := o.now, len(o.events)
	o.do(t, plan.Fault{Verb: fault.Kill, Hosts: []string{dead.id}})
	o.pass(t, 2*time.Second)
	var lost clock.Instant
	for _, e := range o.events[began:] {
		if e.Node == peer && e.Sync != nil && e.Sync.Phase == ctsync.PhaseLost && lost == 0 {
			lost = e.At
		}
	}
	if took := lost.Sub(killed); took < 100*time.Millisecond || took > 110*time.Millisecond {
		t.Errorf("the stream of %s is lost %v after the kill, want 100ms", peer, took)
	}
}

// TestARSTOfAStreamIsRepeated: the kernel answers each retransmission, until one passes.
func TestARSTOfAStreamIsRepeated(t *testing.T) {
	o := settled(t)
	dead := o.processOf(o.master())
	peer := lab.Peer(dead.id)
	on := lab.Selector{From: dead.id, To: peer, Only: lab.Stream}
	o.do(t, plan.Fault{Verb: fault.Cut, On: &on})
	o.closeStream(dead)                    // while the heartbeats go on
	o.stream.sides[dead.index].stuck = nil // the FIN is not what is tested
	o.pass(t, 300*time.Millisecond)
	began := len(o.events)
	o.do(t, plan.Fault{Verb: fault.Heal})
	o.pass(t, time.Second)
	for _, e := range o.events[began:] {
		if e.Node == peer && e.Sync != nil && e.Sync.Phase == ctsync.PhaseLost {
			if e.Sync.Why != "connection reset by peer" {
				t.Errorf("the stream was lost: %s", e.Sync.Why)
			}
			return
		}
	}
	t.Error("no RST came through after the heal")
}

// TestAHandshakeWaitsForAListenerThatStandsStill: a frozen listener's kernel accepts the connection,
// and the handshake continues after the thaw. Once the process has ended, it is refused.
func TestAHandshakeWaitsForAListenerThatStandsStill(t *testing.T) {
	for name, then := range map[string][]string{"and goes on": {fault.Thaw}, "and ends": {fault.Kill, fault.Restore}} {
		o := settled(t)
		l := o.processes[listener]
		o.do(t, plan.Fault{Verb: fault.Freeze, Hosts: []string{l.id}})
		o.resetStream(o.processes[dialler])
		o.pass(t, 400*time.Millisecond)
		if o.stream.sides[dialler].open {
			t.Fatalf("a listener that stands still %s: it has a stream", name)
		}
		for _, verb := range then {
			o.do(t, plan.Fault{Verb: verb, Hosts: []string{l.id}})
		}
		o.pass(t, dialRetry+2*handshakeMax+thawWindow+20*time.Millisecond)
		if !o.stream.sides[dialler].open {
			t.Errorf("a listener that stands still %s: it has no stream after that", name)
		}
	}
}
