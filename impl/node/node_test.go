package node

import (
	"strings"
	"testing"
	"time"

	"baton/impl/bfd"
	"baton/impl/ha"
	"baton/impl/trace"
)

// roleEvents returns the role changes of a node, as "Backup→Claiming".
func (l *lab) roleEvents(id string) []string {
	var changes []string
	for _, e := range l.log {
		if e.Kind == trace.KindRole && e.Node == id && e.Role.Refused == "" {
			changes = append(changes, e.Role.From+"→"+e.Role.To)
		}
	}
	return changes
}

// lastRole returns the newest role change of a node.
func (l *lab) lastRole(id string) *trace.Role {
	for i := len(l.log) - 1; i >= 0; i-- {
		if e := l.log[i]; e.Kind == trace.KindRole && e.Node == id && e.Role.Refused == "" {
			return e.Role
		}
	}
	return &trace.Role{}
}

func (l *lab) wantRoles(lb1, lb2 string) {
	l.t.Helper()
	if got1, got2 := l.role("lb1"), l.role("lb2"); got1 != lb1 || got2 != lb2 {
		l.t.Fatalf("roles %s, %s; want %s, %s\n%s", got1, got2, lb1, lb2, l.transcript())
	}
}

// mark returns a function that gives the role changes of a node since.
func (l *lab) mark(id string) func() []string {
	n := len(l.roleEvents(id))
	return func() []string { return l.roleEvents(id)[n:] }
}

func masterWithin(l *lab, id string, d time.Duration) {
	l.t.Helper()
	l.until(d, id+" is Master", func() bool { return l.role(id) == "Master" })
}

func TestColdStartMakesOneMaster(t *testing.T) {
	l := newPair(t)
	l.run(2 * time.Second)
	l.wantRoles("Master", "Backup")
	for _, change := range l.roleEvents("lb2") {
		if strings.Contains(change, "Master") {
			t.Errorf("lb2 was MASTER for a while: %v", l.roleEvents("lb2"))
		}
	}
}

func TestALonelyNodeServesAfterItsHold(t *testing.T) {
	l := newLab(t)
	l.boot("lb2")
	l.run(labHold - time.Millisecond)
	l.wantRoles("down", "Backup")
	masterWithin(l, "lb2", 10*time.Millisecond)
	l.run(5 * time.Second)
	l.wantRoles("down", "Master")
	if l.nodes["lb2"].lease <= l.now {
		t.Error("a lonely MASTER let its lease run out")
	}
}

func TestCrashIsTakenOverWithinDetection(t *testing.T) {
	l := newPair(t)
	e := l.open("lb1", 1)
	l.run(time.Second)
	l.crash("lb1")
	masterWithin(l, "lb2", labDetect+5*time.Millisecond)
	if role := l.lastRole("lb2"); role.Degraded {
		t.Errorf("claimed degraded although in sync: %s", role.Reason)
	}
	if _, ok := l.nodes["lb2"].table[e.Original]; !ok {
		t.Error("the new MASTER does not know the flow")
	}
}

// A timer is never punctual; that must not be taken for a pause.
func TestLateTimersDoNotDelayATakeover(t *testing.T) {
	for _, late := range []time.Duration{10 * time.Microsecond, time.Millisecond, 5 * time.Millisecond} {
		l := newPair(t)
		l.late = late
		l.run(time.Second)
		l.crash("lb1")
		masterWithin(l, "lb2", labDetect+5*time.Millisecond+2*late)
	}
}

func TestRestoredMasterStaysBackup(t *testing.T) {
	l := newPair(t)
	l.crash("lb1")
	masterWithin(l, "lb2", labDetect+5*time.Millisecond)
	for i := range 1000 {
		l.open("lb2", i)
	}
	l.run(time.Second)
	since := l.mark("lb2")
	l.boot("lb1")
	l.until(time.Second, "lb1 in sync", func() bool { return l.inSync("lb1") })
	l.run(5 * time.Second)
	l.wantRoles("Backup", "Master")
	if changes := since(); len(changes) != 0 {
		t.Errorf("lb2 changed its role: %v", changes)
	}
	if got := len(l.nodes["lb1"].table); got != 1000 {
		t.Errorf("the restored node has %d flows, want 1000", got)
	}
}

