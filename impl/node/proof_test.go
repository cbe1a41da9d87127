package node_test

import (
	"testing"
	"time"

	"baton/impl/bfd"
	"baton/impl/clock"
	. "baton/impl/node"
)

// A MASTER that freezes at any instant while it is not heard has stopped before its peer
// claims: its lease counts from the packets that the peer has heard, not from those sent. The
// lab fails a test in which both forward.
func TestAnUnheardMasterFreezes(t *testing.T) {
	for phase := range 4 {
		for offset := time.Duration(0); offset < labDetect+10*time.Millisecond; offset += 3 * time.Millisecond {
			l := newPair(t)
			l.run(time.Second + time.Duration(phase)*11*time.Millisecond)
			l.drop("lb1", true)
			l.run(offset)
			l.freeze("lb1")
			masterWithin(l, "lb2", labDetect+5*time.Millisecond)
			l.run(labDetect)
		}
	}
}

// The same with one path left, and with changes of the table heard on the stream later than
// the last heartbeat: the peer says that it hears nothing before the MASTER must decide.
func TestAPeersDoubtArrivesBeforeTheMasterMustDecide(t *testing.T) {
	for phase := time.Duration(0); phase < 2*time.Second; phase += 53 * time.Millisecond {
		for offset := 75 * time.Millisecond; offset < 105*time.Millisecond; offset += 5 * time.Millisecond {
			l := newPair(t)
			l.dropBFD["lb1 clients"], l.dropBFD["lb2 clients"] = true, true
			l.run(time.Second + phase)
			for i := range 60 {
				l.open("lb1", i)
				l.run(time.Millisecond)
			}
			l.drop("lb1", true)
			l.run(offset)
			l.freeze("lb1")
			masterWithin(l, "lb2", 2*labDetect)
			l.run(labDetect)
		}
	}
}

// The peer also says so on a path whose session is Down, on which it is heard but deaf.
func TestADoubtIsReceivedOnAPathThatIsDown(t *testing.T) {
	for phase := time.Duration(0); phase < labTx; phase += 7 * time.Millisecond {
		for offset := time.Duration(0); offset < labDetect+10*time.Millisecond; offset += 3 * time.Millisecond {
			l := newPair(t)
			l.run(time.Second)
			l.dropBFD["lb1 sync"] = true
			l.run(2*labDetect + phase)
			l.dropBFD["lb1 clients"], l.dropBFD["lb2 clients"] = true, true
			l.dropSync["lb1"], l.dropSync["lb2"] = true, true
			l.run(offset)
			l.freeze("lb1")
			masterWithin(l, "lb2", labDetect+5*time.Millisecond)
			l.run(labDetect)
		}
	}
}

// A paused MASTER may assume that its packets were heard before it reads the doubt that came
// meanwhile. It then withdraws the assumption, so that another pause is safe. Without a stream nothing else limits
// the lease.
func TestALateDoubtEndsTheLease(t *testing.T) {
	for name, stream := range map[string]bool{"a stream": true, "no stream": false} {
		t.Run(name, func(t *testing.T) {
			for asleep := 20 * time.Millisecond; asleep < labDetect; asleep += 6 * time.Millisecond {
				for pause := 5 * time.Millisecond; asleep+pause < labDetect; pause += 6 * time.Millisecond {
					l := newPair(t)
					if !stream {
						l.dropStreams(true)
						l.run(MuteLimit)
					}
					l.run(time.Second)
					l.drop("lb1", true)
					l.run(asleep)
					l.freeze("lb1")
					l.run(pause)
					n := l.nodes["lb1"]
					n.frozen = false
					l.step(n, Timer{})
					l.thaw("lb1")
					l.freeze("lb1")
					masterWithin(l, "lb2", 2*labDetect)
					l.run(labDetect)
				}
			}
		})
	}
}

