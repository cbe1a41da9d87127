package node

import (
	"testing"

	"baton/impl/ha"
)

// HoldDown keeps a flapping node from displacing another, and does not prolong an outage.
func TestHoldDownProlongsNoOutage(t *testing.T) {
	// base is a node without the complete table that hears its peer say on the stream that
	// it is Backup and ranks below.
	base := view{cfg: &Config{}, live: true, listened: true, outranks: true, rankKnown: true, confirmed: true,
		peer: state{Role: ha.Backup}}
	for _, test := range []struct {
		name string
		edit func(*view)
		open bool
	}{
		{"the delay has run", func(v *view) { v.holdRun = true }, true},
		{"the delay as configured has not run", func(*view) {}, false},
		{"it would have run if flapping had not lengthened it", func(v *view) { v.undamped = true }, true},
		{"lengthened, and the peer serves", func(v *view) { v.undamped, v.peer.Role = true, ha.Master }, false},
		{"lengthened, and the peer ranks above", func(v *view) { v.undamped, v.outranks = true, false }, false},
		{"lengthened, and the peer is silent", func(v *view) { v.undamped, v.live, v.silent = true, false, true }, false},
		{"a whole table waits if the dataplane refused the last lease", func(v *view) { v.complete, v.refused = true, true }, false},
		{"a whole table does not wait", func(v *view) { v.complete = true }, true},
		{"a whole table does not wait for a peer that is silent", func(v *view) { v.complete, v.live, v.silent = true, false, true }, true},
	} {
		v := base
		test.edit(&v)
		if open, why := judgeHoldDown(&v); open != test.open {
			t.Errorf("%s: open %v (%v)", test.name, open, why)
		}
	}
}

// A pair that starts cold does not wait, because neither node has a table that the other lacks. If
// any one condition of a cold start fails, the whole delay applies.
func TestHoldDownIsWaivedOnlyForAColdPair(t *testing.T) {
	cold := view{cfg: &Config{}, live: true, listened: true, outranks: true, rankKnown: true, confirmed: true,
		booting: true, allUp: true, appraised: true, peer: state{Role: ha.Backup, Rank: ha.Rank{Able: true}}}
	if open, why := judgeHoldDown(&cold); !open {
		t.Fatalf("closed for a cold pair: %v", why)
	}
	for name, edit := range map[string]func(*view){
		"this node had a fault or a demotion":      func(v *view) { v.booting = false },
		"this node has adopted a table":            func(v *view) { v.adopted = true },
		"an epoch is known":                        func(v *view) { v.seen = 1 },
		"the dataplane refused a lease":            func(v *view) { v.refused = true },
		"the peer is not heard on the stream":      func(v *view) { v.live, v.condition, v.ourTurn = false, standby, true },
		"the peer is silent":                       func(v *view) { v.live, v.silent = false, true },
		"a path is not up":                         func(v *view) { v.allUp = false },
		"the peer does not say what its table is":  func(v *view) { v.appraised = false },
		"the peer has flows":                       func(v *view) { v.peer.Rank.Flows = 1 },
		"the peer cannot serve":                    func(v *view) { v.peer.Rank.Able = false },
		"the peer serves":                          func(v *view) { v.peer.Role = ha.Master },
		"the peer claims, and this node may seize": func(v *view) { v.peer.Role, v.cfg = ha.Claiming, &Config{Preempt: PreemptImmediate} },
		"the peer ranks above":                     func(v *view) { v.outranks = false },
		"the peer does not know this node's rank":  func(v *view) { v.rankKnown = false },
		"the peer has not answered since a pause":  func(v *view) { v.confirmed = false },
		"this node leaves":                         func(v *view) { v.leaving = true },
	} {
		v := cold
		edit(&v)
		if open, why := judgeHoldDown(&v); open {
			t.Errorf("open although %s: %v", name, why)
		}
	}
}