func TestPreferredNodeIsHandedTheRoleAfterSync(t *testing.T) {
	l := newPair(t, func(c *Config) { c.Preempt = PreemptAfterSync })
	l.crash("lb1")
	masterWithin(l, "lb2", labDetect+5*time.Millisecond)
	for i := range 1000 {
		l.open("lb2", i)
	}
	l.boot("lb1")
	masterWithin(l, "lb1", 2*time.Second)
	if role := l.lastRole("lb1"); role.Epoch != 3 {
		t.Errorf("epoch %d, want 3", role.Epoch)
	}
	if !strings.Contains(l.transcript(), "granted by the MASTER") {
		t.Errorf("not by a grant:\n%s", l.transcript())
	}
	l.run(time.Second)
	l.wantRoles("Master", "Backup")
	if !l.inSync("lb2") {
		t.Error("the node that yielded is not in sync")
	}
}

func TestOperatorHandover(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	l.step(l.nodes["lb1"], Handover{})
	masterWithin(l, "lb2", 20*time.Millisecond)
	l.run(3 * time.Second)
	l.wantRoles("Backup", "Master")
	if !l.inSync("lb1") {
		t.Error("the former MASTER is not in sync")
	}
}

// A node that left in order has not flapped: it takes over from a peer that crashes
// as fast as any, however often the role has moved.
func TestHandoversDoNotCountAsFlaps(t *testing.T) {
	l := newPair(t)
	l.run(100 * time.Millisecond)
	for range 3 {
		l.step(l.nodes["lb1"], Handover{})
		masterWithin(l, "lb2", 20*time.Millisecond)
		l.run(100 * time.Millisecond)
		l.step(l.nodes["lb2"], Handover{})
		masterWithin(l, "lb1", 20*time.Millisecond)
		l.run(100 * time.Millisecond)
	}
	l.crash("lb1")
	masterWithin(l, "lb2", labDetect+5*time.Millisecond)
}

// announcements counts those of a node since the transcript had so many events.
func (l *lab) announcements(id string, since int) int {
	count := 0
	for _, e := range l.log[since:] {
		if e.Kind == trace.KindAnnounce && e.Node == id {
			count++
		}
	}
	return count
}

func TestNothingIsAnnouncedOnceForwardingHasEnded(t *testing.T) {
	l := newPair(t)
	l.run(10 * time.Millisecond) // in the middle of lb1's burst
	l.dropSync["lb2"] = true     // no answer: lb1 stays Yielding for long
	l.open("lb1", 1)
	l.step(l.nodes["lb1"], Handover{})
	l.wantRoles("Yielding", "Backup")
	since := len(l.log)
	l.run(yieldLimit / 2)
	if n := l.announcements("lb1", since); n != 0 {
		t.Errorf("announced %d times while Yielding", n)
	}
}

// While the peer was not heard it may have been MASTER, and caches may have latched
// on it.
func TestAMasterAnnouncesAgainWhenItHearsItsPeerAgain(t *testing.T) {
	l := newPair(t)
	l.run(2 * time.Second)
	l.crash("lb2")
	l.run(time.Second)
	since := len(l.log)
	l.boot("lb2")
	l.until(time.Second, "lb1 hears lb2", func() bool { return l.announcements("lb1", since) > 0 })
	l.run(burst[len(burst)-1])
	l.wantRoles("Master", "Backup")
	if n := l.announcements("lb1", since); n != len(burst) {
		t.Errorf("announced %d times after the peer came back, want %d", n, len(burst))
	}
}

// Every packet of a burst may be lost, and a host that latched on the old MASTER then
// sends to it until its own table ages.
func TestAMasterGoesOnAnnouncing(t *testing.T) {
	l := newPair(t)
	last := burst[len(burst)-1]
	l.run(last + time.Millisecond)
	since, want := len(l.log), int((settled-last)/repeat)
	l.run(settled - last)
	if n := l.announcements("lb1", since); n != want {
		t.Errorf("announced %d times in the %v after the burst, want one each %v", n, settled-last, repeat)
	}
	settledAt := len(l.log)
	l.run(3*refresh + refresh/2)
	l.wantRoles("Master", "Backup")
	if n := l.announcements("lb1", settledAt); n != 3 {
		t.Errorf("announced %d times in the %v after that, want one each %v", n, 3*refresh+refresh/2, refresh)
	}
	if n := l.announcements("lb2", since); n != 0 {
		t.Errorf("the Backup announced %d times", n)
	}
}

