package node_test

import (
	"testing"
	"time"

	. "baton/impl/node"
)

const labValidity = time.Second

func arbitrated(c *Config) { c.Arbiter.Validity = labValidity }

// part cuts every path between the nodes in both directions.
func (l *lab) part(parted bool) {
	l.drop("lb1", parted)
	l.drop("lb2", parted)
	l.dropSync["lb1"], l.dropSync["lb2"] = parted, parted
}

// forwarders counts the nodes that forward.
func (l *lab) forwarders() (count int) {
	for _, n := range l.nodes {
		if n.lease > l.now {
			count++
		}
	}
	return count
}

// alwaysOne lets time pass and fails if no node forwards for longer than a limit. The lab
// itself fails a test in which both forward.
func (l *lab) alwaysOne(d, limit time.Duration) {
	l.t.Helper()
	none := time.Duration(0)
	for end := l.now.Add(d); l.now < end; {
		l.run(time.Millisecond)
		if none += time.Millisecond; l.forwarders() > 0 {
			none = 0
		}
		if none > limit {
			l.t.Fatalf("nobody has forwarded for %v at %v\n%s", none, l.now, l.transcript())
		}
	}
}

// While the nodes hear each other, neither needs the arbiter.
func TestAPairThatHearsEachOtherDoesNotNeedTheArbiter(t *testing.T) {
	l := newPair(t, arbitrated)
	l.run(2 * time.Second) // the node that booted first returns the right
	l.remote["lb1"], l.remote["lb2"] = true, true
	l.leaseHolds("lb1", 3*time.Second)
	l.handOver("lb1", "lb2")
	l.leaseHolds("lb2", 3*time.Second)
}

// A MASTER asks the arbiter as soon as its proof is stale: what it waits longer is missing from the time that the
// answer has before the lease ends.
func TestAMasterWakesAsItsProofBecomesStale(t *testing.T) {
	l := newPair(t, arbitrated)
	l.run(2 * time.Second)
	lb1 := l.nodes["lb1"].node
	check := func() {
		t.Helper()
		if at, stale := lb1.Deadline(), lb1.ProofStaleAt(); l.now < stale && at > stale {
			t.Fatalf("at %v lb1 wants its next timer at %v, and its proof is stale at %v", l.now, at, stale)
		}
	}
	l.part(true)
	for l.now < lb1.ProofStaleAt() {
		check()
		l.run(time.Millisecond)
	}
	if l.role("lb1") != "Master" {
		t.Fatalf("lb1 is %s as its proof becomes stale", l.role("lb1"))
	}
}

// A partition of all paths leaves exactly one forwarder, and the other stays Backup until it
// heals. Then no role flaps.
func TestAPartitionLeavesOneForwarder(t *testing.T) {
	for offset := time.Duration(0); offset < labTx; offset += 3 * time.Millisecond {
		l := newPair(t, arbitrated)
		l.run(2*time.Second + offset)
		l.part(true)
		l.alwaysOne(10*time.Second, labDetect+20*time.Millisecond)
		l.part(false)
		l.alwaysOne(5*time.Second, 0)
	}
}

// The node that does not reach the arbiter stops, and the other serves.
func TestAPartitionLeavesTheOneThatReachesTheArbiter(t *testing.T) {
	for _, id := range []string{"lb1", "lb2"} {
		l := newPair(t, arbitrated)
		l.run(2 * time.Second)
		l.remote[id] = true
		l.part(true)
		l.alwaysOne(5*time.Second, labDetect+20*time.Millisecond)
		if l.nodes[id].lease > l.now {
			t.Errorf("%s forwards, although it does not reach the arbiter", id)
		}
	}
}

// A node that reaches neither arbiter nor peer does not serve.
func TestNobodyServesAloneWithoutTheArbiter(t *testing.T) {
	l := newPair(t, arbitrated)
	l.run(2 * time.Second)
	l.remote["lb1"], l.remote["lb2"] = true, true
	l.part(true)
	l.run(labDetect)
	for range 3000 {
		l.run(time.Millisecond)
		if l.forwarders() > 0 {
			t.Fatalf("a node forwards at %v\n%s", l.now, l.transcript())
		}
	}
	l.part(false)
	l.until(5*time.Second, "a Master", func() bool { return l.forwarders() == 1 })
}

// A takeover after a crash takes the detection time and two round trips to the arbiter.
func TestATakeoverWithAnArbiterTakesTwoRoundTripsMore(t *testing.T) {
	l := newPair(t, arbitrated)
	l.run(2 * time.Second)
	l.crash("lb1")
	masterWithin(l, "lb2", labDetect+4*labArbiter+5*time.Millisecond)
}

