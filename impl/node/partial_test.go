package node_test

import (
	. "baton/impl/node"
	"strings"
	"testing"
	"time"

	"baton/impl/ha"
	"baton/impl/trace"
)

// lastClaim returns the last role event by which a node began to claim.
func (l *lab) lastClaim(id string) *trace.Role {
	for i := len(l.log) - 1; i >= 0; i-- {
		if e := l.log[i]; e.Role != nil && e.Node == id && e.Role.To == "Claiming" && e.Role.From == "Backup" {
			return e.Role
		}
	}
	l.t.Fatalf("%s never claimed", id)
	return nil
}

// drop drops or passes everything that a node sends, on every path and on the stream.
func (l *lab) drop(id string, lose bool) {
	for _, p := range l.nodes[id].cfg.Paths {
		l.dropBFD[id+" "+p.Name] = lose
	}
	l.dropSync[id] = lose
}

// handOver moves the role in order.
func (l *lab) handOver(from, to string) {
	l.t.Helper()
	l.until(time.Second, to+" ready", func() bool { return l.nodes[from].node.GateOpen(ha.PeerReady) })
	l.step(l.nodes[from], Handover{})
	masterWithin(l, to, time.Second)
}

// wantFlows checks how many flows a node's dataplane holds.
func (l *lab) wantFlows(id string, want int) {
	l.t.Helper()
	if got := len(l.nodes[id].table); got != want {
		l.t.Errorf("%s has %d flows, want %d", id, got, want)
	}
}

func (l *lab) openMany(id string, flows int) {
	for i := range flows {
		l.open(id, i)
	}
	l.run(100 * time.Millisecond)
}

// dropStreams drops all streams, and breaks the current one; BFD is unaffected.
func (l *lab) dropStreams(lose bool) {
	l.dropSync["lb1"], l.dropSync["lb2"] = lose, lose
	if lose {
		l.dropBFD["lb1 sync"], l.dropBFD["lb2 sync"] = true, true
		return
	}
	delete(l.dropBFD, "lb1 sync")
	delete(l.dropBFD, "lb2 sync")
}

// A MASTER that hears its unhearing peer claim stops before the peer forwards. The pair has one
// MASTER again within two detection times, and no role changes at the heal.
func TestOneWayLossTowardsTheBackup(t *testing.T) {
	l := newPair(t)
	l.openMany("lb1", 10)
	l.drop("lb1", true)
	masterWithin(l, "lb2", 2*labDetect)
	l.run(time.Minute)
	l.wantRoles("Backup", "Master")
	since1, since2 := l.mark("lb1"), l.mark("lb2")
	l.drop("lb1", false)
	l.run(10 * time.Second)
	if changes := append(since1(), since2()...); len(changes) > 0 {
		t.Errorf("the heal moves roles: %v", changes)
	}
	l.until(time.Second, "lb1 in sync", func() bool { return l.inSync("lb1") })
	l.wantFlows("lb1", 10)
}

// It also stops if it has not noticed yet that the last two-way path is dead: the peer noticed
// first, and says so on a path with one direction left.
func TestAMasterStopsIfTheBackupNoticesTheLastDeadPathFirst(t *testing.T) {
	for offset := range 50 {
		l := newPair(t)
		l.dropBFD["lb1 sync"], l.dropSync["lb1"], l.dropSync["lb2"] = true, true, true
		l.run(5*time.Second + time.Duration(offset)*time.Millisecond)
		l.dropBFD["lb1 clients"], l.dropBFD["lb2 clients"] = true, true
		masterWithin(l, "lb2", 2*labDetect) // the lab ends a test in which both forward
		l.wantRoles("Backup", "Master")
	}
}

// Two nodes without a stream stand by. One ends the standoff in its turn, but is not heard. The
// other does not rely on what it heard seconds ago.
func TestAStandoffThatEndsUnheardLeavesOneForwarder(t *testing.T) {
	l := newLab(t)
	l.boot("lb1")
	l.boot("lb2")
	l.freeze("lb2")
	l.run(labDetect)
	l.drop("lb1", true)
	l.thaw("lb2")
	l.run(10 * time.Second) // the lab ends a test in which both forward
	l.wantRoles("Backup", "Master")
}

