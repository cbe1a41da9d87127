package node_test

import (
	. "baton/impl/node"
	"testing"
	"time"

	"baton/impl/driver"
	"baton/impl/flow"
	"baton/impl/ha"
)

// uncounted adds a flow to a node's dataplane without an event.
func (l *lab) uncounted(id string, i int) flow.Tuple {
	e := flow.Entry{
		Original: flow.Tuple{Src: flow.IPv4(198, 18, 0, 99), Dst: flow.IPv4(198, 18, 0, 100), SrcPort: uint16(i), DstPort: 80, Proto: flow.TCP},
		Reply:    flow.Tuple{Src: flow.IPv4(198, 18, 1, 11), Dst: flow.IPv4(198, 18, 1, 100), SrcPort: 80, DstPort: 9000 + uint16(i), Proto: flow.TCP},
		State:    flow.Established, Origin: flow.Opened, Remaining: time.Hour,
	}
	l.nodes[id].table[e.Original] = e
	return e.Original
}

// The node's term ends before it has read its dataplane: nobody else has the flows.
func TestAFormerMasterOffersFlowsThatItHadNotRead(t *testing.T) {
	for what, lose := range map[string]func(*lab){
		"told before the handover": func(l *lab) { l.step(l.nodes["lb1"], Lost{}); l.step(l.nodes["lb1"], Handover{}) },
		"told after the handover": func(l *lab) {
			l.step(l.nodes["lb1"], Handover{})
			l.until(time.Second, "lb2 Master", func() bool { return l.role("lb2") == "Master" })
			l.step(l.nodes["lb1"], Lost{})
		},
		"told after a fault": func(l *lab) {
			l.freeze("lb1")
			masterWithin(l, "lb2", time.Second)
			l.run(time.Second)
			l.thaw("lb1")
			l.until(time.Second, "lb1 in sync", func() bool { return l.inSync("lb1") })
			l.step(l.nodes["lb1"], Lost{})
		},
	} {
		l := newPair(t)
		counted := l.open("lb1", 1)
		l.run(time.Second)
		stray := l.uncounted("lb1", 2)
		lose(l)
		l.run(2 * time.Second)
		l.wantRoles("Backup", "Master")
		table, peers := l.nodes["lb1"].table, l.nodes["lb2"].table
		_, kept := table[counted.Original]
		_, left := table[stray]
		_, heard := peers[stray]
		if !kept || !left || !heard {
			t.Errorf("%s: the counted flow is kept: %v; the other is in lb1's table: %v, in lb2's: %v", what, kept, left, heard)
		}
	}
}

// Events lost after a read has begun need another read.
func TestEventsLostDuringADumpAreFoundByTheNext(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	lb1 := l.nodes["lb1"]
	lb1.holdDone = true
	l.step(lb1, Lost{})
	drained := lb1.later[0]
	lb1.later = nil
	l.step(lb1, drained) // the dump is under way
	missed := l.uncounted("lb1", 2)
	l.step(lb1, Lost{})
	l.release("lb1")
	l.until(time.Second, "the peer has the flow", func() bool {
		_, ok := l.nodes["lb2"].table[missed]
		return ok
	})
}

// A dump shows the table at its beginning: a flow opened since then is not gone because the
// dump lacks it, and a flow closed since then does not return.
func TestFlowsThatChangeDuringADumpStayAsTheirEventsSay(t *testing.T) {
	l := newPair(t)
	closed := l.open("lb1", 1)
	l.run(time.Second)
	lb1, lb2 := l.nodes["lb1"], l.nodes["lb2"]
	lb1.holdDone = true
	l.step(lb1, Lost{})
	drained := lb1.later[0]
	lb1.later = nil
	l.step(lb1, drained) // the dump is taken
	if len(lb1.later) != 1 {
		t.Fatalf("%d answers wait, want that of the dump", len(lb1.later))
	}
	opened := l.open("lb1", 2)
	delete(lb1.table, closed.Original)
	l.step(lb1, Flows{Events: []flow.Event{{Entry: closed, Deleted: true}}})
	l.release("lb1")
	l.run(time.Second)
	if _, ok := lb2.table[opened.Original]; !ok {
		t.Error("the flow that was opened during the dump is missing at the peer")
	}
	if _, ok := lb2.table[closed.Original]; ok {
		t.Error("the flow that was closed during the dump is back at the peer")
	}
}

