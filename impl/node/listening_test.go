package node_test

import (
	. "baton/impl/node"
	"testing"
	"time"
)

// starve pauses a node for part of each period. If lost is set, packets that arrive meanwhile
// are lost, as if the whole machine stood still.
func (l *lab) starve(id string, run, pause, d time.Duration, lost bool, done func() bool) bool {
	for end := l.now.Add(d); l.now < end; {
		l.freeze(id)
		l.run(pause)
		if lost {
			l.nodes[id].held = nil
		}
		l.thaw(id)
		for slice := l.now.Add(run); l.now < slice; {
			l.run(time.Millisecond)
			if done() {
				return true
			}
		}
	}
	return false
}

// A BACKUP that is paused repeatedly, for much longer than it runs, eventually has listened long
// enough and takes over from a dead MASTER within a bound.
func TestAStarvedBackupTakesOver(t *testing.T) {
	for _, c := range []struct{ run, pause, within time.Duration }{
		{30 * time.Millisecond, 70 * time.Millisecond, 800 * time.Millisecond},
		{80 * time.Millisecond, 70 * time.Millisecond, 500 * time.Millisecond},
		{130 * time.Millisecond, 70 * time.Millisecond, 500 * time.Millisecond},
		{60 * time.Millisecond, 140 * time.Millisecond, 1200 * time.Millisecond},
		{840 * time.Millisecond, 160 * time.Millisecond, 3 * time.Second},
	} {
		for phase := time.Duration(0); phase < labTx; phase += 7 * time.Millisecond {
			l := newPair(t)
			l.run(time.Second + phase)
			l.starve("lb2", c.run, c.pause, time.Second, false, func() bool { return false })
			l.crash("lb1")
			died := l.now
			serves := l.starve("lb2", c.run, c.pause, 3*c.within, false, func() bool { return l.role("lb2") == "Master" })
			if took := l.now.Sub(died); !serves || took > c.within {
				t.Errorf("runs %v, is paused %v, phase %v: %v after %v, want MASTER within %v", c.run, c.pause, phase, l.role("lb2"), took, c.within)
			}
		}
	}
}

// Silence before a pause in which a peer may have booted and claimed does not count.
func TestALongPauseIsListenedForAnew(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	l.crash("lb1")
	l.starve("lb2", 30*time.Millisecond, 70*time.Millisecond, 200*time.Millisecond, true, func() bool { return false })
	l.wantRoles("down", "Backup")
	l.freeze("lb2")
	l.run(10 * time.Second)
	l.thaw("lb2")
	l.run(BootListen - 10*time.Millisecond)
	l.wantRoles("down", "Backup")
	masterWithin(l, "lb2", labDetect+20*time.Millisecond)
}

// A starved BACKUP leaves the role to a living MASTER. Even if it loses the packets of its pauses,
// it never forwards at the same time: the lab fails a test in which both do.
func TestAStarvedBackupLeavesALivingMasterAlone(t *testing.T) {
	for _, lost := range []bool{false, true} {
		for pause := 20 * time.Millisecond; pause < labDetect; pause += 34 * time.Millisecond {
			for run := 7 * time.Millisecond; run < labDetect; run += 31 * time.Millisecond {
				l := newPair(t)
				l.run(time.Second)
				since := l.mark("lb1")
				l.starve("lb2", run, pause, 5*time.Second, lost, func() bool { return false })
				if changes := since(); len(changes) > 0 && !lost {
					t.Errorf("%v of %v: %v", run, run+pause, changes)
				} else if len(changes) > 0 {
					t.Logf("%v of %v, and what comes meanwhile is lost: %d changes of role", run, run+pause, len(changes))
				}
			}
		}
	}
}

// The same with a MASTER that freezes at some time and so hears no claim.
func TestAStarvedBackupWaitsForTheLeaseOfAFrozenMaster(t *testing.T) {
	for phase := time.Duration(0); phase < 2*labDetect; phase += 3 * time.Millisecond {
		l := newPair(t)
		l.run(time.Second)
		at := l.now.Add(500*time.Millisecond + phase)
		l.starve("lb2", 30*time.Millisecond, 70*time.Millisecond, 2*time.Second, true, func() bool {
			if l.now >= at && !l.nodes["lb1"].frozen {
				l.freeze("lb1")
			}
			return false
		})
	}
}
