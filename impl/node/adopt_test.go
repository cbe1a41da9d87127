package node_test

import (
	. "baton/impl/node"
	"fmt"
	"testing"
	"time"

	"baton/impl/driver"
	"baton/impl/flow"
	"baton/impl/ha"
)

// flows opens flows on a node.
func (l *lab) flows(id string, from, to int) {
	for i := from; i < to; i++ {
		l.open(id, i)
	}
}

// closeFlows closes the first flows on a node.
func (l *lab) closeFlows(id string, count int) {
	for i := range count {
		l.step(l.nodes[id], Flows{Events: []flow.Event{{Entry: labEntry(i), Deleted: true}}})
		delete(l.nodes[id].table, labEntry(i).Original)
	}
}

// wantTables requires both tables to hold exactly the flows in the range.
func (l *lab) wantTables(from, to int) {
	l.t.Helper()
	for id, n := range l.nodes {
		for i := range to {
			entry := labEntry(i)
			if _, has := n.table[entry.Original]; has != (i >= from) {
				l.t.Errorf("flow %d is in the table of %s: %t", i, id, has)
			}
		}
	}
	if l.t.Failed() {
		l.t.Fatal(l.transcript())
	}
}

// claims counts how often a node began to claim.
func (l *lab) claims(id string) (n int) {
	for _, e := range l.log {
		if e.Role != nil && e.Node == id && e.Role.From == "Backup" && e.Role.To == "Claiming" {
			n++
		}
	}
	return n
}

// Both processes end and start together. The node that led keeps every flow, whatever the
// priorities and the order of start.
func TestBothProcessesRestart(t *testing.T) {
	for _, c := range []struct {
		name  string
		leads string
		order []string
		apart time.Duration
	}{
		{"the preferred node led", "lb1", []string{"lb1", "lb2"}, 0},
		{"the preferred node led and is late", "lb1", []string{"lb2", "lb1"}, 300 * time.Millisecond},
		{"the other led", "lb2", []string{"lb1", "lb2"}, 0},
		{"the other led and is late", "lb2", []string{"lb1", "lb2"}, 300 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newPair(t)
			if c.leads == "lb2" {
				l.handOver("lb1", "lb2")
			}
			other := l.nodes[c.leads].peer
			l.flows(c.leads, 0, 10)
			l.run(time.Second)
			l.dropSync[c.leads] = true // the peer's copy gets no later changes
			l.flows(c.leads, 10, 12)
			l.closeFlows(c.leads, 5)
			l.run(10 * time.Millisecond)
			l.kill("lb1")
			l.kill("lb2")
			claims := l.claims(other)
			l.run(2 * time.Second)
			l.dropSync[c.leads] = false
			for _, id := range c.order {
				l.restart(id)
				l.run(c.apart)
			}
			l.until(5*time.Second, "one leads and the other is in sync", func() bool {
				return l.role(c.leads) == "Master" && l.inSync(other)
			})
			if l.claims(other) > claims {
				t.Errorf("%s, whose table is a copy, has claimed:\n%s", other, l.transcript())
			}
			l.run(time.Second)
			l.wantTables(5, 12)
		})
	}
}

// The peer of a stopped node serves with its own table, and ends too. By then the first node's
// table is out of date, and entries that only it has are removed.
func TestARestartedNodeWhosePeerHasLedSince(t *testing.T) {
	for name, order := range map[string][]string{"it is back first": {"lb1", "lb2"}, "it is back last": {"lb2", "lb1"}} {
		for _, ready := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, its peer is ready: %t", name, ready), func(t *testing.T) { restartAfterItsPeerHasLed(t, order, ready) })
		}
	}
}