func TestARefusedRemovalIsTriedAgain(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	lb2 := l.nodes["lb2"]
	stray := l.uncounted("lb2", 2)
	lb2.unsound[stray] = true
	lb2.fails[driver.Apply] = driver.Fails
	l.step(lb2, Lost{})
	l.run(RereadPause / 2)
	delete(lb2.fails, driver.Apply)
	l.run(RereadPause)
	if _, left := lb2.table[stray]; left {
		t.Error("the entry that no packet can use is left")
	}
}

// A follower that receives changes without a break always has a pending write. It reads its dataplane nevertheless.
func TestABusyFollowerReadsItsDataplane(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	lb1, lb2 := l.nodes["lb1"], l.nodes["lb2"]
	stray := l.uncounted("lb2", 1000)
	lb2.holdDone = true
	l.open("lb1", 1)
	l.run(time.Millisecond)
	l.step(lb2, Lost{})
	for i := 2; lb2.node.Status().Read.Due || len(lb2.later) > 1; i++ {
		if i == 50 {
			t.Fatal("the dataplane is not read")
		}
		l.open("lb1", i)
		l.run(time.Millisecond)
		done := lb2.later
		if len(done) == 0 {
			t.Fatal("no write is on its way: the test has lost its subject")
		}
		lb2.later = nil
		lb2.holdDone = false
		for _, in := range done[:len(done)-1] {
			l.step(lb2, in)
		}
		lb2.holdDone = true
		lb2.later = append(lb2.later, done[len(done)-1])
	}
	l.release("lb2")
	l.run(time.Second)
	if _, taken := lb1.table[stray]; !taken {
		t.Error("the MASTER lacks the flow that the read must have found")
	}
}

// An entry that a follower's table lacks may have a pending deletion, since its flow has ended at the MASTER. It is not offered.
func TestAFlowThatEndsDuringAReadIsNotOffered(t *testing.T) {
	for _, late := range []bool{false, true} { // the deletion is applied
		l := newPair(t)
		closed := l.open("lb1", 1)
		l.run(time.Second)
		lb1, lb2 := l.nodes["lb1"], l.nodes["lb2"]
		lb2.holdDone = true
		l.step(lb2, Lost{})
		if len(lb2.later) != 1 {
			t.Fatalf("%d answers wait, want that of the dump", len(lb2.later))
		}
		dumped := lb2.later
		lb2.later = nil
		delete(lb1.table, closed.Original)
		l.step(lb1, Flows{Events: []flow.Event{{Entry: closed, Deleted: true}}})
		l.run(10 * time.Millisecond)
		lb2.table[closed.Original] = closed // not written yet
		l.step(lb2, dumped[0])
		if late {
			l.run(10 * time.Millisecond)
		}
		delete(lb2.table, closed.Original)
		l.release("lb2")
		l.run(2 * RereadPause)
		if len(lb1.table)+len(lb2.table) != 0 {
			t.Errorf("the flow is back: %d at the MASTER, %d at the follower", len(lb1.table), len(lb2.table))
		}
	}
}

// TestAFailedReadChangesNothing: an unread dataplane does not count as empty.
func TestAFailedReadChangesNothing(t *testing.T) {
	for what, call := range map[string]driver.Call{"dump": driver.Dump, "drain": driver.Drain} {
		l := newPair(t)
		l.run(time.Second)
		lb1, lb2 := l.nodes["lb1"], l.nodes["lb2"]
		for i := range 20 {
			l.open("lb1", 1+i)
		}
		l.run(time.Second)
		missed := l.uncounted("lb1", 30)
		lb1.fails[call] = driver.Fails
		l.step(lb1, Lost{})
		l.run(10 * time.Second)
		if len(lb2.table) != 20 {
			t.Errorf("%s: the peer has %d flows of 20 after a failed read", what, len(lb2.table))
		}
		// Retries back off to one per RereadPause.
		if got := lb1.node.Status().Read; got.Failed < 10 || got.Failed > 20 || !got.Due || got.Why == "" {
			t.Errorf("%s: the status says %+v", what, got)
		}
		delete(lb1.fails, call)
		l.until(2*RereadPause, "the peer has the flow that was missed", func() bool {
			_, ok := lb2.table[missed]
			return ok && !lb1.node.Status().Read.Due
		})
	}
}