// The same soon after the role was handed over.
func TestOneWayLossSoonAfterAHandover(t *testing.T) {
	for wait := range 10 {
		l := newPair(t)
		l.run(time.Second)
		l.handOver("lb1", "lb2")
		l.run(time.Duration(wait) * 100 * time.Millisecond)
		l.drop("lb2", true)
		masterWithin(l, "lb1", 2*labDetect) // the lab ends a test in which both forward
		l.wantRoles("Master", "Backup")
	}
}

// A MASTER that hears nobody continues; the peer hears it and therefore does not claim.
func TestOneWayLossTowardsTheMaster(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	since1, since2 := l.mark("lb1"), l.mark("lb2")
	l.drop("lb2", true)
	l.run(time.Minute)
	l.drop("lb2", false)
	l.run(10 * time.Second)
	if changes := append(since1(), since2()...); len(changes) > 0 {
		t.Errorf("roles moved: %v", changes)
	}
}

// A node that has just booted and hears a deaf MASTER only once a second does not claim either.
func TestANodeBootsNextToADeafMaster(t *testing.T) {
	{
		l := newPair(t)
		l.run(time.Second)
		l.drop("lb2", true)
		l.run(5 * time.Second)
		l.crash("lb2")
		l.run(time.Second)
		for i := range 8 {
			l.run(time.Duration(i) * 100 * time.Millisecond)
			l.boot("lb2")
			since := l.mark("lb2")
			l.run(1500 * time.Millisecond)
			for _, change := range since() {
				if strings.Contains(change, "Claiming") {
					t.Fatalf("lb2 claims: %v", since())
				}
			}
			l.crash("lb2")
		}
	}
}

// Each path works in one direction only, one each way: no session comes Up, yet the nodes hear
// each other.
func TestOneDirectionOnEachPath(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	l.dropBFD["lb1 sync"], l.dropBFD["lb2 clients"] = true, true
	l.dropSync["lb1"] = true
	l.run(10 * time.Second)
	l.until(5*time.Second, "one MASTER", func() bool {
		return (l.role("lb1") == "Master") != (l.role("lb2") == "Master")
	})
	l.run(time.Minute)
	if (l.role("lb1") == "Master") == (l.role("lb2") == "Master") {
		t.Errorf("lb1 %s, lb2 %s", l.role("lb1"), l.role("lb2"))
	}
}

// A partition that heals in only one direction: both nodes serve, and the one that is not heard
// stops.
func TestAPartitionHealsInOneDirection(t *testing.T) {
	for _, heard := range []string{"lb1", "lb2"} {
		l := newPair(t)
		l.run(time.Second)
		l.drop("lb1", true)
		l.drop("lb2", true)
		l.run(5 * time.Second)
		l.wantRoles("Master", "Master")
		l.drop(heard, false)
		l.run(HearLimit + 2*time.Second)
		want := map[string][2]string{"lb1": {"Master", "Backup"}, "lb2": {"Backup", "Master"}}[heard]
		l.wantRoles(want[0], want[1])
	}
}

// A grant that is lost with its stream leaves two nodes that stand by. One of them serves within
// the time of a standoff.
func TestAGrantThatIsLostWithItsStream(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	l.dropSync["lb1"], l.dropSync["lb2"] = true, true
	l.step(l.nodes["lb1"], Handover{})
	l.dropStreams(true)
	l.until(StandoffTurn+StandoffLargerID+YieldLimit+labDetect, "a MASTER", func() bool {
		return l.role("lb1") == "Master" || l.role("lb2") == "Master"
	})
	l.run(time.Minute)
	if (l.role("lb1") == "Master") == (l.role("lb2") == "Master") {
		t.Errorf("lb1 %s, lb2 %s", l.role("lb1"), l.role("lb2"))
	}
}

// Without a stream a MASTER that cannot serve says so by BFD, and its peer takes over.
func TestAMasterFailsWhileTheSyncLinkIsDown(t *testing.T) {
	for name, fail := range map[string]func(l *lab){
		"link":    func(l *lab) { l.step(l.nodes["lb1"], Link{Name: "backend0"}) },
		"targets": func(l *lab) { l.probe("lb1", false) },
	} {
		t.Run(name, func(t *testing.T) {
			l := newPair(t, tracking)
			l.run(time.Second)
			l.dropStreams(true)
			l.run(5 * time.Second)
			l.wantRoles("Master", "Backup")
			fail(l)
			masterWithin(l, "lb2", labDetect)
			l.run(time.Minute)
			if l.role("lb1") == "Master" {
				t.Error("lb1 is MASTER again")
			}
		})
	}
}

