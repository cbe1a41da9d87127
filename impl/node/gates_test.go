package node

import (
	"testing"

	"baton/impl/ha"
)

// Each gate has one row, in the order of the gates' indexes, which gateSet.why uses.
func TestEachGateHasOneRow(t *testing.T) {
	if len(gateTable) != ha.GateCount {
		t.Fatalf("%d rows for %d gates", len(gateTable), ha.GateCount)
	}
	for i, row := range gateTable {
		if row.gate.Index() != i {
			t.Errorf("row %d judges %v", i, row.gate)
		}
	}
}
