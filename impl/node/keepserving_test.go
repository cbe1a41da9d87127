package node_test

import (
	"testing"
	"time"

	. "baton/impl/node"
)

func keepServing(c *Config) { c.Arbiter = Arbiter{Validity: labValidity, Policy: KeepServing} }

// newKeeping returns a pair with the policy whose nodes have noticed the loss of the arbiter.
func newKeeping(t *testing.T, edit ...func(*Config)) *lab {
	l := newPair(t, append(edit, keepServing)...)
	l.run(2 * time.Second)
	l.loseArbiter()
	l.run(2 * labValidity)
	return l
}

func (l *lab) loseArbiter() { l.remote["lb1"], l.remote["lb2"] = true, true }

// neverForwards lets time pass and fails if a node forwards.
func (l *lab) neverForwards(id string, d time.Duration) {
	l.t.Helper()
	for end := l.now.Add(d); l.now < end; {
		l.run(time.Millisecond)
		if l.nodes[id].lease > l.now {
			l.t.Fatalf("%s forwards at %v\n%s", id, l.now, l.transcript())
		}
	}
}

// A MASTER that has lost the arbiter continues when its peer dies. FailClosed stops.
func TestTheMasterGoesOnWithoutArbiterAndPeer(t *testing.T) {
	for offset := time.Duration(0); offset < labTx; offset += 3 * time.Millisecond {
		l := newKeeping(t)
		l.run(offset)
		l.crash("lb2")
		l.leaseHolds("lb1", 10*time.Second)
		if a := l.nodes["lb1"].node.Status().Arbiter; a == nil || !a.Alone || a.Answers {
			t.Fatalf("status %+v of a MASTER without arbiter and peer", a)
		}
		was := l.nodes["lb1"].node.Status().Arbiter.For
		l.run(time.Second)
		if got := l.nodes["lb1"].node.Status().Arbiter.For - was; was < 9*time.Second || was > 10*time.Second || (got-time.Second).Abs() > labTx {
			t.Fatalf("it says that it has been alone for %v, and a second later for another %v", was, got)
		}
	}
}

// In a partition without an arbiter the MASTER remains the only forwarder.
func TestAPartitionWithoutAnArbiterLeavesTheMaster(t *testing.T) {
	for offset := time.Duration(0); offset < labTx; offset += 3 * time.Millisecond {
		l := newKeeping(t)
		l.run(offset)
		l.part(true)
		l.leaseHolds("lb1", 5*time.Second)
		l.part(false)
		l.leaseHolds("lb1", 5*time.Second)
	}
}

// If arbiter and peer are lost at once, the MASTER first has to notice that the arbiter does
// not answer: it serves again after half a validity.
func TestArbiterAndPeerLostTogether(t *testing.T) {
	for offset := time.Duration(0); offset < labValidity; offset += 37 * time.Millisecond {
		l := newPair(t, keepServing)
		l.run(2*time.Second + offset)
		l.loseArbiter()
		l.crash("lb2")
		l.alwaysOne(5*time.Second, labValidity/2+2*labDetect)
	}
}

// A silent peer never makes a node a new MASTER without the arbiter.
func TestNoNewMasterWithoutTheArbiter(t *testing.T) {
	l := newKeeping(t)
	l.crash("lb1")
	l.neverForwards("lb2", 10*time.Second)
	l.remote["lb2"] = false
	l.until(2*labValidity, "lb2 is Master by the arbiter's word", func() bool { return l.role("lb2") == "Master" })
}

// If the arbiter answers both nodes again, the node that continued without it gets the right.
func TestTheReturnOfTheArbiterLeavesTheMaster(t *testing.T) {
	for offset := time.Duration(0); offset < labValidity; offset += 37 * time.Millisecond {
		l := newKeeping(t)
		l.part(true)
		l.run(time.Second + offset)
		l.remote["lb1"], l.remote["lb2"] = false, false
		l.leaseHolds("lb1", 3*labValidity)
	}
}

// A MASTER that has restarted is a new one.
func TestARestartedMasterWaitsForTheArbiter(t *testing.T) {
	l := newKeeping(t)
	l.crash("lb2")
	l.run(time.Second)
	l.crash("lb1")
	l.restart("lb1")
	l.neverForwards("lb1", 5*time.Second)
}

// A role that was handed over is not resumed, even if the peer is silent from then on.
func TestARoleThatWasHandedOverIsNotResumed(t *testing.T) {
	l := newKeeping(t)
	l.step(l.nodes["lb1"], Handover{})
	l.until(10*time.Millisecond, "the grant is on its way", func() bool { return l.role("lb1") == "Backup" })
	l.drop("lb2", true)
	l.dropSync["lb2"] = true
	l.until(10*time.Millisecond, "lb2 is Master", func() bool { return l.role("lb2") == "Master" })
	l.part(true)
	l.neverForwards("lb1", 3*time.Second)
}

// A MASTER whose lease expired in a pause serves again without the arbiter.
func TestAPausedMasterResumes(t *testing.T) {
	for _, pause := range []time.Duration{labDetect, 4 * labDetect, 10 * time.Second} {
		l := newKeeping(t)
		l.part(true)
		l.run(time.Second)
		l.freeze("lb1")
		l.run(pause)
		l.thaw("lb1")
		l.until(labValidity/2+2*time.Second, "lb1 serves again", func() bool { return l.role("lb1") == "Master" })
		l.neverForwards("lb2", time.Second)
	}
}