// TestAFollowerRestoresFlowsThatChangedUncounted: the event of a change was lost, and the term
// ended. The dataplane must not differ from the table that both nodes mirror.
func TestAFollowerRestoresFlowsThatChangedUncounted(t *testing.T) {
	for what, change := range map[string]func(*flow.Entry){
		"another state":   func(e *flow.Entry) { e.State = flow.Closed },
		"another backend": func(e *flow.Entry) { e.Reply.Src = flow.IPv4(198, 18, 1, 99) },
	} {
		l := newPair(t)
		same, changed := l.open("lb1", 1), l.open("lb1", 2)
		l.run(time.Second)
		lb2 := l.nodes["lb2"]
		e := lb2.table[changed.Original]
		change(&e)
		lb2.table[changed.Original] = e
		l.step(lb2, Lost{})
		l.run(2 * RereadPause)
		for _, want := range []flow.Entry{same, changed} {
			if got := lb2.table[want.Original]; got.State != want.State || got.Reply != want.Reply {
				t.Errorf("%s: the follower holds %+v, want %+v", what, got, want)
			}
		}
	}
}

// TestAFollowerWritesWhatItsDataplaneLacks: an entry expired in a term as MASTER that ended before
// the core learned of it.
func TestAFollowerWritesWhatItsDataplaneLacks(t *testing.T) {
	l := newPair(t)
	flows := []flow.Entry{l.open("lb1", 1), l.open("lb1", 2)}
	l.run(time.Second)
	delete(l.nodes["lb2"].table, flows[0].Original)
	l.step(l.nodes["lb2"], Lost{})
	l.run(2 * RereadPause)
	l.wantDataplanes("after a loss", flows)
}

// TestAFollowerKeepsItsFlowsWhenAReadFails: it offers the strays after the next read.
func TestAFollowerKeepsItsFlowsWhenAReadFails(t *testing.T) {
	l := newPair(t)
	counted := l.open("lb1", 1)
	l.run(time.Second)
	lb2 := l.nodes["lb2"]
	stray := l.uncounted("lb2", 2)
	lb2.fails[driver.Dump] = driver.Fails
	l.step(lb2, Lost{})
	l.run(time.Second)
	if len(lb2.table) != 2 {
		t.Errorf("%d flows are left of 2 after a failed read", len(lb2.table))
	}
	delete(lb2.fails, driver.Dump)
	l.run(2 * RereadPause)
	_, kept := lb2.table[counted.Original]
	if r := lb2.node.Status().Read; r.Due || r.Streak != 0 || r.Failed == 0 {
		t.Errorf("after a read that succeeded: %+v", r)
	}
	if _, taken := l.nodes["lb1"].table[stray]; !taken || !kept {
		t.Errorf("the MASTER has the stray: %v; the counted flow is kept: %v", taken, kept)
	}
}

// A drain that succeeded on retry counts: a node whose targets return then waits for the peer.
func TestADrainThatSucceedsOnRetryCounts(t *testing.T) {
	l := newPair(t, tracking)
	l.run(time.Second)
	lb1 := l.nodes["lb1"]
	l.dropSync["lb2"] = true // its acks do not arrive
	l.open("lb1", 1)
	lb1.fails[driver.Drain] = driver.Fails
	l.probe("lb1", false)
	l.run(10 * time.Millisecond)
	clear(lb1.fails)
	l.run(YieldLimit / 2)
	l.probe("lb1", true)
	l.run(10 * time.Millisecond)
	if got := l.role("lb1"); got != "Yielding" {
		t.Errorf("lb1 is %s: %v", got, l.roleEvents("lb1"))
	}
}

