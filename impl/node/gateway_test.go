package node_test

import (
	"testing"
	"time"

	. "baton/impl/node"
)

func withGateway(c *Config) { c.Arbiter.Gateway = Gateway{Name: "gateway", Rise: 2, Fall: 3} }

// settledPair returns a pair with a gateway that answers both nodes.
func settledPair(t *testing.T, edit ...func(*Config)) *lab {
	l := newPair(t, append(edit, withGateway)...)
	l.run(2 * time.Second)
	return l
}

// A MASTER that loses the gateway hands over to a peer that reaches it.
func TestTheMasterWithoutTheGatewayHandsOver(t *testing.T) {
	l := settledPair(t)
	l.reachGateway("lb1", false)
	l.until(50*time.Millisecond, "lb2 is Master", func() bool { return l.role("lb2") == "Master" })
	l.leaseHolds("lb2", 3*time.Second)
}

// While no node reaches the gateway and the nodes hear each other, the MASTER continues, whichever
// node notices first.
func TestAGatewayThatIsDownMovesNothing(t *testing.T) {
	for _, first := range []string{"lb1", "lb2"} {
		l := settledPair(t)
		l.leaseHolds("lb1", time.Second)
		for range 10 {
			for _, id := range []string{first, l.nodes[first].peer} {
				l.step(l.nodes[id], Probe{Target: "gateway"})
				l.leaseHolds("lb1", 50*time.Millisecond)
			}
		}
		l.leaseHolds("lb1", 3*time.Second)
	}
}

// That is so too if the nodes hear each other on the sync stream alone, where nothing proves to the MASTER
// that it is heard.
func TestAGatewayThatIsDownMovesNothingBesideAFilteredHeartbeat(t *testing.T) {
	l := settledPair(t)
	for _, id := range []string{"lb1", "lb2"} {
		for _, p := range l.nodes[id].cfg.Paths {
			l.dropBFD[id+" "+p.Name] = true
		}
	}
	for range 4 {
		l.leaseHolds("lb1", 50*time.Millisecond)
		l.step(l.nodes["lb2"], Probe{Target: "gateway"})
		l.step(l.nodes["lb1"], Probe{Target: "gateway"})
	}
	l.leaseHolds("lb1", 5*time.Second)
}

// A node that does not reach the gateway does not claim.
func TestNoClaimWithoutTheGateway(t *testing.T) {
	l := settledPair(t)
	l.reachGateway("lb2", false)
	l.crash("lb1")
	l.neverForwards("lb2", 5*time.Second)
	l.reachGateway("lb2", true)
	l.until(time.Second, "lb2 is Master", func() bool { return l.role("lb2") == "Master" })
}

// A MASTER alone without the gateway stops or continues, by the policy.
func TestTheMasterAloneWithoutTheGateway(t *testing.T) {
	for policy, serves := range map[Policy]bool{FailClosed: false, KeepServing: true} {
		l := settledPair(t, func(c *Config) { c.Arbiter.Policy = policy })
		l.crash("lb2")
		l.run(time.Second)
		l.leaseHolds("lb1", time.Second)
		l.reachGateway("lb1", false)
		if serves {
			l.leaseHolds("lb1", 3*time.Second)
			if a := l.nodes["lb1"].node.Status().Arbiter; !a.Alone || a.Answers {
				t.Errorf("status %+v of a MASTER without peer and gateway", a)
			}
			continue
		}
		l.run(labDetect)
		l.neverForwards("lb1", 3*time.Second)
		l.reachGateway("lb1", true)
		l.until(3*time.Second, "lb1 is Master again", func() bool { return l.role("lb1") == "Master" })
	}
}

// The status says for how long a node has served without peer and gateway: since the later of the
// two losses. A node that does not serve is not alone.
func TestTheStatusOfAMasterAlone(t *testing.T) {
	const between, alone = time.Second, 3 * time.Second
	loseGateway := func(l *lab) {
		l.reachGateway("lb2", false)
		l.run(50 * time.Millisecond) // lb1 learns of it: the role is not handed to a node without the gateway
		l.reachGateway("lb1", false)
	}
	loseOther := func(l *lab) { l.crash("lb2") }
	for name, losses := range map[string][]func(*lab){
		"the gateway first": {loseGateway, loseOther},
		"the peer first":    {loseOther, loseGateway},
	} {
		l := settledPair(t, func(c *Config) { c.Arbiter.Policy = KeepServing })
		losses[0](l)
		l.run(between)
		if a := l.nodes["lb1"].node.Status().Arbiter; a.Alone {
			t.Errorf("%s: alone with one of two: %+v", name, a)
		}
		losses[1](l)
		l.run(alone)
		a := l.nodes["lb1"].node.Status().Arbiter
		if !a.Alone || a.For < alone-between/4 || a.For > alone+between/4 {
			t.Errorf("%s: %+v, want alone for %v", name, a, alone)
		}
	}
	l := settledPair(t, func(c *Config) { c.Arbiter.Policy = KeepServing })
	loseGateway(l)
	l.crash("lb1")
	l.neverForwards("lb2", alone)
	if a := l.nodes["lb2"].node.Status().Arbiter; a.Alone || a.For != 0 || a.Answers {
		t.Errorf("status %+v of a BACKUP without peer and gateway", a)
	}
}

// The isolated node of a partition stops once it has lost the gateway.
func TestTheIsolatedMasterStops(t *testing.T) {
	for offset := time.Duration(0); offset < labTx; offset += 3 * time.Millisecond {
		l := settledPair(t)
		l.run(offset)
		l.part(true)
		l.run(10 * time.Millisecond)
		l.reachGateway("lb1", false)
		l.until(3*labDetect, "lb1 stops", func() bool { return l.nodes["lb1"].lease <= l.now })
		l.neverForwards("lb1", 2*time.Second)
		l.leaseHolds("lb2", time.Second)
		l.part(false)
		l.alwaysOne(3*time.Second, 0)
	}
}

// A gateway cannot prevent this: two nodes that reach it but do not hear each other both forward.
func TestAGatewayMayLeaveTwoForwarders(t *testing.T) {
	l := settledPair(t)
	l.part(true)
	l.until(time.Second, "both forward", func() bool { return l.forwarders() == 2 })
	l.part(false)
	l.until(5*time.Second, "one forwards", func() bool { return l.forwarders() == 1 })
}

// A few lost probes change nothing.
func TestTheGatewayFallsAndRises(t *testing.T) {
	l := settledPair(t)
	say := func(answered bool) { l.step(l.nodes["lb2"], Probe{Target: "gateway", Answered: answered}) }
	open := func() bool {
		for _, g := range l.nodes["lb2"].node.Status().Gates {
			if g.Name == "Arbitrated" {
				return g.Open
			}
		}
		return false
	}
	for i, step := range []struct{ answered, open bool }{
		{false, true}, {false, true}, {true, true}, {false, true}, {false, true}, {false, false},
		{true, false}, {false, false}, {true, false}, {true, true},
	} {
		if say(step.answered); open() != step.open {
			t.Fatalf("probe %d, answered %v: the gate is open: %v", i, step.answered, open())
		}
	}
}
