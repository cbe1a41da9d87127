package node_test

import (
	. "baton/impl/node"
	"testing"
	"time"

	"baton/impl/driver"
	"baton/impl/ha"
)

// onlyTable returns a pair in which lb2 has 50 flows and cannot serve, and lb1, the former
// MASTER, has crashed.
func onlyTable(t *testing.T, disable func(l *lab)) *lab {
	l := newPair(t, tracking)
	l.openMany("lb1", 50)
	disable(l)
	l.crash("lb1")
	l.run(5 * time.Second)
	l.wantFlows("lb2", 50)
	return l
}

func loseTargets(l *lab) { l.probe("lb2", false) }
func loseCarrier(l *lab) { l.step(l.nodes["lb2"], Link{Name: "client0"}) }

// The only table with the sessions is on a node that cannot serve, for whatever reason. Its
// peer boots, receives the table, and serves with it. The table is given only once.
func TestANodeThatCannotServeGivesItsTable(t *testing.T) {
	for name, disable := range map[string]func(*lab){"targets": loseTargets, "carrier": loseCarrier} {
		t.Run(name, func(t *testing.T) {
			l := onlyTable(t, disable)
			led := l.nodes["lb2"].node.Epoch()
			l.boot("lb1")
			masterWithin(l, "lb1", BootListen+labHold)
			l.wantFlows("lb1", 50)
			if claimed := l.nodes["lb1"].node.Epoch(); claimed != led+2 {
				t.Errorf("lb1 claims with epoch %d, want %d: giving the table and claiming count one each", claimed, led+2)
			}
			if r := l.lastClaim("lb1"); r.Degraded {
				t.Errorf("lb1 claimed degraded: %s", r.Reason)
			}
			l.run(10 * time.Second)
			l.wantRoles("Master", l.role("lb2"))
			if got := l.notes("lb2", "cannot serve: gives its table"); got != 1 {
				t.Errorf("lb2 gave its table %d times, want once", got)
			}
			l.wantFlows("lb2", 50)
		})
	}
}

// The wait for a table that does not arrive ends after the documented time.
func TestATableThatDoesNotArriveIsNotWaitedFor(t *testing.T) {
	l := onlyTable(t, loseTargets)
	l.nodes["lb1"].fails[driver.Apply] = driver.Fails
	l.boot("lb1")
	l.until(labHold, "the table is given", func() bool {
		said, known := l.nodes["lb1"].node.PeerSaid()
		return known && said.Role == ha.Yielding
	})
	began := l.now
	masterWithin(l, "lb1", GiveLimit+labHold)
	if waited := l.now.Sub(began); waited < GiveLimit-labHold {
		t.Errorf("lb1 claimed %v after the table began to come, want it to wait for about %v", waited, GiveLimit)
	}
	if r := l.lastClaim("lb1"); !r.Degraded {
		t.Errorf("lb1 claimed by %q without the table", r.Reason)
	}
	l.wantFlows("lb2", 50)
}

// A peer that has served since has sessions of its own, which are not overwritten.
func TestNothingIsGivenToAPeerThatHasServedSince(t *testing.T) {
	l := onlyTable(t, loseTargets)
	l.dropStreams(true)
	l.boot("lb1")
	masterWithin(l, "lb1", BootListen+labHold)
	l.freeze("lb1")
	l.run(time.Second)
	l.thaw("lb1")
	masterWithin(l, "lb1", 10*time.Second) // its second term
	for i := range 7 {
		l.open("lb1", 1000+i)
	}
	l.dropStreams(false)
	l.connect()
	l.run(time.Second)
	l.probe("lb1", false)
	l.run(5 * time.Second)
	l.freeze("lb1") // and loses the role
	l.run(time.Second)
	l.thaw("lb1")
	l.run(time.Second)
	if l.role("lb1") != "Backup" {
		t.Fatalf("lb1 is %s\n%s", l.role("lb1"), l.transcript())
	}
	l.run(5 * time.Second)
	if got := l.notes("lb2", "cannot serve: gives its table"); got != 0 {
		t.Errorf("lb2 gave its table %d times to a peer that has served since", got)
	}
	l.wantFlows("lb1", 7)
}

// A node waits for a peer that can give its table but does not do so at once, even if the
// node could claim without it.
func TestANodeWaitsForThePeerToGiveItsTable(t *testing.T) {
	l := newPair(t, tracking, func(c *Config) { c.Hold = 10 * time.Millisecond })
	l.openMany("lb1", 50)
	loseTargets(l)
	l.nodes["lb2"].holdDone = true // the last changes are not applied yet
	l.open("lb1", 50)
	l.run(10 * time.Millisecond)
	l.crash("lb1")
	l.run(5 * time.Second)
	l.boot("lb1")
	l.run(100 * time.Millisecond)
	l.wantRoles("Backup", "Backup")
	l.release("lb2")
	masterWithin(l, "lb1", 50*time.Millisecond)
	l.wantFlows("lb1", 51)
}

// A node gives its table whenever its peer lacks it, and each time once.
func TestATableIsGivenAgain(t *testing.T) {
	l := onlyTable(t, loseTargets)
	for times := 1; times <= 3; times++ {
		l.boot("lb1")
		masterWithin(l, "lb1", 5*time.Second)
		l.wantFlows("lb1", 50)
		l.until(5*time.Second, "lb2 in sync", func() bool { return l.inSync("lb2") })
		if got := l.notes("lb2", "cannot serve: gives its table"); got != times {
			t.Errorf("lb2 gave its table %d times, want %d", got, times)
		}
		l.crash("lb1")
		l.run(5 * time.Second)
	}
}

// TestATableThatWasGivenIsComplete: this node's part of a table is all that is left, and once its peer has it too, neither lacks anything.
func TestATableThatWasGivenIsComplete(t *testing.T) {
	l := newPair(t, tracking, func(c *Config) { c.Sync.BatchEntries, c.Sync.Window = 16, 2 })
	l.openMany("lb1", 500)
	l.crash("lb2")
	l.run(time.Second)
	l.boot("lb2")
	lb2 := l.nodes["lb2"]
	lb2.holdDone = true // its dataplane is slow: the window fills
	l.run(2 * labHold)
	loseTargets(l)
	l.crash("lb1")
	l.release("lb2")
	l.run(5 * time.Second)
	if held := len(lb2.table); lb2.node.Status().Complete || held == 0 {
		t.Fatalf("lb2 has %d flows, complete: %v", held, lb2.node.Status().Complete)
	}
	l.boot("lb1")
	l.until(5*time.Second, "lb1 claims", func() bool { return l.role("lb1") == "Claiming" || l.role("lb1") == "Master" })
	if l.notes("lb2", "cannot serve: gives its table") != 1 || !lb2.node.Status().Complete {
		t.Errorf("lb2 has given its table and does not count as complete\n%s", l.transcript())
	}
}