// restartAfterItsPeerHasLed restarts lb2, which led last, and lb1. A peer that is not ready
// says by BFD that it cannot serve, before there is a stream.
func restartAfterItsPeerHasLed(t *testing.T, order []string, ready bool) {
	l := newPair(t)
	l.flows("lb1", 0, 10)
	l.run(time.Second)
	l.kill("lb1")
	l.until(time.Second, "lb2 Master", func() bool { return l.role("lb2") == "Master" })
	l.flows("lb2", 10, 12)
	l.closeFlows("lb2", 5)
	l.run(time.Second)
	l.kill("lb2")
	l.run(time.Second)
	if !ready {
		l.dropSync["lb1"], l.dropSync["lb2"] = true, true
		l.nodes["lb2"].fails[driver.Dump] = driver.Fails
	}
	for _, id := range order {
		l.restart(id)
		l.run(100 * time.Millisecond)
	}
	l.dropSync["lb1"], l.dropSync["lb2"] = false, false
	delete(l.nodes["lb2"].fails, driver.Dump)
	l.until(5*time.Second, "one leads and the other is in sync", func() bool {
		return l.role("lb2") == "Master" && l.inSync("lb1")
	})
	l.run(time.Second)
	l.wantTables(5, 12)
}

// A live MASTER completes the adopted table, and entries that the MASTER lacks are removed.
func TestAnAdoptedTableFollowsTheMaster(t *testing.T) {
	l := newPair(t)
	l.flows("lb1", 0, 10)
	l.run(time.Second)
	l.kill("lb2")
	l.closeFlows("lb1", 5)
	l.flows("lb1", 10, 12)
	l.run(time.Second)
	l.restart("lb2")
	if got := l.nodes["lb2"].node.Status(); got.Complete {
		t.Error("a copy that a MASTER has outrun counts as complete")
	}
	l.until(2*time.Second, "lb2 in sync", func() bool { return l.inSync("lb2") })
	l.run(time.Second)
	l.wantRoles("Master", "Backup")
	l.wantTables(5, 12)
}

// The MASTER dies while its restarted peer is being synced: the peer's table is incomplete.
func TestAnAdoptedTableIsNotCompleteUnderAMaster(t *testing.T) {
	l := newPair(t)
	l.flows("lb1", 0, 10)
	l.run(time.Second)
	l.kill("lb1") // as MASTER: its table counts as complete until the peer leads
	l.until(time.Second, "lb2 Master", func() bool { return l.role("lb2") == "Master" })
	l.run(ownTableLife)
	l.restart("lb1")
	l.dropSync["lb2"] = true // no part of the table arrives
	l.run(200 * time.Millisecond)
	l.crash("lb2")
	l.until(5*time.Second, "lb1 Master", func() bool { return l.role("lb1") == "Master" })
	claim := l.lastClaim("lb1")
	if !claim.Degraded {
		t.Errorf("lb1 claims with %q: its table is of a time before lb2's\n%s", claim.Reason, l.transcript())
	}
}

// ownTableLife is how long the table of a node that led counts while its peer leads.
const ownTableLife = 30 * time.Second

// A node that adopts a table is not ready before it has read it. A table that cannot be read
// delays its service and its peer's sync only for a while.
func TestAnAdoptedTableIsReadFirst(t *testing.T) {
	l := newPair(t)
	l.flows("lb1", 0, 10)
	l.run(time.Second)
	l.kill("lb1")
	l.crash("lb2")
	l.run(time.Second)
	lb1 := l.nodes["lb1"]
	lb1.fails[driver.Dump] = driver.Fails
	l.restart("lb1")
	l.run(2 * time.Second)
	if got := l.role("lb1"); got != "Init" {
		t.Fatalf("lb1 is %s without having read its table", got)
	}
	l.until(5*time.Second, "lb1 goes on without", func() bool { return l.role("lb1") == "Master" })
	if claim := l.lastClaim("lb1"); !claim.Degraded {
		t.Errorf("lb1 claims with %q although it has not read its table\n%s", claim.Reason, l.transcript())
	}
	l.boot("lb2")
	l.run(2 * time.Second)
	if l.nodes["lb2"].node.GateOpen(ha.InSync) {
		t.Error("the peer of a MASTER that has not read its table is in sync")
	}
	delete(lb1.fails, driver.Dump)
	l.run(3 * time.Second)
	l.wantTables(0, 10)
}