// A MASTER whose lease expired and that has heard its peer since does not resume: the arbiter may
// have let the peer serve.
func TestAPausedMasterThatHeardItsPeerDoesNotResume(t *testing.T) {
	l := newKeeping(t)
	l.remote["lb2"] = false
	l.freeze("lb1")
	l.until(10*time.Second, "lb2 is Master by the arbiter's word", func() bool { return l.role("lb2") == "Master" })
	l.thaw("lb1")
	l.until(time.Second, "lb1 hears lb2", func() bool { return l.nodes["lb1"].node.Status().Peer.Heard })
	l.run(labDetect)
	l.part(true)
	l.neverForwards("lb1", 5*time.Second)
	l.leaseHolds("lb2", time.Second)
}

// One-way loss: a MASTER that its peer does not hear stops; a MASTER that its peer hears
// continues.
func TestOneWayLossWithoutTheArbiter(t *testing.T) {
	for offset := time.Duration(0); offset < labTx; offset += 3 * time.Millisecond {
		l := newKeeping(t)
		l.run(offset)
		l.drop("lb2", true)
		l.dropSync["lb2"] = true
		l.leaseHolds("lb1", 3*time.Second)

		l = newPair(t, keepServing)
		l.remote["lb1"] = true
		l.run(2*labValidity + offset)
		l.drop("lb1", true)
		l.dropSync["lb1"] = true
		l.alwaysOne(3*time.Second, labDetect+20*time.Millisecond)
		if l.role("lb2") != "Master" {
			t.Fatalf("lb2 is %s", l.role("lb2"))
		}
	}
}

// A MASTER that its peer does not hear stops before the arbiter lets the peer serve, even if it is
// frozen at that moment.
func TestAnUnheardMasterWithoutTheArbiterStopsBeforeItsPeerClaims(t *testing.T) {
	for after := time.Duration(0); after < 3*labDetect; after += 2 * time.Millisecond {
		l := newPair(t, keepServing)
		l.remote["lb1"] = true
		l.run(2 * labValidity)
		l.drop("lb1", true)
		l.dropSync["lb1"] = true
		l.run(after)
		l.freeze("lb1")
		l.run(time.Second) // the lab fails a test in which both forward
	}
}

// The price of the policy: a MASTER that reaches nobody forwards at the same time as a peer
// that the arbiter lets act alone, until it hears from either.
func TestKeepServingMayLeaveTwoForwarders(t *testing.T) {
	for name, tell := range map[string]func(*lab){
		"the arbiter answers again":     func(l *lab) { l.remote["lb1"] = false },
		"the nodes hear each other":     func(l *lab) { l.part(false) },
		"its tracked host has gone too": func(l *lab) { l.probe("lb1", false) },
	} {
		l := newPair(t, keepServing, func(c *Config) { c.Track = Track{Targets: []string{"backend1"}, Misses: 1} })
		l.undecided = true
		l.probe("lb1", true)
		l.probe("lb2", true)
		l.divideByPolicy()
		tell(l)
		l.until(labValidity/2+1100*time.Millisecond, name+": one stops", func() bool { return l.forwarders() == 1 })
		l.undecided, l.divided = false, false
		l.leaseHolds("lb2", 3*time.Second)
	}
}

// divideByPolicy cuts lb1 off from the arbiter and then from its peer. Both forward, as the policy allows.
func (l *lab) divideByPolicy() {
	l.t.Helper()
	l.run(2 * time.Second)
	l.remote["lb1"] = true
	l.run(2 * labValidity)
	l.part(true)
	l.run(2 * time.Second)
	if l.forwarders() != 2 {
		l.t.Fatalf("%d forwarders, want the two that the policy allows\n%s", l.forwarders(), l.transcript())
	}
}

// A MASTER that goes on without the arbiter stops as it hears that its peer serves, although the peer
// does not hear it.
func TestAMasterThatGoesOnStopsAsItHearsItsPeerServe(t *testing.T) {
	l := newPair(t, keepServing)
	l.undecided = true
	l.divideByPolicy()
	l.drop("lb2", false)
	l.until(2*time.Second, "lb1 hears lb2", func() bool { return l.nodes["lb1"].node.Status().Peer.Heard })
	l.run(time.Millisecond)
	if l.forwarders() != 1 || l.role("lb2") != "Master" {
		t.Errorf("%d forwarders a millisecond after lb1 heard that lb2 serves\n%s", l.forwarders(), l.transcript())
	}
}

// The crash of the BACKUP costs no outage soon after a partition either, when the sessions have
// just come Up.
func TestTheEndOfTheBackupAfterAPartitionCostsNothing(t *testing.T) {
	for offset := time.Duration(0); offset < 2*time.Second; offset += 7 * time.Millisecond {
		l := newKeeping(t)
		l.part(true)
		l.run(labDetect + labHold)
		l.part(false)
		l.run(offset)
		l.crash("lb2")
		l.leaseHolds("lb1", 3*time.Second)
	}
}