// A peer that has just handed the role over polled until then. Its death does not shorten the
// new MASTER's lease, even if the peer's version expresses doubts by Polls.
func TestTheEndOfTheFormerMasterCostsNothing(t *testing.T) {
	for name, pair := range map[string]func(*testing.T) *lab{
		"both tell doubts by a diagnostic": func(t *testing.T) *lab { return newPair(t) },
		"doubts are Polls":                 func(t *testing.T) *lab { return newPairAt(t, 7) },
	} {
		t.Run(name, func(t *testing.T) {
			for offset := time.Duration(0); offset < 2*labTx; offset += 2 * time.Millisecond {
				for phase := range 5 {
					l := pair(t)
					l.run(time.Second + time.Duration(phase)*9*time.Millisecond)
					l.handOver("lb1", "lb2")
					l.leaseHolds("lb2", offset)
					l.crash("lb1")
					l.leaseHolds("lb2", time.Second)
				}
			}
		})
	}
}

// Its last Poll on a path may still wait for its answer when it dies.
func TestAnUnansweredPollOfADeadPeerIsNotADoubt(t *testing.T) {
	for offset := time.Duration(0); offset < 2*labTx; offset += 2 * time.Millisecond {
		for phase := range 5 {
			l := newPair(t)
			l.run(time.Second + time.Duration(phase)*9*time.Millisecond)
			l.dropBFD["lb2 sync"] = true
			l.run(labTx)
			l.handOver("lb1", "lb2")
			l.leaseHolds("lb2", offset)
			l.crash("lb1")
			l.leaseHolds("lb2", time.Second)
		}
	}
}

// The same after the peer was silent for a moment, in which sent packets counted as heard, and
// then answers again.
func TestAnUnheardMasterFreezesAfterASilence(t *testing.T) {
	for offset := time.Duration(0); offset < labDetect; offset += 5 * time.Millisecond {
		l := newPair(t)
		l.run(time.Second)
		l.freeze("lb2")
		l.run(labDetect - 5*time.Millisecond)
		l.thaw("lb2")
		l.run(time.Second)
		l.drop("lb1", true)
		l.run(offset)
		l.freeze("lb1")
		masterWithin(l, "lb2", labDetect+5*time.Millisecond)
		l.run(labDetect)
	}
}

// The same right after a handover, before the new MASTER has any acknowledgement.
func TestAnUnheardMasterFreezesAfterAHandover(t *testing.T) {
	for wait := time.Duration(0); wait < labTx; wait += 7 * time.Millisecond {
		for offset := time.Duration(0); offset < labDetect; offset += 10 * time.Millisecond {
			l := newPair(t)
			l.run(time.Second)
			l.handOver("lb1", "lb2")
			l.run(wait)
			l.drop("lb2", true)
			l.run(offset)
			l.freeze("lb2")
			masterWithin(l, "lb1", labDetect+labTx)
			l.run(labDetect)
		}
	}
}

// The lease of a MASTER whose peer does not hear it is not bounded by detection. The peer
// claims when its recovery delay ends, which the MASTER cannot foresee.
func TestAnUnheardMasterFreezesWhileItsPeerWaits(t *testing.T) {
	for offset := time.Duration(0); offset < labDetect+20*time.Millisecond; offset += 3 * time.Millisecond {
		l := newLab(t, func(c *Config) { c.Hold = 2 * time.Second })
		l.boot("lb1")
		l.until(5*time.Second, "lb1 Master", func() bool { return l.role("lb1") == "Master" })
		l.drop("lb1", true)
		l.boot("lb2")
		l.run(2*time.Second - labDetect + offset)
		l.freeze("lb1")
		masterWithin(l, "lb2", 2*labDetect+20*time.Millisecond)
		l.run(labDetect)
	}
}

// leaseHolds lets time pass and fails if the dataplane of a node stops forwarding, or the
// node loses its role.
func (l *lab) leaseHolds(id string, d time.Duration) {
	l.t.Helper()
	since := l.mark(id)
	defer func() {
		if changes := since(); len(changes) > 0 {
			l.t.Fatalf("%s: %v\n%s", id, changes, l.transcript())
		}
	}()
	for end := l.now.Add(d); l.now < end; {
		l.run(time.Millisecond)
		if l.nodes[id].lease <= l.now {
			l.t.Fatalf("%v: %s, %s, does not forward\n%s", time.Duration(l.now), id, l.role(id), l.transcript())
		}
	}
}

// A peer that is silent altogether may be dead: its end costs the MASTER nothing.
func TestTheEndOfTheBackupCostsNothing(t *testing.T) {
	for _, late := range []time.Duration{0, 5 * time.Millisecond} {
		for offset := time.Duration(0); offset < labTx; offset += time.Millisecond {
			l := newPair(t)
			l.late = late
			l.run(time.Second + offset)
			l.crash("lb2")
			l.leaseHolds("lb1", 2*time.Second)
		}
	}
}