// A table is in sync only while the MASTER is heard on the stream, even if the link is up only
// briefly and repeatedly.
func TestShortVisitsOfTheSyncLink(t *testing.T) {
	for _, visit := range []time.Duration{20 * time.Millisecond, 100 * time.Millisecond, 300 * time.Millisecond, 400 * time.Millisecond} {
		l := newPair(t)
		l.openMany("lb1", 200)
		l.dropStreams(true)
		l.run(2 * time.Second)
		for i := range 100 {
			l.open("lb1", 200+i)
		}
		for range 5 {
			l.dropStreams(false)
			l.run(visit)
			l.dropStreams(true)
			for i := range 20 {
				l.open("lb1", 1000+i)
			}
			l.run(StaleAfter + labDetect + 10*time.Millisecond)
			if l.nodes["lb2"].node.Status().InSync {
				t.Errorf("visit of %v: in sync %v after the link was lost", visit, StaleAfter+labDetect)
			}
		}
		l.dropStreams(false)
		l.until(5*time.Second, "lb2 in sync", func() bool { return l.nodes["lb2"].node.Status().InSync })
		l.wantFlows("lb2", len(l.nodes["lb1"].table))
	}
}

// BFD is filtered on both paths while the stream lives: nobody claims. Once the MASTER
// dies, the stream's silence is enough.
func TestBFDIsFilteredWhileTheStreamLives(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	since := l.mark("lb2")
	for _, key := range []string{"lb1 clients", "lb1 sync", "lb2 clients", "lb2 sync"} {
		l.dropBFD[key] = true
	}
	l.run(time.Minute)
	if changes := since(); len(changes) > 0 {
		t.Errorf("lb2 claims: %v", changes)
	}
	l.crash("lb1")
	masterWithin(l, "lb2", labDetect+5*time.Millisecond)
}

// A frozen MASTER stops forwarding before the silence of its stream lets the peer claim.
func TestAMasterFreezesWhileBFDIsFiltered(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	for _, key := range []string{"lb1 clients", "lb1 sync", "lb2 clients", "lb2 sync"} {
		l.dropBFD[key] = true
	}
	l.run(time.Second)
	l.freeze("lb1")
	l.divided = false // from here on two forwarders are an error
	masterWithin(l, "lb2", labDetect+5*time.Millisecond)
}

// A node that has heard its peer but never had its table claims degraded.
func TestAPeerThatWasHeardAndNeverSynced(t *testing.T) {
	l := newLab(t)
	l.dropSync["lb1"], l.dropSync["lb2"] = true, true
	l.boot("lb1")
	masterWithin(l, "lb1", BootListen+labDetect)
	l.boot("lb2")
	l.run(10 * time.Second)
	l.wantRoles("Master", "Backup")
	if l.nodes["lb2"].node.Status().InSync {
		t.Error("in sync without ever having had the table")
	}
	l.crash("lb1")
	masterWithin(l, "lb2", labDetect+labHold)
	if r := l.lastClaim("lb2"); !r.Degraded {
		t.Errorf("claims with %q", r.Reason)
	}
	if s := l.nodes["lb2"].node.Status(); !s.Degraded || s.Complete {
		t.Error("its status does not say that it serves without the table")
	}
}

// Two nodes that hear each other and never have a stream end with one MASTER.
func TestAPairThatNeverHasAStream(t *testing.T) {
	l := newLab(t)
	l.dropSync["lb1"], l.dropSync["lb2"] = true, true
	l.boot("lb1")
	l.boot("lb2")
	masterWithin(l, "lb1", StandoffTurn+StandoffIncomplete+labHold)
	l.run(time.Minute)
	l.wantRoles("Master", "Backup")
}

// The recovery delay, even if lengthened by stalls, prolongs no outage.
func TestALengthenedDelayProlongsNoOutage(t *testing.T) {
	l := newPair(t)
	l.run(10 * time.Second)
	for range 6 {
		l.freeze("lb1")
		l.run(labDetect - 5*time.Millisecond)
		l.thaw("lb1")
		l.until(time.Second, "a MASTER", func() bool { return l.role("lb1") == "Master" || l.role("lb2") == "Master" })
		if l.role("lb2") == "Master" {
			l.handOver("lb2", "lb1")
		}
	}
	l.handOver("lb1", "lb2")
	l.until(time.Second, "lb1 in sync", func() bool { return l.inSync("lb1") })
	l.crash("lb2")
	masterWithin(l, "lb1", labDetect+5*time.Millisecond)
}

