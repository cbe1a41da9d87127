package node_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"baton/impl/bfd"
	. "baton/impl/node"
)

// Ordinary timer lateness must not count as a pause.
func TestLateTimersDoNotDelayATakeover(t *testing.T) {
	for _, late := range []time.Duration{10 * time.Microsecond, time.Millisecond, 5 * time.Millisecond} {
		l := newPair(t)
		l.late = late
		l.run(time.Second)
		l.crash("lb1")
		masterWithin(l, "lb2", labDetect+5*time.Millisecond+2*late)
	}
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

// A pause longer than the lease but shorter than the detection time causes no recovery delay:
// once each node knows that the other does not serve, the one with the higher rank claims.
func TestAShortStallCostsNoRecoveryDelay(t *testing.T) {
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

// A paused BACKUP must not take its own pause for the peer's silence.
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

// After a pause, waiting packets count from their arrival: packets that came in time keep
// the session Up, later ones do not, and neither renews an expired lease.
func TestAPacketThatWaitedCountsFromWhenItCame(t *testing.T) {
	for _, c := range []struct {
		name  string
		pause time.Duration
		state string
	}{
		// The peer continues sending. It misses only this node's packets, the last of which left
		// up to one interval before the pause.
		{"shorter than detection", labDetect - labTx - 10*time.Millisecond, "Up"},
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

// A node that is paused between the read of its sockets and its timer learns the time before it reads the
// waiting packets, which say nothing about the peer's present state. If the peer serves and is not heard,
// the node signals its claim before it forwards, like every node that hears nothing. A node that believed them would
// claim as at the end of a standoff, which is signalled for as long: this test turns red if that is lost too.
func TestAPacketFromBeforeAPauseSaysNothingAboutThePeersState(t *testing.T) {
	for number := range 30 {
		l := newPair(t, jitter(number))
		l.run(time.Second)
		lb1 := l.nodes["lb1"]
		l.freeze("lb2")
		l.dropStreams(true)
		l.run(labDetect + 2*time.Second) // lb1 says that it hears nothing
		l.freeze("lb1")
		l.run(time.Second)
		l.thaw("lb2") // hears that, and says that it stands by
		l.run(BootListen)
		l.drop("lb2", true)
		masterWithin(l, "lb2", 5*time.Second)
		l.run(time.Duration(1+number%3*3) * time.Second)
		if l.thawTimerFirst(lb1) == 0 {
			t.Fatal("no packet has waited: the test has lost its subject")
		}
		l.run(5 * time.Second) // the lab ends a test in which both forward
	}
}

// A peer whose session is not Up sends once a second. If its packet waits in the socket of a paused node that
// runs its timer first, the packet says nothing about the peer's present state. But the next one is due only a
// second later, so the node does not claim beside a peer that it still hears.
func TestAPacketThatWaitedBehindTheTimerIsNotMissed(t *testing.T) {
	for _, pause := range []time.Duration{labDetect + 10*time.Millisecond, labDetect + 50*time.Millisecond, 2*labDetect - 10*time.Millisecond} {
		waited := 0
		for number := range 100 {
			at := time.Duration(number) * 10 * time.Millisecond
			l := newPair(t, jitter(number))
			l.dropBFD["lb2 clients"] = true
			l.run(2*time.Second + at)
			lb2 := l.nodes["lb2"]
			l.dropStreams(true)
			l.freeze("lb2")
			l.run(pause)
			waited += l.thawTimerFirst(lb2)
			l.run(1200 * time.Millisecond) // the lab ends a test in which both forward
		}
		if waited == 0 {
			t.Fatal("no packet has waited: the test has lost its subject")
		}
	}
}

// thawTimerFirst resumes a node whose pause began between the read of its sockets and its timer. It returns
// how many packets had waited.
func (l *lab) thawTimerFirst(n *labNode) (waited int) {
	held := n.held
	n.frozen, n.held = false, nil
	l.step(n, Timer{})
	for _, in := range held {
		if _, ok := in.(Packet); ok {
			l.step(n, in)
			waited++
		}
	}
	return waited
}

// A grant that waited through a pause may have been withdrawn since. It is ignored even if this
// node's sessions have not expired and nothing else indicates the withdrawal.
func TestAGrantFromBeforeThePauseIsIgnored(t *testing.T) {
	for phase := time.Duration(0); phase < labTx; phase += 4 * time.Millisecond {
		for pause := 2 * labTx; pause < labDetect+labTx; pause += 4 * time.Millisecond {
			l := newPair(t)
			l.run(time.Second + phase)
			l.freeze("lb2")
			l.step(l.nodes["lb1"], Handover{})
			l.run(2 * labDelay)
			l.dropBFD["lb1 clients"], l.dropBFD["lb1 sync"] = true, true
			l.run(pause)
			l.thaw("lb2") // the lab ends a test in which both forward
			l.run(3 * time.Second)
			if (l.role("lb1") == "Master") == (l.role("lb2") == "Master") {
				t.Errorf("after %v: lb1 %s, lb2 %s", pause, l.role("lb1"), l.role("lb2"))
			}
		}
	}
}

// A node that is paused during a claim may wake when its peer has claimed, served and frozen. It
// gives notice once more before it forwards.
func TestAClaimIsPaused(t *testing.T) {
	for offset := 10 * time.Millisecond; offset < labDetect; offset += 10 * time.Millisecond {
		l := newPair(t)
		l.run(time.Second)
		l.freeze("lb1")
		l.freeze("lb2")
		l.run(2 * time.Second)
		l.thaw("lb2")
		l.until(5*time.Second, "lb2 claims", func() bool { return l.role("lb2") == "Claiming" })
		l.run(offset)
		if l.role("lb2") != "Claiming" {
			t.Fatalf("lb2 is %s %v after it claimed; the test has lost its subject", l.role("lb2"), offset)
		}
		l.freeze("lb2")
		l.thaw("lb1")
		masterWithin(l, "lb1", 5*time.Second)
		l.run(time.Second)
		l.freeze("lb1")
		l.run(offset / 2)
		since, lease := l.mark("lb2"), l.nodes["lb1"].lease
		l.thaw("lb2")
		for l.now < lease {
			l.run(time.Millisecond)
		}
		if changes := since(); slices.ContainsFunc(changes, func(c string) bool { return strings.Contains(c, "Master") }) {
			t.Errorf("paused %v after it claimed, lb2 wakes beside a frozen MASTER with a lease: %v", offset, changes)
		}
		masterWithin(l, "lb2", 5*time.Second)
	}
}

// A node that is paused during a claim wakes while its peer serves unheard. It signals standby
// before it serves, so that the peer hears the change to serving, and stops.
func TestAPausedClaimMeetsAPeerThatIsNotHeard(t *testing.T) {
	for offset := 10 * time.Millisecond; offset < labDetect; offset += 10 * time.Millisecond {
		l := newPair(t)
		l.run(time.Second)
		l.freeze("lb1")
		l.freeze("lb2")
		l.run(2 * time.Second)
		l.thaw("lb2")
		l.until(5*time.Second, "lb2 claims", func() bool { return l.role("lb2") == "Claiming" })
		l.run(offset)
		l.freeze("lb2")
		l.crash("lb1")
		l.nodes["lb1"].frozen = false
		l.drop("lb1", true)
		l.start("lb1")
		masterWithin(l, "lb1", 5*time.Second)
		l.run(time.Second)
		l.nodes["lb2"].held = nil
		l.divided = false // lb2 is heard
		l.thaw("lb2")
		masterWithin(l, "lb2", 5*time.Second) // the lab ends a test in which both forward
	}
}

// TestAPausedMasterHeardOnTheStreamAlone: BFD is filtered in both directions since shortly before, and the BACKUP has closed the
// stream, as the MASTER was silent on it. What the BACKUP said before still waits when the MASTER goes on, so neither the silence
// of the stream nor these frames let it renew its lease beside the BACKUP's claim. A BACKUP of an earlier version does not poll. The
// answers to the Polls of a newer one would end the sessions of both nodes at nearly the same time.
func TestAPausedMasterHeardOnTheStreamAlone(t *testing.T) {
	const numbers = 200
	closed := 0
	for number := range numbers {
		filtered := time.Duration(number) * labTx / numbers
		for _, left := range []time.Duration{time.Millisecond, 3 * time.Millisecond} {
			l := newPairAt(t, 7, jitter(number))
			l.run(time.Second + time.Duration(number)*13*time.Millisecond)
			l.filterBFD("lb1")
			l.filterBFD("lb2")
			l.run(filtered)
			l.freeze("lb1")
			l.run(l.nodes["lb1"].lease.Sub(l.now) - left)
			if l.nodes["lb2"].stream == 0 {
				closed++
			}
			l.thaw("lb1")
			for range labDetect / 2 / time.Millisecond { // the nodes have a stream again by then
				l.run(time.Millisecond)
				if l.forwarders() > 1 {
					t.Fatalf("filtered %v before a pause that leaves %v of the lease: both forward\n%s", filtered, left, l.transcript())
				}
			}
		}
	}
	if closed == 0 {
		t.Error("the stream always outlives the lease: the test has lost its subject")
	}
}

// TestAShortPauseKeepsTheRoleOnTheStreamAlone: after a pause keepalives count once the peer has answered, and its answer
// renews the lease at once, before what was said earlier has run out.
func TestAShortPauseKeepsTheRoleOnTheStreamAlone(t *testing.T) {
	for phase := time.Duration(0); phase < labTx; phase += 5 * time.Millisecond {
		l := newPair(t)
		l.filterBFD("lb1")
		l.filterBFD("lb2")
		l.run(10*time.Second + phase)
		since := l.mark("lb1")
		l.freeze("lb1")
		l.run(40 * time.Millisecond)
		l.thaw("lb1")
		l.run(2 * time.Second)
		if changes := since(); len(changes) > 0 {
			t.Errorf("%v later: %v", phase, changes)
		}
	}
}

// TestAPausedMasterOutlivesItsBackup: the BACKUP dies as the MASTER stands still for less than its lease. The stream is silent
// since then, but it was not the stream that the MASTER was heard on: its sessions are Up, and no doubt comes.
func TestAPausedMasterOutlivesItsBackup(t *testing.T) {
	for phase := time.Duration(0); phase < labTx; phase += 5 * time.Millisecond {
		for pause := 20 * time.Millisecond; pause < labDetect*9/10-labTx-15*time.Millisecond; pause += 10 * time.Millisecond {
			l := newPair(t)
			l.run(time.Second + phase)
			l.crash("lb2")
			l.freeze("lb1")
			l.run(pause)
			since := l.mark("lb1")
			l.thaw("lb1")
			l.run(time.Second)
			if changes := since(); len(changes) > 0 {
				t.Errorf("paused for %v, %v later: %v", pause, phase, changes)
			}
		}
	}
}

// TestTheAnswerAfterAPauseRenewsTheLease: at once, whether or not anything else comes. What was said before the pause may end soon.
func TestTheAnswerAfterAPauseRenewsTheLease(t *testing.T) {
	asked := 0
	for phase := time.Duration(0); phase < labTx; phase += 5 * time.Millisecond {
		l := newPair(t)
		l.filterBFD("lb1")
		l.filterBFD("lb2")
		l.run(10*time.Second + phase)
		lb1 := l.nodes["lb1"]
		l.freeze("lb1")
		l.run(labTx)
		answers := 0
		l.loseSync = func(n *labNode, frame []byte) bool {
			if n.id == "lb2" && frame[0] == TypeState {
				answers++
				return answers > 1
			}
			return n.id == "lb2"
		}
		before := lb1.lease
		l.thaw("lb1")
		l.run(5 * labDelay)
		if answers == 0 || before < l.now {
			continue
		}
		if asked++; lb1.lease <= before {
			t.Errorf("%v later: the answer has come, and the lease still ends at %v", phase, time.Duration(lb1.lease))
		}
	}
	if asked == 0 {
		t.Error("lb1 never asks: the test has lost its subject")
	}
}
