package node_test

import (
	. "baton/impl/node"
	"fmt"
	"strings"
	"testing"
	"time"

	"baton/impl/bfd"
	"baton/impl/driver"
	"baton/impl/flow"
)

// newParted returns a partitioned pair with two MASTERs. Flows 1 to 20 are older than the
// partition; 101 to 110 are lb1's alone, 201 to 205 lb2's.
func newParted(t *testing.T, edit ...func(*Config)) (l *lab, flows []flow.Entry) {
	l = newPair(t, edit...)
	open := func(id string, from, to int) {
		for i := from; i <= to; i++ {
			flows = append(flows, l.open(id, i))
		}
		l.run(100 * time.Millisecond)
	}
	open("lb1", 1, 20)
	l.divided = true
	for _, id := range []string{"lb1", "lb2"} {
		l.drop(id, true)
	}
	l.dropStream(l.nodes["lb1"])
	l.until(5*time.Second, "two MASTERs", func() bool { return l.role("lb1") == "Master" && l.role("lb2") == "Master" })
	open("lb1", 101, 110)
	open("lb2", 201, 205)
	return l, flows
}

// meet ends the partition and waits until the pair is in sync.
func (l *lab) meet() {
	l.t.Helper()
	for _, id := range []string{"lb1", "lb2"} {
		l.drop(id, false)
	}
	l.until(10*time.Second, "a pair in sync", func() bool {
		return !l.divided && (l.inSync("lb1") && l.role("lb2") == "Master" || l.inSync("lb2") && l.role("lb1") == "Master")
	})
	l.run(time.Second)
}

// TestBothTablesOutliveAPartition: sessions opened on either node survive.
func TestBothTablesOutliveAPartition(t *testing.T) {
	l, flows := newParted(t)
	l.meet()
	l.wantDataplanes("after a partition", flows)
	for id, own := range map[string]int{"lb1": 10, "lb2": 5} {
		if l.role(id) != "Master" && !strings.Contains(l.transcript(), fmt.Sprintf("took %d flows of the peer that this node lacked", own)) {
			t.Errorf("nobody says that it took the %d flows of %s:\n%s", own, id, l.transcript())
		}
	}
}

// TestTwoThatServedThroughAPartitionCompareTheirRanks: both have stood by before. Each served before it heard the other
// again, so neither counts as deaf, and the one that ranks above keeps the role.
func TestTwoThatServedThroughAPartitionCompareTheirRanks(t *testing.T) {
	l := newPair(t)
	l.handOver("lb1", "lb2")
	l.run(time.Second)
	l.handOver("lb2", "lb1")
	l.run(time.Second)
	l.divided = true
	l.part(true)
	l.until(5*time.Second, "two MASTERs", func() bool { return l.role("lb1") == "Master" && l.role("lb2") == "Master" })
	l.run(time.Second)
	changes := map[string]func() []string{"lb1": l.mark("lb1"), "lb2": l.mark("lb2")}
	l.drop("lb1", false)
	l.drop("lb2", false)
	l.dropSync["lb1"] = true // the stream comes later
	l.until(2*time.Second, "both hear each other", func() bool {
		return l.nodes["lb1"].node.Session(0).State() == bfd.Up && l.nodes["lb2"].node.Session(0).State() == bfd.Up
	})
	l.wantRoles("Master", "Master")
	l.dropSync["lb1"] = false
	l.run(time.Second)
	l.wantRoles("Backup", "Master") // lb2 claimed last
	if got := changes["lb2"](); len(got) != 0 {
		t.Errorf("the node that ranks above goes %v", got)
	}
	if got := l.lastRole("lb1").Reason; len(changes["lb1"]()) != 1 || got != "peer is MASTER and ranks above" {
		t.Errorf("the other goes %v, because %s", changes["lb1"](), got)
	}
}

// TestADamagedEntryOfAnOfferIsNotTaken: the dataplane holds it, and no packet can use it.
func TestADamagedEntryOfAnOfferIsNotTaken(t *testing.T) {
	l, flows := newParted(t)
	damaged := flows[len(flows)-1].Original // of lb2 alone
	l.nodes["lb1"].unsound[damaged] = true
	l.meet()
	if l.role("lb1") != "Master" {
		t.Fatal("lb2 has taken the flows of lb1")
	}
	if got := l.nodes["lb1"].node.Status().Flows; got != len(flows)-1 {
		t.Errorf("%d flows are counted, want those that a packet can use: %d", got, len(flows)-1)
	}
}

// TestNothingIsScrubbedBeforeAnOfferIsWorkedIn: entries that are written but not in the mirror yet
// look like damage, also between two attempts.
func TestNothingIsScrubbedBeforeAnOfferIsWorkedIn(t *testing.T) {
	for offset := time.Duration(0); offset < ScrubEvery; offset += ScrubEvery / 8 {
		l, _ := newParted(t, func(c *Config) { c.Scrub = true })
		l.run(2*ScrubPause + offset)
		walks := 0
		for _, n := range l.nodes {
			n.fails[driver.Examine] = driver.Fails
		}
		for _, id := range []string{"lb1", "lb2"} {
			l.drop(id, false)
		}
		merging := func() bool { return l.nodes["lb1"].merges+l.nodes["lb2"].merges > 0 }
		l.until(10*time.Second, "a merge", merging)
		for _, n := range l.nodes {
			n.onWalk = func() {
				if n.merges > 0 && n.merges < MergeAttempts {
					walks++
				}
			}
		}
		l.until(10*time.Second, "the last attempt", func() bool { return l.nodes["lb1"].merges+l.nodes["lb2"].merges == MergeAttempts })
		if walks > 0 {
			t.Errorf("%v after the pair has met: a scrub between two attempts", offset)
		}
		l.run(time.Second)
		if merges := l.nodes["lb1"].merges + l.nodes["lb2"].merges; merges != MergeAttempts {
			t.Errorf("%v after the pair has met: the offer was written %d times, want %d", offset, merges, MergeAttempts)
		}
	}
}