// TestNoRoleIsGivenAwayWithoutTheLastEvents: neither if they cannot be drained, nor if some were
// lost and the dataplane cannot be read. A MASTER that could serve takes the role back at once.
// One that has lost its targets retries until the handover times out.
func TestNoRoleIsGivenAwayWithoutTheLastEvents(t *testing.T) {
	for what, begin := range map[string]func(*lab, *labNode){
		"the drain fails": func(_ *lab, n *labNode) { n.fails[driver.Drain] = driver.Fails },
		"the dump fails":  func(l *lab, n *labNode) { n.fails[driver.Dump] = driver.Fails; l.step(n, Lost{}) },
	} {
		for _, lost := range []bool{false, true} { // a tracked target
			l := newPair(t, tracking)
			l.run(time.Second)
			lb1 := l.nodes["lb1"]
			begin(l, lb1)
			if lost {
				l.probe("lb1", false)
			} else {
				l.step(lb1, Handover{})
			}
			l.run(10 * time.Millisecond)
			if got := l.role("lb1"); got != map[bool]string{false: "Master", true: "Yielding"}[lost] {
				t.Errorf("%s, a target lost: %v: lb1 is %s in mid-handover", what, lost, got)
			}
			l.run(YieldLimit / 2)
			clear(lb1.fails)
			l.run(2 * RereadPause)
			if !lost {
				l.wantRoles("Master", "Backup")
				l.step(lb1, Handover{})
				l.run(time.Second)
			}
			l.wantRoles("Backup", "Master")
		}
	}
}

// A MASTER that cannot read its dataplane says so. Its peer is not in sync while unknown flows
// may exist, and claims degraded if it must.
func TestTheBackupOfAnUnreadMasterIsNotInSync(t *testing.T) {
	for _, crash := range []bool{false, true} {
		l := newPair(t)
		l.run(time.Second)
		lb1, lb2 := l.nodes["lb1"], l.nodes["lb2"]
		lb1.fails[driver.Dump] = driver.Fails
		missed := l.uncounted("lb1", 2)
		l.step(lb1, Lost{})
		l.run(StaleAfter / 2)
		if !lb2.node.GateOpen(ha.InSync) {
			t.Fatal("a reading that takes its time closes InSync")
		}
		l.run(StaleAfter)
		if lb2.node.GateOpen(ha.InSync) {
			t.Fatal("lb2 is in sync with a MASTER that has not read its dataplane")
		}
		if r := lb1.node.Status().Read; !r.Due || r.Streak < 3 || r.Why == "" {
			t.Errorf("lb1 says %+v of its reads", r)
		}
		if crash {
			l.crash("lb1")
			masterWithin(l, "lb2", labDetect+5*time.Millisecond)
			if !l.lastClaim("lb2").Degraded {
				t.Error("lb2 claims the whole table")
			}
			continue
		}
		delete(lb1.fails, driver.Dump)
		l.until(2*time.Second, "lb2 in sync again", func() bool { return lb2.node.GateOpen(ha.InSync) })
		if _, told := lb2.table[missed]; !told {
			t.Error("lb2 is in sync without the flow")
		}
		if r := lb1.node.Status().Read; r.Due || r.Streak != 0 {
			t.Errorf("lb1 says %+v of its reads after one succeeded", r)
		}
		l.wantRoles("Master", "Backup")
	}
}

// Each read finds what was lost before it, so a series of successful reads keeps the BACKUP in sync.
func TestReadingsThatSucceedKeepTheBackupInSync(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	lb1 := l.nodes["lb1"]
	lb1.holdDone = true // drains and dumps take 10 ms each
	for range 300 {
		l.step(lb1, Lost{})
		l.run(10 * time.Millisecond)
		later := lb1.later
		lb1.later = nil
		for _, in := range later {
			l.step(lb1, in)
		}
		if !l.nodes["lb2"].node.GateOpen(ha.InSync) {
			t.Fatal("lb2 is not in sync")
		}
	}
}

