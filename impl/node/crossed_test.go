package node_test

import (
	"slices"
	"testing"
	"time"

	. "baton/impl/node"
)

// TestAMasterWhosePathsFailCrosswiseFreezes: the BACKUP is not heard on the path of the stream, nor the MASTER on the other. Then nothing
// that the MASTER sends arrives, and it freezes. Its last session has gone down by then, while that of the BACKUP is Up.
// The lab ends a test in which both forward.
func TestAMasterWhosePathsFailCrosswiseFreezes(t *testing.T) {
	took := 0
	for before := 2 * labTx; before < labDetect; before += 7 * time.Millisecond {
		for later := labDetect - labTx + 2*labDelay; later < labDetect+labTx; later += 7 * time.Millisecond {
			l := newPair(t, jitter(int(before+later)))
			l.run(time.Second)
			l.dropBFD["lb1 clients"] = true
			l.run(2 * labDetect)
			l.dropBFD["lb2 sync"], l.dropSync["lb2"] = true, true
			l.run(before)
			l.dropBFD["lb1 sync"], l.dropSync["lb1"] = true, true
			l.run(later)
			l.freeze("lb1")
			l.run(2 * labDetect)
			if l.role("lb2") == "Master" {
				took++
			}
		}
	}
	if took < 50 {
		t.Errorf("lb2 took over %d times", took)
	}
}

// TestAMasterThatMissesItsPeersLastWordByBFD: the MASTER is heard on the stream alone. What its peer sent by BFD as it ceased to hear it
// there, the MASTER lost in a pause of its machine. Then it is not heard on the stream either, and its peer claims.
// The lab ends a test in which both forward.
func TestAMasterThatMissesItsPeersLastWordByBFD(t *testing.T) {
	for phase := time.Duration(0); phase < labTx; phase += 7 * time.Millisecond {
		for later := labTx; later < 2*labDetect; later += 25 * time.Millisecond {
			l := newPair(t, jitter(int(phase+later)))
			l.run(time.Second + phase)
			l.filterBFD("lb1")
			l.run(labDetect - labTx)
			l.freeze("lb1")
			l.run(labTx * 7 / 5)
			held := l.nodes["lb1"].held
			l.nodes["lb1"].held = slices.DeleteFunc(held, func(in Input) bool { _, lost := in.(Packet); return lost })
			l.thaw("lb1")
			l.run(later)
			l.wantRoles("Master", "Backup")
			l.dropSync["lb1"] = true
			masterWithin(l, "lb2", 2*labDetect)
			l.run(labDetect)
		}
	}
}
