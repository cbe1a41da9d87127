package node_test

import (
	. "baton/impl/node"
	"testing"
	"time"

	"baton/impl/trace"
)

// soon suffices to connect, exchange ranks and install a table, and is far less than the
// recovery delay.
const soon = 20 * time.Millisecond

// firstClaim returns when a node first began to claim.
func (l *lab) firstClaim(id string) (at time.Duration, ok bool) {
	for _, e := range l.log {
		if e.Kind == trace.KindRole && e.Node == id && e.Role.From == "Backup" && e.Role.To == "Claiming" {
			return time.Duration(e.At), true
		}
	}
	return 0, false
}

// A pair that starts cold serves as soon as both nodes know each other's rank, in either order
// of start, and the preferred node serves.
func TestAColdPairServesAtOnce(t *testing.T) {
	for _, order := range [][]string{{"lb1", "lb2"}, {"lb2", "lb1"}} {
		l := newLab(t)
		l.boot(order[0])
		l.run(100 * time.Millisecond)
		l.boot(order[1])
		l.until(soon, "lb1 Master and lb2 in sync", func() bool { return l.role("lb1") == "Master" && l.inSync("lb2") })
		l.run(time.Second)
		l.wantRoles("Master", "Backup")
		if l.claims("lb1") != 1 || l.claims("lb2") != 0 {
			t.Errorf("claims of lb1: %d, of lb2: %d; want 1 and 0", l.claims("lb1"), l.claims("lb2"))
		}
	}
}

// Both nodes of a pair lose their power under load: both tables are lost, so nobody waits.
func TestAPairThatLostBothTablesServesAtOnce(t *testing.T) {
	l := newPair(t)
	l.flows("lb1", 0, 10)
	l.run(time.Second)
	l.crash("lb1")
	l.crash("lb2")
	l.run(time.Second)
	l.boot("lb1")
	l.boot("lb2")
	l.until(soon, "lb1 Master and lb2 in sync", func() bool { return l.role("lb1") == "Master" && l.inSync("lb2") })
}

// The preferred node comes back empty, while the peer, which has its table, serves or is about
// to: it claims nothing, and the table stays.
func TestAnEmptyNodeWaitsForAPeerThatHasServed(t *testing.T) {
	for name, down := range map[string]time.Duration{"before the peer has noticed": 10 * time.Millisecond, "as it claims": labDetect, "after the takeover": time.Second} {
		t.Run(name, func(t *testing.T) {
			l := newPair(t)
			l.flows("lb1", 0, 10)
			l.run(time.Second)
			claims := l.claims("lb1")
			l.crash("lb1")
			l.run(down)
			l.boot("lb1")
			l.until(2*time.Second, "lb2 Master and lb1 in sync", func() bool { return l.role("lb2") == "Master" && l.inSync("lb1") })
			l.run(time.Second)
			l.wantTables(0, 10)
			if l.claims("lb1") > claims {
				t.Errorf("lb1 has claimed:\n%s", l.transcript())
			}
		})
	}
}

// The nodes restart at the same time, one of them with its table: the empty one, although it is
// preferred, does not claim.
func TestAnEmptyNodeWaitsForAPeerThatRestartsWithItsTable(t *testing.T) {
	for name, order := range map[string][]string{"the empty one first": {"lb1", "lb2"}, "the empty one last": {"lb2", "lb1"}} {
		t.Run(name, func(t *testing.T) {
			l := newPair(t)
			l.flows("lb1", 0, 10)
			l.run(time.Second)
			claims := l.claims("lb1")
			l.crash("lb1")
			l.kill("lb2")
			l.run(time.Second)
			for _, id := range order {
				if id == "lb1" {
					l.boot(id)
				} else {
					l.restart(id)
				}
				l.run(time.Millisecond)
			}
			l.until(3*time.Second, "lb2 Master and lb1 in sync", func() bool { return l.role("lb2") == "Master" && l.inSync("lb1") })
			l.wantTables(0, 10)
			if l.claims("lb1") > claims {
				t.Errorf("lb1 has claimed:\n%s", l.transcript())
			}
		})
	}
}

// A fresh pair that cannot know that it starts cold waits for the whole recovery delay.
func TestAFreshPairThatIsNotKnownToBeColdWaits(t *testing.T) {
	lost := func(from string) func(*lab) { return func(l *lab) { l.dropBFD[from] = true } }
	for name, hinder := range map[string]struct{ before, after func(*lab) }{
		"a path loses one direction":      {before: lost("lb2 clients")},
		"the other direction of it":       {before: lost("lb1 clients")},
		"the peer's targets are silent":   {after: func(l *lab) { l.probe("lb2", false) }},
		"the preferred node's are silent": {after: func(l *lab) { l.probe("lb1", false) }},
		"a link of it flapped": {after: func(l *lab) {
			l.step(l.nodes["lb1"], Link{Name: "client0", Up: false, MAC: labMAC("lb1", 0)})
			l.step(l.nodes["lb1"], Link{Name: "client0", Up: true, MAC: labMAC("lb1", 0)})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, func(c *Config) { c.Track = Track{Targets: []string{"b1"}, Misses: 1} })
			for _, do := range []func(*lab){hinder.before, func(l *lab) { l.boot("lb1"); l.boot("lb2") }, hinder.after} {
				if do != nil {
					do(l)
				}
			}
			l.until(3*time.Second, "a MASTER", func() bool { return l.role("lb1") == "Master" || l.role("lb2") == "Master" })
			for _, id := range []string{"lb1", "lb2"} {
				if at, ok := l.firstClaim(id); ok && at < labHold {
					t.Errorf("%s claims after %v:\n%s", id, at, l.transcript())
				}
			}
		})
	}
}

// A pair whose tables do not count, because its version or its policy does not compare them, is not
// known to be cold.
func TestAFreshPairWhoseTablesDoNotCountWaits(t *testing.T) {
	for name, pair := range map[string]func() *lab{
		"version 1": func() *lab { return newPairAt(t, 1) },
		"its preferred node takes the role at once": func() *lab {
			l := newLab(t, func(c *Config) { c.Preempt = PreemptImmediate })
			l.boot("lb1")
			l.boot("lb2")
			return l
		},
	} {
		l := pair()
		l.until(3*time.Second, "lb1 Master", func() bool { return l.role("lb1") == "Master" })
		if at, ok := l.firstClaim("lb1"); !ok || at < labHold {
			t.Errorf("%s: lb1 claims after %v:\n%s", name, at, l.transcript())
		}
	}
}