// A MASTER that cannot read its dataplane refuses a handover and keeps forwarding. Once it
// can read, the handover takes place.
func TestAnUnreadMasterRefusesAHandover(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	lb1 := l.nodes["lb1"]
	lb1.fails[driver.Dump] = driver.Fails
	l.step(lb1, Lost{})
	l.run(2 * StaleAfter)
	since := l.mark("lb1")
	l.step(lb1, Handover{})
	l.run(10 * time.Millisecond)
	if changes := since(); len(changes) > 0 {
		t.Errorf("it stopped for a handover: %v", changes)
	}
	l.wantRoles("Master", "Backup")
	delete(lb1.fails, driver.Dump)
	l.run(2 * RereadPause)
	l.step(lb1, Handover{})
	l.run(time.Second)
	l.wantRoles("Backup", "Master")
}

// TestAReadingHealsInconsistentEntries: a MASTER that reads its dataplane follows the entry of a flow
// that was opened anew, and writes its own over an inconsistent one. It does not wait for a scrub, which
// lost events interrupt. Nothing is sent to the peer.
func TestAReadingHealsInconsistentEntries(t *testing.T) {
	l, flows := newScrubbed(t, 40)
	lb1 := l.nodes["lb1"]
	anew, damaged := flows[3], flows[7]
	anew.Reply.DstPort = 30003
	lb1.table[anew.Original] = anew
	wrong := damaged
	wrong.Reply.DstPort ^= 1 << 9
	lb1.table[wrong.Original], lb1.unsound[wrong.Original] = wrong, true
	l.step(lb1, Lost{})
	l.run(RereadPause)
	if got := l.nodes["lb2"].table[anew.Original]; got.Reply != anew.Reply {
		t.Errorf("the peer holds %+v, want the flow as it was opened anew: %+v", got, anew)
	}
	if got := l.nodes["lb2"].table[damaged.Original]; got.Reply != damaged.Reply {
		t.Errorf("the peer holds %+v, want the flow before the damage: %+v", got, damaged)
	}
	flows[3] = anew
	l.wantDataplanes("after a reading", flows)
	if got := lb1.node.Status().Scrub.ByKind[Altered.String()]; got != 1 {
		t.Errorf("%d damaged entries are counted, want 1", got)
	}
}

// TestAReadingThatCannotBeExaminedIsRepeated: until then the mirror follows none of the differences.
func TestAReadingThatCannotBeExaminedIsRepeated(t *testing.T) {
	l := newPair(t)
	anew := l.open("lb1", 1)
	l.run(time.Second)
	was, lb1 := anew.Reply, l.nodes["lb1"]
	anew.Reply.DstPort = 30003
	lb1.table[anew.Original] = anew
	lb1.fails[driver.Examine] = driver.Fails
	l.step(lb1, Lost{})
	l.run(RereadPause)
	if got := l.nodes["lb2"].table[anew.Original]; got.Reply != was {
		t.Errorf("the peer holds %+v before it was examined", got)
	}
	delete(lb1.fails, driver.Examine)
	l.run(2 * RereadPause)
	if got := l.nodes["lb2"].table[anew.Original]; got.Reply != anew.Reply {
		t.Errorf("the peer holds %+v, want %+v", got, anew)
	}
}

// Writing a snapshot may displace flows whose SNAT port now belongs to another flow. If the snapshot is interrupted and the
// node claims, it reads its dataplane and takes that as its table.
func TestANodeThatClaimsInASnapshotReadsItsDataplane(t *testing.T) {
	l := newPair(t, func(c *Config) { c.Sync.BatchEntries, c.Sync.Window = 4, 1 })
	l.openMany("lb1", 20)
	l.crash("lb2")
	l.run(time.Second)
	lb2 := l.nodes["lb2"]
	lb2.holdDone = true
	l.boot("lb2")
	l.until(time.Second, "a part of the snapshot is written", func() bool { return len(lb2.table) > 0 })
	l.crash("lb1")
	for displaced := range lb2.table {
		delete(lb2.table, displaced)
		break
	}
	l.release("lb2")
	masterWithin(l, "lb2", 10*time.Second)
	l.run(time.Second)
	if got := lb2.node.Status().Flows; got != len(lb2.table) || got == 0 {
		t.Errorf("the table has %d flows, the dataplane %d", got, len(lb2.table))
	}
}