// The recovery delay may be short; a frozen MASTER's lease runs all the same.
func TestABootingNodeWaitsForALeaseItCannotSee(t *testing.T) {
	l := newLab(t, func(c *Config) { c.Hold = 0 })
	l.boot("lb1")
	masterWithin(l, "lb1", labDetect+10*time.Millisecond)
	l.run(time.Second)
	l.freeze("lb1")
	l.boot("lb2")
	l.run(labDetect / 2) // two forwarders would end the test
	masterWithin(l, "lb2", labDetect)
}

func TestHandoverIsRefusedWithoutAReadyPeer(t *testing.T) {
	l := newPair(t)
	l.crash("lb2")
	l.run(time.Second)
	l.step(l.nodes["lb1"], Handover{})
	l.run(time.Second)
	if l.role("lb1") != "Master" {
		t.Fatalf("gave the role to nobody\n%s", l.transcript())
	}
	if !strings.Contains(l.transcript(), "handover refused: PeerReady") {
		t.Errorf("the refusal does not name its gate:\n%s", l.transcript())
	}
}

func TestHandoverToADyingPeerIsTakenBack(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	l.dropSync["lb2"] = true // its acks never arrive
	l.open("lb1", 7)
	l.step(l.nodes["lb1"], Handover{})
	l.wantRoles("Yielding", "Backup")
	masterWithin(l, "lb1", yieldLimit+50*time.Millisecond)
	if got := l.lastRole("lb1").Epoch; got != 2 {
		t.Errorf("taken back with epoch %d, want 2", got)
	}
}

func TestStopHandsOverFirst(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	l.step(l.nodes["lb1"], Stop{})
	masterWithin(l, "lb2", 20*time.Millisecond)
	l.until(100*time.Millisecond, "lb1 exits", func() bool { return l.nodes["lb1"].exited })
	if role := l.lastRole("lb2"); !strings.Contains(strings.Join(role.Gates, " "), "Granted") && role.Degraded {
		t.Errorf("lb2 claimed %s", role.Reason)
	}
}

// A MASTER that pauses while it hands over may have been taken for dead.
func TestAPauseWhileYieldingGivesTheRoleUp(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	l.dropSync["lb2"] = true
	l.open("lb1", 1)
	l.step(l.nodes["lb1"], Handover{})
	l.wantRoles("Yielding", "Backup")
	l.freeze("lb1")
	masterWithin(l, "lb2", labDetect+5*time.Millisecond)
	l.run(yieldLimit)
	l.thaw("lb1")
	l.run(time.Second)
	l.wantRoles("Backup", "Master")
}

func TestANodeThatLeavesDoesNotClaim(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	l.dropSync["lb2"] = true // lb1 waits for an ack that never comes
	l.open("lb1", 1)
	l.step(l.nodes["lb1"], Stop{})
	l.wantRoles("Yielding", "Backup")
	since := l.mark("lb1")
	l.crash("lb2")
	l.until(2*yieldLimit, "lb1 exits", func() bool { return l.nodes["lb1"].exited })
	for _, change := range since() {
		if strings.HasSuffix(change, "Claiming") {
			t.Errorf("claimed while it was leaving: %v", since())
		}
	}
}

// A stream that the kernel of a dead peer accepted says nothing and never ends.
func TestAMuteStreamIsGivenUp(t *testing.T) {
	l := newLab(t)
	l.boot("lb1")
	masterWithin(l, "lb1", time.Second)
	lb1 := l.nodes["lb1"]
	lb1.stream = 99
	l.step(lb1, Stream{ID: 99, Up: true})
	l.run(muteLimit + 10*time.Millisecond)
	if lb1.stream == 99 {
		t.Error("still on the mute stream")
	}
}

func TestStopOfALonelyMasterEnds(t *testing.T) {
	l := newLab(t)
	l.boot("lb1")
	masterWithin(l, "lb1", time.Second)
	l.step(l.nodes["lb1"], Stop{})
	l.until(time.Second, "lb1 exits", func() bool { return l.nodes["lb1"].exited })
}

func TestAFrozenMasterComesBackAsBackup(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	l.freeze("lb1")
	masterWithin(l, "lb2", labDetect+5*time.Millisecond)
	l.run(2 * time.Second)
	l.thaw("lb1")
	l.until(time.Second, "lb1 in sync", func() bool { return l.inSync("lb1") })
	l.run(3 * time.Second)
	l.wantRoles("Backup", "Master")
}