// The crash of the Backup costs no outage, although the MASTER then needs the arbiter.
func TestTheEndOfTheBackupCostsNothingWithAnArbiter(t *testing.T) {
	for offset := time.Duration(0); offset < labTx; offset += time.Millisecond {
		l := newPair(t, arbitrated)
		l.run(2*time.Second + offset)
		l.crash("lb2")
		l.leaseHolds("lb1", 3*time.Second)
	}
}

// A node that dies while it acts alone is replaced after the validity of its right, not before.
func TestANodeThatActsAloneIsReplaced(t *testing.T) {
	l := newPair(t, arbitrated)
	l.run(2 * time.Second)
	l.part(true)
	l.run(2 * time.Second)
	alone := "lb1"
	if l.nodes["lb2"].lease > l.now {
		alone = "lb2"
	}
	l.freeze(alone)
	l.until(4*labValidity, "the other is Master", func() bool { return l.role(l.nodes[alone].peer) == "Master" })
	l.thaw(alone)
	l.alwaysOne(3*time.Second, 0)
}

// A MASTER that freezes at any instant of a partition stops before its peer claims.
func TestAMasterFreezesInAPartition(t *testing.T) {
	for _, back := range []time.Duration{0, 500 * time.Millisecond, 1200 * time.Millisecond} {
		for offset := time.Duration(0); offset < 2*labDetect; offset += 7 * time.Millisecond {
			l := newPair(t, arbitrated)
			l.run(2 * time.Second)
			l.part(true)
			l.run(offset)
			l.part(false)
			l.run(back)
			l.part(true)
			l.run(offset / 3)
			l.freeze("lb1")
			l.until(4*labValidity, "lb2 is Master", func() bool { return l.role("lb2") == "Master" })
			l.thaw("lb1")
			l.run(time.Second)
		}
	}
}

// A right is returned only when no lease rests on it, even if the MASTER loses its peer just
// before and freezes just after.
func TestARightThatIsGivenBackJustifiesNothing(t *testing.T) {
	asked := false
	for jitter := range uint64(24) {
		for offset := 940 * time.Millisecond; offset < 1100*time.Millisecond; offset += 8 * time.Millisecond {
			l := newPair(t, arbitrated, func(c *Config) {
				for i := range c.Paths {
					c.Paths[i].BFD.Seed += jitter << 16
				}
			})
			l.part(true)
			l.run(time.Second)
			l.part(false)
			l.until(8*time.Second, "one Master, one in sync", func() bool {
				return l.forwarders() == 1 && (l.inSync("lb1") || l.inSync("lb2"))
			})
			l.run(offset)
			l.part(true)
			l.run(labTx * 9 / 10)
			serves, waits := "lb1", "lb2"
			if l.nodes["lb2"].lease > l.now {
				serves, waits = waits, serves
			}
			l.freeze(serves)
			l.until(4*labValidity, "the other is Master", func() bool { return l.role(waits) == "Master" })
			l.run(labDetect)
			asked = asked || l.arbiter.Record.Alone != ""
		}
	}
	if !asked {
		t.Error("nobody asked the arbiter")
	}
}

// A grant may arrive after the peer has fallen silent: the new MASTER's last packet justifies
// no lease.
func TestAGrantDoesNotMakeOldPacketsJustifyALease(t *testing.T) {
	claimed := false
	for phase := time.Duration(0); phase < labTx; phase += 5 * time.Millisecond {
		for late := labTx * 4 / 5; late < labTx*3/2; late += 5 * time.Millisecond {
			l := newPair(t, arbitrated)
			l.run(2*time.Second + phase)
			for _, id := range []string{"lb1", "lb2"} {
				l.dropBFD[id+" clients"], l.dropBFD[id+" sync"] = true, true
			}
			l.run(late)
			l.step(l.nodes["lb1"], Handover{})
			l.until(10*time.Millisecond, "the grant is on its way", func() bool { return l.role("lb1") == "Backup" })
			l.dropSync["lb2"] = true
			l.run(3 * labDelay / 2)
			l.dropSync["lb1"] = true
			claimed = claimed || l.role("lb2") == "Master"
			l.freeze("lb2")
			l.until(4*labValidity, "lb1 is Master", func() bool { return l.role("lb1") == "Master" })
			l.run(labDetect)
		}
	}
	if !claimed {
		t.Error("lb2 never acted on a grant")
	}
}
