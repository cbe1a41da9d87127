package reports

import (
	"testing"

	"baton/reports/cause"
)

// TestWhatAFailedWaitMissedIsWhatItSaysLast: the statement before it names other nodes and states.
func TestWhatAFailedWaitMissedIsWhatItSaysLast(t *testing.T) {
	for detail, want := range map[string]struct {
		kind cause.Kind
		node string
	}{
		"lb1 is Master and lb2 is insync: not true after 3s: lb1 is Backup":                                    {cause.Waiting, "lb1"},
		"lb1 is Master and lb2 is insync: not true after 3s: lb2 is not insync":                                {cause.Unsynced, "lb2"},
		"expect lb1 is insync and lb2 is Master within 2s: not within 2s (window 1s to 3s): lb2 is Backup":     {cause.Waiting, "lb2"},
		"expect lb2 is Master and lb1 is insync within 2s: not within 2s (window 1s to 3s): lb1 is not insync": {cause.Unsynced, "lb1"},
		"lb2 is Backup": {cause.Waiting, "lb2"},
	} {
		if kind, node := missing(detail); kind != want.kind || node != want.node {
			t.Errorf("%s: %v of %q, want %v of %q", detail, kind, node, want.kind, want.node)
		}
	}
}