// A pause longer than the lease but shorter than detection costs no hold-down:
// the peer says after the pause that it has not claimed.
func TestAShortStallIsForgivenOnceThePeerAnswers(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	lb1 := l.nodes["lb1"]
	l.freeze("lb1")
	l.until(labDetect, "lease runs out", func() bool { return lb1.lease < l.now })
	l.thaw("lb1")
	if l.role("lb1") != "Backup" {
		t.Fatalf("role %s after the lease ran out", l.role("lb1"))
	}
	masterWithin(l, "lb1", 20*time.Millisecond)
	l.run(time.Second)
	l.wantRoles("Master", "Backup")
}

func TestPartitionHealsToOneMaster(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	for _, key := range []string{"lb1 clients", "lb1 sync", "lb2 clients", "lb2 sync"} {
		l.dropBFD[key] = true
	}
	l.dropSync["lb1"], l.dropSync["lb2"] = true, true
	l.run(2 * time.Second)
	l.wantRoles("Master", "Master")
	clear(l.dropSync)
	delete(l.dropBFD, "lb1 sync")
	delete(l.dropBFD, "lb2 sync")
	l.run(2 * time.Second)
	l.wantRoles("Backup", "Master") // the higher epoch wins
	clear(l.dropBFD)
	l.until(time.Second, "lb1 in sync", func() bool { return l.inSync("lb1") })
	announced := 0
	for _, e := range l.log {
		if e.Kind == trace.KindAnnounce && e.Node == "lb2" {
			announced++
		}
	}
	if announced < 2*len(burst) {
		t.Errorf("the winner announced %d times, want a second burst after the heal", announced)
	}
}

// A partition heals for the stream first: sessions that are Down send once a second. The
// loser must not take what it has just been told of for silence, and claim again. It does
// not wait for ever for a MASTER that only its stream speaks of.
func TestAMasterThatTheStreamTellsOfIsNotSilent(t *testing.T) {
	l := newPair(t, func(c *Config) { c.Hold = 50 * time.Millisecond })
	l.run(time.Second)
	for _, key := range []string{"lb1 clients", "lb1 sync", "lb2 clients", "lb2 sync"} {
		l.dropBFD[key] = true
	}
	l.dropSync["lb1"], l.dropSync["lb2"] = true, true
	l.run(2 * time.Second)
	l.wantRoles("Master", "Master")
	clear(l.dropSync)
	l.until(time.Second, "lb1 gives up the role", func() bool { return l.role("lb1") == "Backup" })
	since := l.mark("lb1")
	l.run(hearLimit - 10*time.Millisecond)
	if changes := since(); len(changes) > 0 {
		t.Errorf("it was told of the MASTER, and then: %v", changes)
	}
	l.until(time.Second, "lb1 claims, since BFD goes on hearing nobody", func() bool { return l.role("lb1") == "Master" })
}

func TestLosingTheMasterDuringSyncClaimsDegradedAndSaysSo(t *testing.T) {
	l := newPair(t, func(c *Config) { c.Sync.BatchEntries, c.Sync.Window = 16, 2 })
	for i := range 5000 {
		l.open("lb1", i)
	}
	l.run(time.Second)
	l.crash("lb2")
	l.run(time.Second)
	l.boot("lb2")
	l.nodes["lb2"].holdDone = true // its dataplane is slow: the window fills
	l.run(2 * labHold)
	if l.inSync("lb2") {
		t.Fatal("in sync without having applied anything")
	}
	l.crash("lb1")
	l.release("lb2")
	masterWithin(l, "lb2", 2*labDetect)
	if !strings.Contains(l.transcript(), "degraded") {
		t.Errorf("not said:\n%s", l.transcript())
	}
}

func TestADataplaneThatTakesNoEntriesDoesNotKeepANodeFromServing(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	l.nodes["lb2"].refuses = true
	l.open("lb1", 1)
	l.run(100 * time.Millisecond)
	if l.inSync("lb2") {
		t.Error("in sync without the flow")
	}
	l.crash("lb1")
	masterWithin(l, "lb2", labDetect+installLimit+10*time.Millisecond)
	if !strings.Contains(l.transcript(), "degraded") {
		t.Errorf("claimed as if in sync:\n%s", l.transcript())
	}
}

func TestLostFlowEventsAreFoundByADump(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	e := l.open("lb1", 1)
	l.run(10 * time.Millisecond)
	missed := e
	missed.Original.SrcPort, missed.Reply.DstPort = 2, 2
	l.nodes["lb1"].table[missed.Original] = missed // its event was lost
	l.step(l.nodes["lb1"], Lost{})
	l.until(time.Second, "the peer has the flow", func() bool {
		_, ok := l.nodes["lb2"].table[missed.Original]
		return ok
	})
}