// TestAFlowThatTheMasterCannotTakeIsGone: on both nodes, since another flow has its reply tuple.
func TestAFlowThatTheMasterCannotTakeIsGone(t *testing.T) {
	l, flows := newParted(t)
	for _, n := range l.nodes {
		n.taken[flows[25].Reply], n.taken[flows[32].Reply] = true, true // one of either node's own
	}
	l.meet()
	master := flows[20:30]
	if l.role("lb2") == "Master" {
		master = flows[30:35]
	}
	var want []flow.Entry
	for _, f := range flows {
		own := false
		for i := range master {
			own = own || master[i].Original == f.Original
		}
		if own || f.Original != flows[25].Original && f.Original != flows[32].Original {
			want = append(want, f)
		}
	}
	l.wantDataplanes("a reply tuple is taken", want)
}

// TestAMergeThatFailsIsTriedAgain: after mergeAttempts it is given up, and the peer gets in sync.
func TestAMergeThatFailsIsTriedAgain(t *testing.T) {
	for _, call := range []driver.Call{driver.Merge, driver.Examine} {
		l, flows := newParted(t)
		for _, n := range l.nodes {
			n.fails[call] = driver.Fails
		}
		for _, id := range []string{"lb1", "lb2"} {
			l.drop(id, false)
		}
		offered := func(n *labNode) bool { return n.node.Status().Flows == len(flows) }
		l.until(10*time.Second, "an offer", func() bool { return offered(l.nodes["lb1"]) || offered(l.nodes["lb2"]) })
		l.run(20 * time.Millisecond)
		for _, n := range l.nodes {
			delete(n.fails, call)
		}
		l.meet()
		l.wantDataplanes(call.String()+" has failed", flows)

		l, _ = newParted(t)
		for _, n := range l.nodes {
			n.fails[call] = driver.Fails
		}
		l.meet()
		if a, b := l.nodes["lb1"].node.Status(), l.nodes["lb2"].node.Status(); a.Digest != b.Digest {
			t.Errorf("%s fails for ever: %d and %d flows", call, a.Flows, b.Flows)
		}
	}
}

// TestAMergeThatTheRoleDoesNotOutlastIsRead: entries that are written into the dataplane but not
// in the mirror yet are found by a read.
func TestAMergeThatTheRoleDoesNotOutlastIsRead(t *testing.T) {
	l, _ := newParted(t)
	for _, id := range []string{"lb1", "lb2"} {
		l.nodes[id].holdDone = true // so that the answer to the merge does not come
		l.drop(id, false)
	}
	var source *labNode
	l.until(10*time.Second, "a merge", func() bool {
		for _, n := range l.nodes {
			if n.merges == 1 {
				source = n
			}
		}
		return source != nil
	})
	l.freeze(source.id)
	l.crash(source.peer)
	l.run(2 * time.Second)
	source.holdDone, source.later = false, nil
	l.thaw(source.id)
	masterWithin(l, source.id, 10*time.Second)
	l.run(RereadPause + time.Second)
	if got := source.node.Status().Flows; got != len(source.table) {
		t.Errorf("%d flows are counted, and the dataplane holds %d", got, len(source.table))
	}
}

// TestAMergeThatCannotBeProvedIsRead: the entries were written, but reading them back failed. The
// peer has deleted them, so the source reads its dataplane and sends them like any other unknown
// flow.
func TestAMergeThatCannotBeProvedIsRead(t *testing.T) {
	l, flows := newParted(t)
	for _, n := range l.nodes {
		n.fails[driver.Examine] = driver.Fails
	}
	l.meet()
	l.run(RereadPause)
	l.wantDataplanes("an offer could not be proved", flows)
}

// TestAFollowerOfOneTermOffersNothing: entries that only it has are ones whose deletion it missed.
func TestAFollowerOfOneTermOffersNothing(t *testing.T) {
	l := newPair(t, func(c *Config) { c.Sync.JournalLen = 8 }) // so that it takes a snapshot
	l.openMany("lb1", 30)
	l.dropStreams(true)
	l.run(time.Second)
	for i := range 20 {
		e := labEntry(i)
		delete(l.nodes["lb1"].table, e.Original)
		l.step(l.nodes["lb1"], Flows{Events: []flow.Event{{Entry: e, Deleted: true}}})
	}
	l.run(time.Second)
	l.dropStreams(false)
	l.run(3 * time.Second)
	l.wantFlows("lb1", 10)
	l.wantFlows("lb2", 10)
}

// TestAFailedMergeIsRepeatedOnTime: the node sets a Timer for the retry.
func TestAFailedMergeIsRepeatedOnTime(t *testing.T) {
	l, _ := newParted(t)
	for _, id := range []string{"lb1", "lb2"} {
		l.nodes[id].fails[driver.Merge] = driver.Fails
		l.drop(id, false)
	}
	var master *labNode
	l.until(10*time.Second, "a merge has failed", func() bool {
		for _, n := range l.nodes {
			if n.node.MergeAt() > l.now {
				master = n
			}
		}
		return master != nil
	})
	delete(master.fails, driver.Merge)
	l.run(master.node.MergeAt().Sub(l.now))
	if master.merges != 1 {
		t.Errorf("%d merges at the instant for which the next was meant", master.merges)
	}
}
