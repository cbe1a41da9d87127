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