func TestAStaleTableIsNotInSync(t *testing.T) {
	l := newPair(t)
	l.dropSync["lb1"], l.dropSync["lb2"] = true, true
	l.dropBFD["lb1 sync"] = true
	l.run(labDetect + staleAfter + 10*time.Millisecond)
	l.wantRoles("Master", "Backup")
	l.crash("lb1")
	masterWithin(l, "lb2", labDetect+5*time.Millisecond)
	if !strings.Contains(l.transcript(), "degraded") {
		t.Errorf("claimed as if in sync:\n%s", l.transcript())
	}
}

func TestALinkLostOnTheMasterMovesTheRole(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	l.step(l.nodes["lb1"], Link{Name: "backend0", Up: false})
	masterWithin(l, "lb2", 20*time.Millisecond)
	l.wantRoles("Fault", "Master")
	l.step(l.nodes["lb1"], Link{Name: "backend0", Up: true})
	l.run(3 * time.Second)
	l.wantRoles("Backup", "Master")
}

func TestARefusedLeaseIsAFault(t *testing.T) {
	l := newLab(t)
	n := l.nodes["lb1"]
	n.holdDone = true
	l.boot("lb1")
	n.holdDone = true
	l.until(time.Second, "lb1 claims", func() bool { return l.role("lb1") == "Claiming" })
	for _, in := range n.later {
		d := in.(Done)
		d.Err = "map is read-only"
		n.node.Step(l.now, d)
	}
	if got := n.node.Role(); got != ha.Fault && got != ha.Backup {
		t.Errorf("role %s after a refused lease", got)
	}
}

func TestOrderOfPromotion(t *testing.T) {
	for _, early := range []bool{false, true} {
		l := newPair(t, func(c *Config) { c.AnnounceEarly = early })
		var order []string
		for _, e := range l.log {
			if e.Node != "lb1" {
				continue
			}
			switch {
			case e.Kind == trace.KindLease && e.Lease.Until > e.At:
				order = append(order, "lease")
			case e.Kind == trace.KindAnnounce:
				order = append(order, "announce")
			}
		}
		first := order[0]
		if want := map[bool]string{false: "lease", true: "announce"}[early]; first != want {
			t.Errorf("announce early %v: %s came first, want %s", early, first, want)
		}
	}
}

// With the gates off and immediate preemption the node is what LoxiLB #565 was.
func TestUnsafeNodeSeizesTheRoleWithoutItsTable(t *testing.T) {
	l := newLab(t, func(c *Config) { c.GatesOff, c.Preempt = true, PreemptImmediate })
	l.unsafe = true
	l.boot("lb1")
	l.boot("lb2")
	l.run(time.Second)
	l.crash("lb1")
	masterWithin(l, "lb2", 2*labDetect)
	l.open("lb2", 1)
	l.run(time.Second)
	l.boot("lb1")
	l.run(100 * time.Millisecond)
	l.wantRoles("Master", "Backup")
	if len(l.nodes["lb1"].table) != 0 {
		t.Error("it had the table, so the control proves nothing")
	}
	if !l.nodes["lb1"].guess {
		t.Error("it does not take mid-flow segments for new flows")
	}
}

// A BACKUP that was paused has heard nothing meanwhile; the silence was its own.
func TestAFrozenBackupDoesNotTakeItsOwnSilenceForThePeers(t *testing.T) {
	for _, pause := range []time.Duration{labDetect - 10*time.Millisecond, labDetect + 10*time.Millisecond, time.Second, time.Minute} {
		l := newPair(t)
		l.run(time.Second)
		since := l.mark("lb2")
		l.freeze("lb2")
		l.run(pause)
		l.thaw("lb2")
		l.run(3 * time.Second)
		l.wantRoles("Master", "Backup")
		if changes := since(); len(changes) != 0 {
			t.Errorf("after a pause of %v: %v", pause, changes)
		}
	}
}

