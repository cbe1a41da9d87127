package node_test

import (
	. "baton/impl/node"
	"testing"
	"time"

	"baton/impl/ha"
)

const labMisses = 3

func tracking(c *Config) { c.Track = Track{Targets: []string{"backend1", "router"}, Misses: labMisses} }

func TestAMasterThatLosesATargetHandsOver(t *testing.T) {
	l := newPair(t, tracking)
	lb1 := l.nodes["lb1"]
	for range 2 * labMisses { // never so many in a row
		for range labMisses - 1 {
			l.step(lb1, Probe{Target: "router"})
		}
		l.step(lb1, Probe{Target: "router", Answered: true})
	}
	l.step(lb1, Probe{Target: "nobody asked"})
	l.run(time.Second)
	l.wantRoles("Master", "Backup")

	for range labMisses {
		l.step(lb1, Probe{Target: "router"})
	}
	l.run(time.Second)
	l.wantRoles("Backup", "Master")
	if why := lb1.node.GateReason(ha.Reachable); why != "router does not answer any more" {
		t.Errorf("Reachable: %s", why)
	}
}

// A target that comes and goes must not move the role each time: the preferred node asks
// for it again only after its recovery delay, which flapping lengthens.
func TestAFlappingTargetIsDamped(t *testing.T) {
	l := newPair(t, tracking, func(c *Config) { c.Preempt = PreemptAfterSync })
	returned := func() time.Duration {
		since := l.now
		l.probe("lb1", false)
		l.run(10 * time.Millisecond)
		l.wantRoles("Backup", "Master")
		l.probe("lb1", true)
		l.until(time.Minute, "lb1 Master again", func() bool { return l.role("lb1") == "Master" })
		return l.now.Sub(since)
	}
	first := returned()
	if first < labHold {
		t.Errorf("the role came back after %v, before the recovery delay of %v", first, labHold)
	}
	if second := returned(); second < 2*labHold {
		t.Errorf("the role came back after %v, then after %v: the delay did not grow", first, second)
	}
}

// The role moves only to a node that reaches more.
func TestAMasterKeepsItsRoleWhereThePeerReachesNothingEither(t *testing.T) {
	l := newPair(t, tracking)
	l.probe("lb2", false)
	l.run(10 * time.Millisecond)
	l.probe("lb1", false)
	l.run(time.Second)
	l.wantRoles("Master", "Backup")
	l.probe("lb2", true)
	l.run(time.Second)
	l.wantRoles("Backup", "Master")
}

func TestANodeThatReachesNothingDoesNotClaim(t *testing.T) {
	l := newPair(t, tracking)
	l.probe("lb2", false)
	l.crash("lb1")
	l.run(time.Second)
	if role := l.role("lb2"); role != "Backup" {
		t.Errorf("lb2 is %s", role)
	}
	l.probe("lb2", true)
	l.run(labDetect + 10*time.Millisecond)
	if role := l.role("lb2"); role != "Master" {
		t.Errorf("lb2 is %s once it reaches its targets", role)
	}
}

func TestTargetsCountOnceTheyHaveAnswered(t *testing.T) {
	cfg := labConfig("lb1", "lb2", 100)
	tracking(&cfg)
	n, err := New(cfg, 1)
	if err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		target   string
		answered bool
		times    int
		why      string
	}{
		{"backend1", false, 9, "backend1 has not answered yet"},
		{"backend1", true, labMisses, "router has not answered yet"},
		{"router", true, labMisses - 1, "router has not answered yet"},
		{"router", false, 1, "router has not answered yet"},
		{"router", true, labMisses, "every tracked target answers"},
		{"backend1", false, labMisses, "backend1 does not answer any more"},
		{"backend1", true, labMisses, "every tracked target answers"},
	}
	for i, s := range steps {
		for range s.times {
			n.Step(1, Probe{Target: s.target, Answered: s.answered})
		}
		if why := n.GateReason(ha.Reachable); why != s.why {
			t.Errorf("step %d: %s, want %s", i, why, s.why)
		}
	}
	cfg.Track.Misses = 0
	if _, err := New(cfg, 1); err == nil {
		t.Error("a target that is lost after 0 probes is accepted")
	}
}

// A grant on which the peer cannot act yet is not taken back before it expires, since both
// would claim.
func TestAGrantThatMayStillBeActedUponIsNotTakenBack(t *testing.T) {
	granted := func() *lab {
		l := newPair(t, tracking)
		l.run(time.Second)
		l.step(l.nodes["lb1"], Handover{})
		l.probe("lb2", false) // while the grant is in flight
		l.run(GrantLimit / 2)
		l.wantRoles("Backup", "Backup")
		return l
	}
	l := granted()
	l.probe("lb2", true)
	l.run(10 * time.Millisecond)
	l.wantRoles("Backup", "Master")

	l = granted()
	l.run(GrantLimit)
	l.wantRoles("Master", "Backup")
}