// The same for a frozen peer, whose answers come late and all at once.
func TestABriefFreezeOfTheBackupDoesNotInterruptTheLease(t *testing.T) {
	for _, away := range []time.Duration{labTx, 2 * labTx, labDetect - 5*time.Millisecond} {
		for offset := time.Duration(0); offset < labTx; offset += 7 * time.Millisecond {
			l := newPair(t)
			l.run(time.Second + offset)
			l.freeze("lb2")
			l.leaseHolds("lb1", away)
			l.thaw("lb2")
			l.leaseHolds("lb1", time.Second)
		}
	}
}

// TestADoubtEndsWithThePacketThatIsHeard: the peer doubts in the first packet that comes through, and takes that back as soon as
// it hears the answer, which may be just before the lease ends.
func TestADoubtEndsWithThePacketThatIsHeard(t *testing.T) {
	doubts := 0
	for phase := time.Duration(0); phase < labTx; phase += 3 * time.Millisecond {
		l := newPair(t)
		l.run(time.Second + phase)
		l.drop("lb1", true)
		l.drop("lb2", true)
		l.run(2*labTx - 10*time.Millisecond)
		l.drop("lb1", false)
		l.drop("lb2", false)
		heard, doubted, calm := clock.Never, clock.Never, clock.Never
		l.lose = func(n *labNode, packet []byte) bool {
			p, err := bfd.Parse(packet)
			switch {
			case err != nil:
				t.Fatal(err)
			case n.id == "lb1":
				heard = min(heard, l.now.Add(labDelay))
			case p.Diag == bfd.DiagPathDown:
				doubted = min(doubted, l.now)
			default:
				calm = min(calm, l.now)
			}
			return false
		}
		l.run(labDetect)
		if calm > heard {
			t.Errorf("%v later: lb2 doubts at %v, hears lb1 at %v, and says so at %v", phase, doubted, heard, calm)
		}
		if doubted < heard {
			doubts++
		}
	}
	if doubts == 0 {
		t.Error("lb2 never doubts: the test has lost its subject")
	}
}

// One path that the peer hears is enough, whichever it is.
func TestOnePathOnWhichThePeerHearsIsEnough(t *testing.T) {
	for _, path := range []string{"clients", "sync"} {
		l := newPair(t)
		l.run(time.Second)
		l.dropBFD["lb1 "+path] = true
		l.leaseHolds("lb1", 3*time.Second)
	}
}

// While the peer does not doubt, sent packets justify the lease: a peer whose Finals are lost
// acknowledges nothing, but it hears this node.
func TestWithoutDoubtSentPacketsJustifyTheLease(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	l.lose = func(n *labNode, packet []byte) bool {
		p, err := bfd.Parse(packet)
		return n.id == "lb2" && err == nil && p.Final
	}
	l.leaseHolds("lb1", 3*time.Second)
}

// If only BFD is filtered, the stream shows that the MASTER is alive, and the peer does not doubt.
func TestAFilterOnBFDRaisesNoDoubtWhileTheStreamLives(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	l.dropBFD["lb1 clients"], l.dropBFD["lb1 sync"] = true, true
	l.leaseHolds("lb1", 3*time.Second)
}

// The same as soon as a MASTER that heard nobody hears its peer again.
func TestAnUnheardMasterFreezesAfterItWasDeaf(t *testing.T) {
	for offset := time.Duration(0); offset < labDetect; offset += 10 * time.Millisecond {
		l := newPair(t, func(c *Config) { c.Paths = c.Paths[1:] })
		l.run(time.Second)
		l.drop("lb2", true)
		l.run(5 * time.Second)
		l.drop("lb2", false)
		l.until(5*time.Second, "the session is Up", func() bool { return l.nodes["lb1"].node.Status().Paths[0].State == "Up" })
		l.run(labDelay)
		l.drop("lb1", true)
		l.run(offset)
		l.freeze("lb1")
		l.until(5*time.Second, "lb2 Master", func() bool { return l.role("lb2") == "Master" })
		l.run(labDetect)
	}
}