// A node that was paused hears what waited as of when it came: what came in time
// keeps its session up, what did not leaves it down, and neither renews a lease
// that has run out.
func TestAPacketThatWaitedCountsFromWhenItCame(t *testing.T) {
	for _, c := range []struct {
		name  string
		pause time.Duration
		state string
	}{
		// The peer goes on sending; only this node's own packets are missing there.
		{"shorter than detection", labDetect - 20*time.Millisecond, "Up"},
		// The peer has declared it down and says so last.
		{"longer than detection", 2 * labDetect, "Down"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newPair(t)
			l.run(time.Second)
			lb2 := l.nodes["lb2"]
			l.freeze("lb2")
			l.run(c.pause)
			downs := func() (n uint64) {
				for _, p := range lb2.node.Status().Paths {
					n += p.Stats.Downs
				}
				return n
			}
			before := downs()
			l.thaw("lb2")
			for _, p := range lb2.node.Status().Paths {
				if p.State != c.state {
					t.Errorf("%s is %s (%s), want %s", p.Name, p.State, p.Diag, c.state)
				}
				if p.Diag == bfd.DiagDetectionTimeExpired.String() {
					t.Errorf("%s: it took its own pause for the peer's silence", p.Name)
				}
			}
			if went := downs() != before; went != (c.state == "Down") {
				t.Errorf("went down: %v", went)
			}
		})
	}
}

func TestAGrantFromBeforeASilenceIsNotTaken(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	lb2 := l.nodes["lb2"]
	old := lb2.stream
	l.freeze("lb2")
	l.run(time.Second)
	g := grant{Epoch: 1}
	lb2.held = append([]Input{Message{Stream: old, Data: g.encode()}}, lb2.held...)
	l.thaw("lb2")
	l.run(50 * time.Millisecond)
	l.wantRoles("Master", "Backup")
}

func TestHostileMessagesChangeNoRole(t *testing.T) {
	good := state{Role: ha.Master, Rank: ha.Rank{Able: true, Epoch: 99, Complete: true, Priority: 255, ID: "lb2"}, Incarnation: 1, Seq: 1}.encode()
	wrongID := state{Role: ha.Master, Rank: ha.Rank{Able: true, Epoch: 99, ID: "mallory"}}.encode()
	cases := map[string][]byte{
		"empty id":       good[:stateLen],
		"truncated":      good[:10],
		"wrong version":  append([]byte{typeState, 9}, good[2:]...),
		"unknown role":   append([]byte{typeState, wireVersion, 77}, good[3:]...),
		"unknown flags":  append([]byte{typeState, wireVersion, byte(ha.Master), 0xf0}, good[4:]...),
		"unknown type":   {0xee, wireVersion},
		"one byte":       {typeState},
		"another's name": wrongID,
		"long request":   {typeRequest, wireVersion, 1},
		"short grant":    {typeGrant, wireVersion, 1},
	}
	for name, data := range cases {
		t.Run(name, func(t *testing.T) {
			l := newPair(t)
			l.run(time.Second)
			lb1 := l.nodes["lb1"]
			before := lb1.node.peer
			l.step(lb1, Message{Stream: lb1.stream, Data: data})
			if lb1.node.peer.state != before.state {
				t.Errorf("changed what is known of the peer")
			}
			if lb1.node.stream.up {
				t.Error("the stream survived a protocol violation")
			}
			l.run(time.Second)
			l.wantRoles("Master", "Backup")
		})
	}
}

// What was on its way on a stream that has been given up says nothing on the next.
func TestAFormerStreamIsNotHeard(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	lb1 := l.nodes["lb1"]
	former := lb1.stream
	l.dropStream(lb1)
	l.dropStream(l.nodes["lb2"])
	l.until(time.Second, "a new stream", func() bool { return lb1.stream != 0 && lb1.stream != former && lb1.node.peer.known })
	before := lb1.node.peer
	claim := state{Role: ha.Master, Rank: ha.Rank{Able: true, Epoch: 99, Complete: true, ID: "lb2"}, Incarnation: 1, Seq: 1}
	for _, data := range [][]byte{claim.encode(), {0xee}} {
		l.step(lb1, Message{Stream: former, Data: data})
	}
	if lb1.node.peer.state != before.state || !lb1.node.stream.up {
		t.Error("a message of the former stream was heard")
	}
	l.wantRoles("Master", "Backup")
}

func FuzzMessages(f *testing.F) {
	f.Add(state{Role: ha.Master, Rank: ha.Rank{Able: true, Epoch: 2, ID: "lb2"}}.encode())
	f.Add(grant{Epoch: 1, Barrier: 3}.encode())
	f.Add(encodeRequest())
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := decodeState(data); err == nil {
			data[0], data[1] = typeState, wireVersion
			if got := s.encode(); string(got) != string(data) {
				t.Errorf("state decodes and encodes to something else")
			}
		}
		if g, err := decodeGrant(data); err == nil {
			data[0], data[1] = typeGrant, wireVersion
			if got := g.encode(); string(got) != string(data) {
				t.Errorf("grant decodes and encodes to something else")
			}
		}
	})
}
