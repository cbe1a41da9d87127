package node_test

import (
	"testing"
	"time"
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