// The status describes the adopted table before and after it is read.
func TestAnAdoptedTableIsToldOf(t *testing.T) {
	l := newPair(t)
	l.flows("lb1", 0, 10)
	l.run(time.Second)
	lb1 := l.nodes["lb1"]
	if got := lb1.node.Status().Adopted; got != nil {
		t.Errorf("a node that adopted nothing tells of %+v", got)
	}
	l.kill("lb1")
	lb1.fails[driver.Dump] = driver.Fails
	l.restart("lb1")
	if got, want := *lb1.node.Status().Adopted, (AdoptedStatus{Epoch: 1, Whole: true}); got != want {
		t.Errorf("before it was read: %+v, want %+v", got, want)
	}
	delete(lb1.fails, driver.Dump)
	l.run(2 * time.Second)
	if got, want := *lb1.node.Status().Adopted, (AdoptedStatus{Epoch: 1, Whole: true, Read: true, Entries: 10}); got != want {
		t.Errorf("once it was read: %+v, want %+v", got, want)
	}
}

// The stored pedigree gives the worth of the table at each moment of a node's life.
func TestTheStoredPedigreeFollowsTheRole(t *testing.T) {
	l := newPair(t)
	l.flows("lb1", 0, 10)
	l.run(time.Second)
	want := func(when, id string, pedigree flow.Pedigree) {
		t.Helper()
		if got := l.nodes[id].kept; got != pedigree {
			t.Errorf("%s: %s keeps %+v, want %+v", when, id, got, pedigree)
		}
	}
	want("MASTER", "lb1", flow.Pedigree{Epoch: 1, Witnessed: 1, Seen: 1, Whole: true})
	want("a copy", "lb2", flow.Pedigree{Epoch: 1, Witnessed: 1, Seen: 1})
	l.handOver("lb1", "lb2")
	l.run(2 * time.Second)
	want("after a handover", "lb1", flow.Pedigree{Epoch: 2, Witnessed: 2, Seen: 2})
	want("after a handover", "lb2", flow.Pedigree{Epoch: 2, Witnessed: 2, Seen: 2, Whole: true})
	l.crash("lb1")
	l.run(time.Second)
	l.step(l.nodes["lb2"], Stop{})
	l.until(2*time.Second, "lb2 has left", func() bool { return l.nodes["lb2"].exited })
	want("a MASTER that has left to nobody", "lb2", flow.Pedigree{Epoch: 2, Witnessed: 2, Seen: 2, Whole: true})
}

// An epoch that the earlier process had heard of is not claimed again by the next.
func TestARestartedNodeClaimsNoEpochThatWasSeen(t *testing.T) {
	const seen = 7
	l := newPair(t)
	l.kill("lb2")
	l.nodes["lb2"].kept.Seen = seen
	l.restart("lb2")
	l.until(2*time.Second, "lb2 in sync", func() bool { return l.inSync("lb2") })
	l.crash("lb1")
	l.until(time.Second, "lb2 Master", func() bool { return l.role("lb2") == "Master" })
	if epoch := l.nodes["lb2"].node.Status().Epoch; epoch <= seen {
		t.Errorf("lb2 leads in epoch %d, want one after %d\n%s", epoch, seen, l.transcript())
	}
}

// The earlier process was MASTER. The process that adopts its table is not; it ends the rest of
// the lease before it sends anything to the peer.
func TestAnAdoptedLeaseEnds(t *testing.T) {
	l := newPair(t)
	lb1 := l.nodes["lb1"]
	l.kill("lb1")
	if lb1.lease <= l.now {
		t.Fatal("the lease of a MASTER has ended with its process")
	}
	l.dropBFD["lb1 clients"], l.dropBFD["lb1 sync"] = true, true
	l.restart("lb1")
	if lb1.lease > l.now {
		t.Errorf("%v are left of a lease that nobody answers for", lb1.lease.Sub(l.now))
	}
	if e := lb1.node.Role(); e == ha.Master {
		t.Error("a node has booted as MASTER")
	}
}