// The switch of both nodes fails briefly: both are in Fault, and one serves as soon as it can.
func TestTheSwitchOfBothNodesBlinks(t *testing.T) {
	l := newPair(t)
	l.run(10 * time.Second)
	for range 3 {
		for _, up := range []bool{false, true} {
			for _, id := range []string{"lb1", "lb2"} {
				l.step(l.nodes[id], Link{Name: "client0", Up: up})
			}
			l.run(400 * time.Millisecond)
		}
		l.until(labDetect, "a MASTER", func() bool { return l.role("lb1") == "Master" || l.role("lb2") == "Master" })
	}
}

// An empty node that did not hear the node with the sessions must not end up above it.
func TestAnEmptyNodeDoesNotBeatTheSessions(t *testing.T) {
	for _, deafFor := range []time.Duration{0, 300 * time.Millisecond, time.Second, 2 * time.Second, 10 * time.Second} {
		l := newPair(t)
		l.openMany("lb1", 100)
		l.crash("lb1")
		masterWithin(l, "lb2", labDetect+5*time.Millisecond)
		l.run(2 * time.Second)
		l.drop("lb2", true)
		l.boot("lb1")
		masterWithin(l, "lb1", BootListen+labDetect)
		l.run(deafFor)
		l.drop("lb2", false)
		masterWithin(l, "lb2", 5*time.Second)
		l.until(5*time.Second, "lb1 in sync", func() bool { return l.inSync("lb1") })
		l.wantRoles("Backup", "Master")
		l.wantFlows("lb2", 100)
	}
}

// A node that cannot serve keeps the sessions that its peer has lost. An empty MASTER does not
// overwrite that table while it may still be needed, and yields once the node can serve.
func TestATableOutlivesAnEmptyMaster(t *testing.T) {
	l := newPair(t, tracking)
	l.openMany("lb1", 50)
	l.probe("lb2", false)
	l.crash("lb1")
	l.run(10 * time.Second)
	l.wantFlows("lb2", 50)
	l.dropStreams(true) // the table cannot be given
	l.boot("lb1")
	masterWithin(l, "lb1", BootListen+labHold)
	l.dropStreams(false)
	l.connect()
	l.run(5 * time.Second)
	l.wantFlows("lb2", 50)
	l.probe("lb2", true)
	masterWithin(l, "lb2", 100*time.Millisecond)
	l.until(time.Second, "lb1 in sync", func() bool { return l.inSync("lb1") })
	l.wantFlows("lb1", 50)
}

// Two nodes that claim at one instant, because neither heard the other until then, decide on the
// stream which one continues, before either forwards.
func TestTwoClaimsThatMeetAreToldApart(t *testing.T) {
	l := newLab(t)
	l.drop("lb1", true)
	l.drop("lb2", true)
	l.boot("lb1")
	l.boot("lb2")
	l.until(3*time.Second, "both claim", func() bool { return l.role("lb1") == "Claiming" && l.role("lb2") == "Claiming" })
	l.drop("lb1", false)
	l.drop("lb2", false)
	l.join() // the lab ends a test in which both forward though they hear each other
	l.run(time.Second)
	l.wantRoles("Master", "Backup")
}

// A session that is not Up sends once a second. So the only working direction, just healed, may
// be silent at first, and both nodes serve. The one that hears the other then stops within a
// detection time, because a peer that says that it serves and sends no Final does not hear it.
func TestTheOnlyDirectionLeftHasJustBeenHealed(t *testing.T) {
	const slow = time.Second
	both := 0
	for offset := 20 * time.Millisecond; offset < slow; offset += 31 * time.Millisecond {
		l := newPair(t)
		l.unsafe = true // the test measures how long both forward
		l.dropBFD["lb1 clients"] = true
		l.run(3200 * time.Millisecond)
		delete(l.dropBFD, "lb1 clients")
		l.run(offset)
		l.drop("lb2", true)
		l.dropSync["lb1"], l.dropBFD["lb1 sync"] = true, true
		l.run(labDetect + 5*time.Millisecond)
		forward := func(id string) bool { return l.nodes[id].lease > l.now }
		if forward("lb1") && forward("lb2") {
			both++
		}
		l.run(slow - offset)
		if forward("lb1") && forward("lb2") {
			t.Errorf("healed %v before the cut: both forward a detection time after the next packet", offset)
		}
	}
	if both == 0 {
		t.Error("never two forwarders; the test has lost its subject")
	}
}
